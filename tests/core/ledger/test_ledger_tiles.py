"""Tile names and bundles: the examples of the format, and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.ledger.tiles import ENTRIES, MAX_LEVEL, Tile, count, decode_bundle, encode_bundle, tiles_between


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 5), "tile/0/005"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 1234067, 8), "tile/0/x001/x234/067.p/8"),
        (Tile(ENTRIES, 273), "tile/entries/273"),
        (Tile(ENTRIES, 273, 112), "tile/entries/273.p/112"),
    ],
)
def test_paths_are_those_of_the_format(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@given(st.integers(ENTRIES, MAX_LEVEL), st.integers(0, 10**18), st.integers(1, 256))
def test_paths_lead_back(level: int, position: int, width: int) -> None:
    tile = Tile(level, position, width)
    assert Tile.parse(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/001", "tile/8/000", "tile/00/000", "tile/-1/000",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p", "tile/0/000/", "/tile/0/000",
        "tile/0/000\n", "tile/0/０００", "tile/entries/000.p/999", "tile/0/x1/000", "tile/data/000", "checkpoint",
    ],
)  # fmt: skip
def test_other_names_are_no_tiles(path: str) -> None:
    assert Tile.parse(path) is None


def naive_tiles(size: int) -> set[Tile]:
    """Every tile of a tree of `size` leaves, as the format defines them."""
    found = set()
    for level in range(ENTRIES, MAX_LEVEL + 1):
        hashes = size // 256 ** max(level, 0)
        found |= {Tile(level, position) for position in range(hashes // 256)}
        if hashes % 256:
            found.add(Tile(level, hashes // 256, hashes % 256))
    return found


@given(st.integers(0, 70_000), st.integers(0, 3000))
def test_growth_writes_exactly_the_tiles_that_are_new(old: int, more: int) -> None:
    before, after = naive_tiles(old), naive_tiles(old + more)
    written = list(tiles_between(old, old + more))
    assert len(written) == len(set(written))
    assert set(written) == after - before
    assert all(tile.within(old + more) and tile.covering(old + more) == tile for tile in written)


def test_a_level_counts_whole_subtrees() -> None:
    assert [count(level, 70_000) for level in (ENTRIES, 0, 1, 2, 3)] == [70_000, 70_000, 273, 1, 0]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_lead_back(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


def test_bundles_hold_the_largest_entry() -> None:
    entries = [b"x" * 65_535, b""]
    assert decode_bundle(encode_bundle(entries), 2) == entries


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_a_cut_or_longer_bundle_is_refused(entries: list[bytes], data: st.DataObject) -> None:
    whole = encode_bundle(entries)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for wrong, width in ((cut, len(entries)), (whole + b"\0", len(entries)), (whole, len(entries) + 1), (whole, 0)):
        with pytest.raises(ValueError, match="exactly"):
            decode_bundle(wrong, width)

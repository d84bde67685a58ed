"""C2SP tlog-tiles: the tree cut into tiles of 256 hashes, the entries into bundles of 256, and their file names.

A tile of level L holds the hashes of subtrees of 256^L leaves. The last one may be partial: `<n>.p/<width>`.
Positions are written in groups of three digits, all but the last led by `x`: 1234067 is `x001/x234/067`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from holdfast.core.data.merkle import HASH_BYTES

WIDTH: Final = 256
HEIGHT: Final = 8
MAX_LEVEL: Final = 7
MAX_BUNDLE_BYTES: Final = WIDTH * (2 + 65_535)
ENTRIES: Final = -1
"""The level under which bundles of entries are filed."""

_PATH: Final = re.compile(r"tile/(entries|[0-7])/((?:x\d{3}/){0,6}\d{3})(?:\.p/([1-9]\d{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile by level (`ENTRIES` for a bundle), position in its level, and how many of its 256 places are filled."""

    level: int
    position: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is, below the ledger's folder."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{_digits(self.position)}" + ("" if self.full else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> Self | None:
        """The tile that a path names; None for any other path."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        level, digits, width = found.groups()
        position = int(digits.replace("x", "").replace("/", ""))
        tile = cls(ENTRIES if level == "entries" else int(level), position, int(width) if width else WIDTH)
        return tile if tile.path == path and (width is None or tile.width < WIDTH) else None

    @property
    def full(self) -> bool:
        return self.width == WIDTH

    @property
    def start(self) -> int:
        """The position, in its level, of its first hash or entry."""
        return self.position * WIDTH

    @property
    def stop(self) -> int:
        """The position after its last."""
        return self.start + self.width

    @property
    def max_bytes(self) -> int:
        return MAX_BUNDLE_BYTES if self.level == ENTRIES else self.width * HASH_BYTES

    def within(self, size: int) -> bool:
        """Whether a tree of `size` leaves fills it."""
        return self.stop <= count(self.level, size)

    def covering(self, size: int) -> Self:
        """The tile at its position as wide as a tree of `size` leaves makes it."""
        return type(self)(self.level, self.position, min(WIDTH, count(self.level, size) - self.start))


def count(level: int, size: int) -> int:
    """How many hashes (or entries) a level has in a tree of `size` leaves."""
    return size if level == ENTRIES else size >> (HEIGHT * level)


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` leaves has not (in this width)."""
    for level in (ENTRIES, *range(MAX_LEVEL + 1)):
        before, after = count(level, old), count(level, new)
        for position in range(before // WIDTH, -(-after // WIDTH)):
            if after > before:
                yield Tile(level, position, min(WIDTH, after - position * WIDTH))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """A bundle: every entry behind its length, two bytes, big-endian."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle. Raises ValueError when it holds another number, or a part of one."""
    entries: list[bytes] = []
    place = 0
    while place < len(data) and len(entries) < width:
        start = place + 2
        place = start + int.from_bytes(data[place:start], "big")
        entries.append(data[start:place])
    if place != len(data) or len(entries) != width:
        raise ValueError(f"it does not hold exactly {width} entries")
    return entries


def _digits(position: int) -> str:
    text = f"{position:03d}"
    text = text.zfill(-(-len(text) // 3) * 3)
    groups = [text[i : i + 3] for i in range(0, len(text), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])

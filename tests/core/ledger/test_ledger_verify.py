"""The offline verifier: nothing in the folder may be other than what was signed."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock
from holdfast.core.ledger import Checkpoint, Ledger, LedgerStatus, Verification, verify_ledger
from holdfast.core.ledger.tiles import decode_bundle, encode_bundle
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store

KEY = SigningKey(bytes(range(32)))
ORIGIN = "holdfast/test"
SIZES = (3, 250, 300, 513)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that grew in steps, so that it holds full tiles, partial ones, and older partial ones."""
    home = tmp_path_factory.mktemp("ledger") / "state"
    clock = FrozenClock(datetime(2026, 1, 5, tzinfo=UTC))
    with Store.open(None, home, clock) as store:
        ledger = Ledger(store, KEY, ORIGIN)
        ledger.append_pending()
        for size in SIZES:
            with store.transaction() as tx:
                for number in range(size - tx.intents.state().size):
                    tx.intend("test", {"number": number})
            ledger.append_pending()
            (home / f"note-{size}").write_bytes((ledger.folder / "checkpoint").read_bytes())
    return home / "ledger"


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "ledger"))


def note(whole: Path, size: int) -> bytes:
    return (whole.parent / f"note-{size}").read_bytes()


def verify(folder: Path, **more: object) -> Verification:
    return verify_ledger(folder, KEY.public, **more)  # type: ignore[arg-type]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_whole_ledger_is_ok(whole: Path) -> None:
    found = verify(whole, origin=ORIGIN)
    assert (found.status, found.exit_code, found.problems, found.size) == (LedgerStatus.OK, 0, (), 513)
    assert found.root == Checkpoint.parse((whole / "checkpoint").read_bytes()).root.hex()
    names = {str(path.relative_to(whole)) for path in files(whole)}
    assert {"tile/0/000", "tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2", "tile/1/000.p/1"} <= names


def test_every_byte_of_small_files_counts(whole: Path, folder: Path) -> None:
    for path in [folder / "checkpoint", *(folder / "tile").rglob("*.p/*")]:
        data = path.read_bytes()
        for place in range(0, len(data), 1 if len(data) < 300 else 41):
            path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
            assert verify(folder).status is LedgerStatus.BROKEN, (path, place)
        path.write_bytes(data)
    assert verify(folder).status is LedgerStatus.OK


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_flipped_byte_in_any_file_is_found(folder: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(files(folder)))
    before = path.read_bytes()
    place = data.draw(st.integers(0, len(before) - 1))
    change = data.draw(st.integers(1, 255))
    path.write_bytes(before[:place] + bytes([before[place] ^ change]) + before[place + 1 :])
    try:
        found = verify(folder)
    finally:
        path.write_bytes(before)
    assert (found.status, found.exit_code) == (LedgerStatus.BROKEN, 1)


def test_every_missing_cut_or_longer_file_is_found(folder: Path, whole: Path) -> None:
    older = {"tile/1/000.p/1"}  # a reader of an older checkpoint may want it; nothing depends on it
    for path in files(folder):
        data, name = path.read_bytes(), str(path.relative_to(folder))
        for changed in (b"", data[:-1], data + b"\0", data + data):
            path.write_bytes(changed)
            assert verify(folder).status is LedgerStatus.BROKEN, name
        path.unlink()
        assert verify(folder).status is (LedgerStatus.OK if name in older else LedgerStatus.BROKEN), name
        path.write_bytes(data)


@pytest.mark.parametrize(
    "name",
    [
        "README",
        "tile/note",
        "tile/0/00",
        "tile/0/000.bak",
        "tile/0/x000/000",
        "tile/8/000",
        ".hidden",
        "checkpoint.old",
    ],
)
def test_a_file_that_does_not_belong_is_found(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    found = verify(folder)
    assert found.status is LedgerStatus.BROKEN
    assert any(name.rsplit("/", maxsplit=1)[-1] in problem or "tile/8" in problem for problem in found.problems)


def test_links_pipes_and_odd_folders_are_found(folder: Path) -> None:
    for make in (
        lambda path: path.symlink_to(folder / "checkpoint"),
        lambda path: path.symlink_to("/nowhere"),
        os.mkfifo,
        lambda path: path.mkdir(),
    ):
        odd = folder / "tile" / "odd"
        make(odd)
        assert verify(folder).status is LedgerStatus.BROKEN
        odd.rmdir() if odd.is_dir() else odd.unlink()
    assert verify(folder).status is LedgerStatus.OK


def test_a_tile_behind_a_link_is_found(folder: Path, tmp_path: Path) -> None:
    (folder / "tile" / "0" / "000").rename(tmp_path / "aside")
    (folder / "tile" / "0" / "000").symlink_to(tmp_path / "aside")
    assert verify(folder).status is LedgerStatus.BROKEN
    (folder / "tile" / "0" / "000").unlink()
    os.mkfifo(folder / "tile" / "0" / "000")
    assert verify(folder).status is LedgerStatus.BROKEN


def test_tiles_after_the_checkpoint_are_neither_trusted_nor_called_broken(folder: Path, whole: Path) -> None:
    """What a killed append leaves: nobody signed it, and it contradicts nothing."""
    (folder / "checkpoint").write_bytes(note(whole, 300))
    # The partial tiles of 300 leaves were dropped when their tiles got full; bring them back.
    for level in ("0", "entries"):
        full = folder / "tile" / level / "001"
        partial = folder / "tile" / level / "001.p" / "44"
        partial.parent.mkdir()
        data = full.read_bytes()
        partial.write_bytes(data[: 44 * 32] if level == "0" else encode_bundle(decode_bundle(data, 256)[:44]))
    found = verify(folder)
    assert (found.status, found.exit_code, found.size) == (LedgerStatus.UNKNOWN, 3, 300)
    assert all("signed by nobody" in problem for problem in found.problems)
    ahead = folder / "tile" / "0" / "001"
    data = bytearray(ahead.read_bytes())
    data[5] ^= 1
    ahead.write_bytes(bytes(data))
    assert verify(folder).status is LedgerStatus.BROKEN


def test_without_a_key_nothing_is_shown_but_damage_still_is(folder: Path) -> None:
    found = verify_ledger(folder, None)
    assert (found.status, found.exit_code) == (LedgerStatus.UNKNOWN, 3)
    assert "no public key" in found.problems[0]
    data = bytearray((folder / "tile/0/000").read_bytes())
    data[0] ^= 1
    (folder / "tile/0/000").write_bytes(bytes(data))
    assert verify_ledger(folder, None).status is LedgerStatus.BROKEN


def test_a_key_in_the_folder_is_shown_and_never_trusted(folder: Path) -> None:
    (folder / "holdfast.pub").write_bytes(KEY.public.pem())
    found = verify_ledger(folder, None)
    assert (found.status, found.found_key) == (LedgerStatus.UNKNOWN, KEY.public.key_id)
    assert verify(folder).status is LedgerStatus.OK
    (folder / "holdfast.pub").write_bytes(KEY.public.pem() + b"\n")
    assert verify(folder).status is LedgerStatus.BROKEN
    (folder / "holdfast.pub").write_bytes(b"junk")
    assert verify_ledger(folder, None).status is LedgerStatus.BROKEN


def test_a_ledger_forged_with_the_forgers_key_inside_is_broken(folder: Path) -> None:
    forger = SigningKey.generate()
    head = Checkpoint.parse((folder / "checkpoint").read_bytes())
    (folder / "checkpoint").write_bytes(Checkpoint.sign(ORIGIN, head.size, head.root, forger).note)
    (folder / "holdfast.pub").write_bytes(forger.public.pem())
    found = verify(folder)
    assert (found.status, found.found_key) == (LedgerStatus.BROKEN, forger.public.key_id)
    assert verify_ledger(folder, forger.public).status is LedgerStatus.OK


def test_a_ledger_of_another_name_is_broken(whole: Path) -> None:
    assert verify(whole, origin="holdfast/other").status is LedgerStatus.BROKEN


@pytest.mark.parametrize("size", SIZES)
def test_a_ledger_that_grew_from_the_remembered_checkpoint_is_ok(whole: Path, size: int) -> None:
    assert verify(whole, remembered=note(whole, size)).status is LedgerStatus.OK


@pytest.mark.parametrize("size", [1, 3, 256, 257, 512, 513])
def test_a_fork_from_the_remembered_checkpoint_is_broken(whole: Path, size: int) -> None:
    found = verify(whole, remembered=Checkpoint.sign(ORIGIN, size, bytes(32), KEY).note)
    assert found.status is LedgerStatus.BROKEN
    assert "remembered" in found.problems[0]


def test_a_rollback_behind_the_remembered_checkpoint_is_broken(tmp_path: Path) -> None:
    with Store.open(None, tmp_path / "state") as store:
        ledger = Ledger(store, KEY, ORIGIN)
        with store.transaction() as tx:
            tx.intend("x", {})
        ledger.append_pending()
        shutil.copytree(ledger.folder, tmp_path / "old")
        with store.transaction() as tx:
            tx.intend("y", {})
        ledger.append_pending()
        remembered = (ledger.folder / "checkpoint").read_bytes()
    assert verify(tmp_path / "old").status is LedgerStatus.OK
    found = verify(tmp_path / "old", remembered=remembered)
    assert found.status is LedgerStatus.BROKEN
    assert "rolled back" in found.problems[0]


def test_a_remembered_checkpoint_that_says_nothing_gives_unknown(whole: Path) -> None:
    other = Checkpoint.sign("holdfast/other", 3, bytes(32), KEY).note
    stranger = Checkpoint.sign(ORIGIN, 3, bytes(32), SigningKey.generate()).note
    for remembered in (b"junk", other, stranger):
        assert verify(whole, remembered=remembered).status is LedgerStatus.UNKNOWN


def test_where_there_is_no_ledger_the_answer_is_unknown(tmp_path: Path) -> None:
    assert verify(tmp_path / "none").exit_code == 3
    assert verify(tmp_path).exit_code == 3


def test_a_deleted_checkpoint_is_broken(folder: Path) -> None:
    (folder / "checkpoint").unlink()
    assert verify(folder).exit_code == 1


def test_a_checkpoint_of_a_size_nobody_has_ends_at_once(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(Checkpoint.sign(ORIGIN, 2**50, bytes(32), KEY).note)
    found = verify(folder)
    assert found.status is LedgerStatus.BROKEN
    assert len(found.problems) <= 20


def test_a_huge_file_is_not_read_whole(folder: Path) -> None:
    with (folder / "tile/entries/000").open("r+b") as file:
        file.truncate(2**40)
    assert verify(folder).status is LedgerStatus.BROKEN


def test_many_strange_files_end_the_walk_early(folder: Path) -> None:
    for number in range(100):
        (folder / f"junk-{number}").touch()
    assert len(verify(folder).problems) == 20


def test_an_unreadable_file_gives_unknown(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (folder / "tile/0/000").chmod(0)
    assert verify(folder).status is LedgerStatus.UNKNOWN

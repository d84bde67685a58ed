"""The sequencer on both databases: every intent once, in order, and no step on when histories differ."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from holdfast.core.data.merkle import EMPTY_ROOT, consistent, leaf_hash
from holdfast.core.errors import LedgerError, StoreError
from holdfast.core.ledger import Checkpoint, InclusionProof, Ledger, LedgerStatus, verify_ledger
from holdfast.core.ledger.folder import LedgerFolder
from holdfast.core.ledger.tiles import ENTRIES, Tile, decode_bundle
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store

KEY = SigningKey(bytes(range(32)))
ORIGIN = "holdfast/test"


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store, KEY, ORIGIN)


def intend(store: Store, *numbers: int) -> list[str]:
    with store.transaction() as tx:
        return [tx.intend("test", {"number": number}) for number in numbers]


def leaves(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    size = Checkpoint.parse((folder / "checkpoint").read_bytes()).size
    for position in range(-(-size // 256)):
        tile = Tile(ENTRIES, position).covering(size)
        found += [json.loads(entry) for entry in decode_bundle((folder / tile.path).read_bytes(), tile.width)]
    return found


def ok(ledger: Ledger, size: int) -> None:
    found = verify_ledger(ledger.folder, KEY.public, origin=ORIGIN)
    assert (found.status, found.problems, found.size) == (LedgerStatus.OK, (), size)


def test_an_empty_ledger_has_a_checkpoint(ledger: Ledger) -> None:
    assert ledger.checkpoint() is None
    assert ledger.append_pending() == 0
    head = ledger.checkpoint()
    assert head is not None
    assert (head.size, head.root) == (0, EMPTY_ROOT)
    ok(ledger, 0)


def test_intents_become_leaves_once_and_in_order(store: Store, ledger: Ledger) -> None:
    told: list[str] = []
    for start, stop in ((0, 1), (1, 5), (5, 260), (260, 600)):
        told += intend(store, *range(start, stop))
        assert ledger.append_pending() == stop - start
        assert ledger.append_pending() == 0
        ok(ledger, stop)
    found = leaves(ledger.folder)
    assert [leaf["id"] for leaf in found] == told
    assert [leaf["body"] for leaf in found] == [{"number": number} for number in range(600)]
    assert found[0].keys() == {"version", "id", "kind", "recorded_at", "body"}
    assert found[0]["recorded_at"] == "2026-01-05T09:00:00Z"


def test_many_pending_intents_are_appended_in_batches(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.core.ledger.ledger.BATCH", 7)
    told = intend(store, *range(50))
    assert ledger.append_pending() == 50
    assert [leaf["id"] for leaf in leaves(ledger.folder)] == told
    ok(ledger, 50)


def test_an_intent_undone_with_its_transaction_is_in_no_ledger(store: Store, ledger: Ledger) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.intend("test", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert ledger.append_pending() == 0


def test_an_intent_that_commits_late_is_not_skipped(store: Store, ledger: Ledger, database: str | None) -> None:
    """A transaction that began earlier and ends later has the smaller number: on PostgreSQL both can be open."""
    if database is None:
        return
    with store.transaction() as slow:
        late = slow.intend("test", {"late": True})
        (early,) = intend(store, 1)
        assert ledger.append_pending() == 1
    assert ledger.append_pending() == 1
    assert [leaf["id"] for leaf in leaves(ledger.folder)] == [early, late]
    ok(ledger, 2)


def test_while_one_sequencer_holds_the_lease_another_does_nothing(store: Store, ledger: Ledger) -> None:
    intend(store, 1)
    with store.transaction() as tx:
        assert tx.leases.claim("ledger.sequencer", "another", 60)
    assert ledger.append_pending() == 0
    assert ledger.checkpoint() is None
    with store.transaction() as tx:
        tx.leases.release("ledger.sequencer", "another")
    assert ledger.append_pending() == 1


def test_intents_of_whoever_was_turned_away_are_not_left_behind(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival, publish = Ledger(store, KEY, ORIGIN), Ledger._publish
    turned_away: list[int] = []

    def publish_while_another_knocks(self: Ledger) -> None:
        if not turned_away:
            intend(store, 2)
            turned_away.append(rival.append_pending())
        publish(self)

    monkeypatch.setattr(Ledger, "_publish", publish_while_another_knocks)
    intend(store, 1)
    assert ledger.append_pending() == 2
    assert turned_away == [0]
    ok(ledger, 2)


def test_the_lease_is_given_back(store: Store, ledger: Ledger) -> None:
    ledger.append_pending()
    with store.reading() as tx:
        assert tx.leases.holder("ledger.sequencer") is None


def test_sequencers_without_a_lease_between_them_do_no_harm(
    store: Store, database: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease saves work; the order is kept by the row lock alone."""
    monkeypatch.setattr("holdfast.core.store.leases.Leases.claim", lambda *_: True)
    monkeypatch.setattr("holdfast.core.ledger.ledger.BATCH", 5)
    ledgers = [Ledger(store, KEY, ORIGIN) for _ in range(4)]
    faults: list[BaseException] = []
    appended: list[int] = []

    def work(ledger: Ledger, start: int) -> None:
        try:
            for number in range(start, start + 8):
                intend(store, *range(10 * number, 10 * number + 3))
                appended.append(ledger.append_pending())
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(ledger, 8 * k)) for k, ledger in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    appended.append(ledgers[0].append_pending())
    assert sum(appended) == 96
    ids = [leaf["id"] for leaf in leaves(ledgers[0].folder)]
    assert len(ids) == len(set(ids)) == 96
    ok(ledgers[0], 96)


def test_a_sequencer_that_slept_does_not_replace_a_newer_checkpoint(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.core.store.leases.Leases.claim", lambda *_: True)
    rival = Ledger(store, KEY, ORIGIN)
    ledger.append_pending()
    write_tiles, slept = LedgerFolder.write_tiles, []

    def sleep_first(files: LedgerFolder, *rest: Any) -> None:
        if not slept:
            slept.append(True)
            intend(store, 2, 3)
            assert rival.append_pending() == 2
        write_tiles(files, *rest)

    intend(store, 1)
    monkeypatch.setattr(LedgerFolder, "write_tiles", sleep_first)
    assert ledger.append_pending() == 1
    ok(ledger, 3)


def test_proofs_hold_for_their_leaf_and_no_other(store: Store, ledger: Ledger) -> None:
    told = intend(store, *range(300))
    assert ledger.prove(told[0]) is None
    ledger.append_pending()
    for index in (0, 1, 255, 256, 299):
        proof = ledger.prove(told[index])
        assert proof is not None
        assert proof.index == index
        assert json.loads(proof.entry)["id"] == told[index]
        assert proof.holds(KEY.public, ORIGIN)
        moved = InclusionProof(index ^ 1, proof.entry, proof.path, proof.checkpoint)
        changed = InclusionProof(index, proof.entry + b" ", proof.path, proof.checkpoint)
        assert not moved.holds(KEY.public, ORIGIN)
        assert not changed.holds(KEY.public, ORIGIN)
        with pytest.raises(LedgerError):
            proof.holds(SigningKey.generate().public, ORIGIN)
    assert ledger.prove("int_unknown") is None
    (waiting,) = intend(store, 300)
    assert ledger.prove(waiting) is None


def test_growth_is_proved(store: Store, ledger: Ledger) -> None:
    heads = []
    for stop in (3, 10, 300):
        intend(store, *range(stop))
        ledger.append_pending()
        heads.append(ledger.checkpoint())
    old, middle, new = (head for head in heads if head is not None)
    for head in (old, middle, new):
        assert consistent(head.size, head.root, new.size, new.root, ledger.prove_growth(head.size))
    assert not consistent(old.size, middle.root, new.size, new.root, ledger.prove_growth(old.size))


def test_an_export_is_a_whole_ledger(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    intend(store, *range(300))
    ledger.append_pending()
    intend(store, 300)
    head = ledger.export(tmp_path / "out")
    found = verify_ledger(tmp_path / "out", KEY.public, remembered=head.note)
    assert (found.status, found.size) == (LedgerStatus.OK, 300)
    with pytest.raises(LedgerError) as raised:
        ledger.export(tmp_path / "out")
    assert raised.value.code == "HF-LED-006"


@pytest.mark.parametrize("lost", [True, False])
def test_a_changed_history_is_not_exported(store: Store, ledger: Ledger, tmp_path: Path, lost: bool) -> None:
    intend(store, 1, 2)
    ledger.append_pending()
    with store._engine.begin() as connection:
        changed = {"entry": b"{}", "hash": leaf_hash(b"{}")}
        connection.execute(text("UPDATE ledger_intents SET entry = :entry WHERE leaf = 0"), changed)
        connection.execute(text("UPDATE ledger_hashes SET hash = :hash WHERE level = 0 AND position = 0"), changed)
    if lost:
        shutil.rmtree(ledger.folder)
    with pytest.raises(LedgerError) as raised:
        ledger.export(tmp_path / "out")
    assert raised.value.code == ("HF-LED-007" if lost else "HF-LED-005")
    assert not (tmp_path / "out").exists()


def code(ledger: Ledger) -> str:
    before = ledger.folder / "checkpoint"
    then = before.read_bytes() if before.exists() else None
    with pytest.raises(LedgerError) as raised:
        ledger.append_pending()
    assert (before.read_bytes() if before.exists() else None) == then, "a contradiction signs nothing"
    return raised.value.code


def test_a_lost_checkpoint_is_told(store: Store, ledger: Ledger) -> None:
    intend(store, 1)
    ledger.append_pending()
    shutil.rmtree(ledger.folder)
    assert code(ledger) == "HF-LED-002"


def test_a_checkpoint_by_another_key_or_of_another_ledger_is_told(store: Store, ledger: Ledger) -> None:
    ledger.append_pending()
    assert code(Ledger(store, SigningKey.generate(), ORIGIN)) == "HF-LED-001"
    assert code(Ledger(store, KEY, "holdfast/other")) == "HF-LED-001"


def test_a_database_from_before_is_told(store: Store, ledger: Ledger) -> None:
    intend(store, 1, 2)
    ledger.append_pending()
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE ledger_state SET size = 1, published_size = 1"))
    assert code(ledger) == "HF-LED-003"


def test_a_folder_from_before_is_told(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    intend(store, 1)
    ledger.append_pending()
    shutil.copytree(ledger.folder, tmp_path / "old")
    intend(store, 2)
    ledger.append_pending()
    shutil.rmtree(ledger.folder)
    shutil.copytree(tmp_path / "old", ledger.folder)
    assert code(ledger) == "HF-LED-004"


def test_a_changed_history_is_told(store: Store, ledger: Ledger) -> None:
    intend(store, 1, 2)
    ledger.append_pending()
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE ledger_hashes SET hash = :zero WHERE position = 0"), {"zero": bytes(32)})
    assert code(ledger) == "HF-LED-005"


def test_an_entry_changed_before_it_is_published_is_told(store: Store, ledger: Ledger) -> None:
    intend(store, 1)
    ledger.append_pending()
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE ledger_intents SET entry = :other WHERE leaf = 0"), {"other": b"{}"})
    intend(store, 2)
    assert code(ledger) == "HF-LED-007"


def test_what_a_kill_left_unpublished_is_published_next_time(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places given, tiles written, checkpoint not: the next append finishes, with no new intent."""
    intend(store, *range(5))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    ledger.append_pending()
    intend(store, *range(5))
    with monkeypatch.context() as broken:
        broken.setattr("holdfast.core.ledger.folder.LedgerFolder.write_checkpoint", fail)
        with pytest.raises(KeyboardInterrupt):
            ledger.append_pending()
    assert verify_ledger(ledger.folder, KEY.public).status is LedgerStatus.UNKNOWN
    assert ledger.append_pending() == 0
    ok(ledger, 10)


def test_a_checkpoint_whose_record_was_lost_is_recorded_next_time(store: Store, ledger: Ledger) -> None:
    intend(store, 1, 2)
    ledger.append_pending()
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE ledger_state SET published_size = 0, published_root = NULL"))
    assert ledger.append_pending() == 0
    head = ledger.checkpoint()
    assert head is not None
    with store.reading() as tx:
        state = tx.intents.state()
    assert (state.published_size, state.published_root) == (2, head.root.hex())


def test_tiles_and_their_names_are_on_disk_before_the_checkpoint(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append_pending()
    intend(store, 1, 2)
    happened: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def named(handle: int) -> str:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        return str(path.relative_to(ledger.folder.parent)) if path.is_dir() else "a file"

    monkeypatch.setattr("os.fsync", lambda handle: (happened.append(("fsync", named(handle))), fsync(handle))[1])
    monkeypatch.setattr(
        "os.replace",
        lambda old, new: (happened.append(("rename", str(new.relative_to(ledger.folder)))), replace(old, new))[1],
    )
    ledger.append_pending()
    folders = (
        "ledger/tile/entries/000.p",
        "ledger/tile/entries",
        "ledger/tile/0/000.p",
        "ledger/tile/0",
        "ledger/tile",
    )
    published = happened.index(("rename", "checkpoint"))
    for folder in folders:
        assert happened.index(("fsync", folder)) < published, folder
    for place, (what, _) in enumerate(happened):
        if what == "rename":
            assert happened[place - 1] == ("fsync", "a file")
    assert ("fsync", "ledger") in happened[published:], "then the name of the checkpoint"


def test_partial_tiles_stay_until_their_tile_is_full(store: Store, ledger: Ledger) -> None:
    def partials() -> set[str]:
        return {str(path.relative_to(ledger.folder)) for path in ledger.folder.rglob("*.p/*")}

    for more in (2, 3):
        intend(store, *range(more))
        ledger.append_pending()
    assert partials() == {f"tile/{kind}/000.p/{width}" for kind in ("0", "entries") for width in (2, 5)}
    intend(store, *range(255))
    ledger.append_pending()
    assert partials() == {"tile/0/001.p/4", "tile/entries/001.p/4", "tile/1/000.p/1"}
    ok(ledger, 260)


def test_leftovers_of_killed_writers_are_swept_when_old(ledger: Ledger) -> None:
    ledger.append_pending()
    staging = ledger.folder.with_name("ledger.staging")
    for name, age_s in (("old", 7200), ("new", 0)):
        (staging / name).touch()
        os.utime(staging / name, (time.time() - age_s,) * 2)
    ledger.append_pending()
    assert {path.name for path in staging.iterdir()} == {"new"}


def test_a_folder_that_cannot_be_written_is_an_error_with_a_code(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as raised:
        Ledger(store, KEY, ORIGIN, tmp_path / "file" / "ledger").append_pending()
    assert raised.value.code == "HF-STO-014"


def test_a_full_disk_is_an_error_with_a_code_and_signs_nothing(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append_pending()
    intend(store, 1)

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", full)
        with pytest.raises(StoreError) as raised:
            ledger.append_pending()
    assert (raised.value.code, raised.value.cause) == ("HF-STO-014", "No space left on device")
    ok(ledger, 0)
    assert ledger.append_pending() == 0
    ok(ledger, 1)

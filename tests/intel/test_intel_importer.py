"""Imports: diffs by content, refuses what looks broken, survives being killed anywhere, tells each change once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from holdfast.core.domain.topics import INTEL, REFRESHED, WITHDRAWN
from holdfast.core.errors import UsageError
from holdfast.core.store import Transaction
from holdfast.intel import importer
from holdfast.intel.importer import run_import
from holdfast.intel.queries import feeds_view
from intel_desk import Desk, record

MANY = [record(f"CVE-2026-{n:04}", f"pkg-{n}") for n in range(45)]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH", 20)
    monkeypatch.setattr(importer, "MESSAGE_UIDS", 7)


def news(desk: Desk, *topics: str) -> int:
    return int(desk.read(lambda tx: tx.outbox.waiting(list(topics))))


def test_a_feed_that_renumbers_and_redates_everything_changes_nothing(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *MANY[:30])
    before = desk.state()
    churned = [
        {**one, "modified": "2026-01-05T08:00:00Z", "schema_version": "1.9", "id": one["id"]} for one in MANY[:30]
    ]
    done = desk.says("a", *reversed(churned), drain=False)
    assert (done.new, done.changed, done.withdrawn) == (0, 0, 0)
    assert news(desk, INTEL, WITHDRAWN) == 0
    assert desk.state() == before


def test_an_import_killed_after_any_batch_is_finished_by_the_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.feed("a")
    whole = Desk(None, desk.home / "whole")
    whole.feed("a")
    whole.says("a", *MANY)
    write = importer._write

    for survive in (0, 1, 1):
        left = iter([None] * survive)

        def dying(tx: Transaction, items: Any, raw: str | None, left: Any = left) -> list[str]:
            done = write(tx, items, raw)
            try:
                next(left)
            except StopIteration:
                raise KeyboardInterrupt from None
            return done

        monkeypatch.setattr(importer, "_write", dying)
        with pytest.raises(KeyboardInterrupt):
            desk.says("a", *MANY)
        desk.drain()
        assert desk.read(lambda tx: tx.intel.feed("a")).last_ok is None
    monkeypatch.setattr(importer, "_write", write)
    done = desk.says("a", *MANY)
    assert (done.said, done.new) == (45, 5), "two whole batches stood"
    assert desk.state() == whole.state()
    assert desk.says("a", *MANY, drain=False).new == 0
    assert news(desk, INTEL) == 0
    whole.store.close()


def test_messages_are_bounded_and_name_everything_once(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *MANY, drain=False)

    def told(tx: Transaction) -> list[list[str]]:
        return [one.body["items"] for one in tx.outbox.claim_batch("test", topics=[INTEL], limit=100)]

    items = desk.store.run(told)
    assert all(len(part) <= 7 for part in items)
    assert len([uid for part in items for uid in part]) == len({uid for part in items for uid in part}) == 45
    assert news(desk, REFRESHED) == 1


def test_most_of_a_feed_gone_at_once_is_refused_and_nothing_is_withdrawn(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *MANY[:40])
    before = desk.state()
    desk.clock.advance(timedelta(hours=1))
    done = desk.says("a", *MANY[:5])
    assert done.fault is not None
    assert "HF-INT-006" in done.fault
    assert desk.state() == before
    (view,) = desk.read(lambda tx: feeds_view(tx, tx.now))
    assert (view.state, view.items) == ("failing", 40)
    assert desk.says("a", *MANY[:5], accept_removals=True).withdrawn == 35
    assert desk.read(lambda tx: len(tx.intel.in_force())) == 5


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "HF-INT-004"),
        ("{}\n{}\n", "HF-INT-004"),
        ("not json\nnor this\n", "HF-INT-004"),
        ('{"id": "CVE-1", "affected": [{"package": {"ecosystem": "npm", "name": "x"}}]}', "HF-INT-004"),
        ("[" * 100_000, "HF-INT-004"),
    ],
)
def test_a_feed_that_says_nothing_readable_never_counts_as_an_answer(desk: Desk, text: str, code: str) -> None:
    path = desk.feed("a")
    path.write_text(text)
    done = run_import(desk.store, "a")
    assert done.fault is not None
    assert code in done.fault
    state = desk.read(lambda tx: tx.intel.feed("a"))
    assert state.last_ok is None
    assert state.last_try == desk.clock()


def test_one_unreadable_record_among_many_is_named_and_keeps_others_from_vanishing(desk: Desk) -> None:
    path = desk.feed("a")
    desk.says("a", *MANY[:30])
    path.write_text("".join(json.dumps(one) + "\n" for one in MANY[1:30]) + "{broken\n")
    done = run_import(desk.store, "a")
    assert done.fault is None
    assert [one.name for one in done.unreadable] == ["a.jsonl:30"]
    assert done.withdrawn == 0


def test_what_was_read_is_kept_as_evidence(desk: Desk) -> None:
    path = desk.feed("a")
    desk.says("a", *MANY[:3])
    (said, *_) = desk.read(lambda tx: tx.intel.of_feed("a"))
    assert desk.store.blobs.get(said.raw) == path.read_bytes()


def test_a_feed_that_is_not_registered_or_not_there(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no feed 'b'"):
        run_import(desk.store, "b")
    desk.feed("a", location=desk.home / "missing.json")
    done = run_import(desk.store, "a")
    assert done.fault is not None
    assert "HF-INT-003" in done.fault


def test_two_feeds_on_one_thing_have_one_status_each(desk: Desk) -> None:
    for name in "ab":
        desk.feed(name)
        desk.says(name, record("CVE-1", "x"), record("CVE-2", "y"))
    desk.says("a", record("CVE-1", "x", withdrawn="2026-01-05T00:00:00Z"), record("CVE-2", "y"))
    ((_, said),) = list(desk.read(lambda tx: tx.intel.of(tx.intel.uids_named(["CVE-1"])["CVE-1"])).items())
    assert [(one.item.feed, one.active) for one in said] == [("a", False), ("b", True)]
    assert len(desk.read(lambda tx: tx.intel.in_force())) == 2

"""What was taken in, seen again: events, gaps, damage, and forgetting whole segments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.errors import StoreError
from holdfast.core.store import Store
from holdfast.watch.catalogue import gaps_view, read_events, verify
from holdfast.watch.intake import Intake
from holdfast.watch.log import Receipt
from holdfast.watch.packs import Packs
from holdfast.watch.retention import expire
from holdfast.watch.segments import Segments
from holdfast.watch.settings import WatchSettings

SETTINGS = WatchSettings(group_wait_ms=0, retention_days=30)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(happenings.NOON)


@pytest.fixture
def store(database: str | None, tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
    with Store.open(database, tmp_path / "state", clock) as store:
        yield store


def take(store: Store, *batches: range, model: str = "m") -> None:
    with Intake(store, SETTINGS, known=lambda _: True) as intake:
        for numbers in batches:
            intake.append(happenings.events(numbers, model=model))


def test_the_newest_events_are_read_back(store: Store) -> None:
    early = happenings.NOON - timedelta(hours=1)
    with Intake(store, SETTINGS, known=lambda _: True) as intake:
        intake.append(happenings.events(range(3), time=[early] * 3))
        intake.append(happenings.events(range(3, 5)))
        intake.append(happenings.events(range(9, 10), model="other"))
    found = read_events(store, model="m", since=None, limit=3)
    assert [event["event_id"] for event in found][:2] == ["e3", "e4"]
    assert len(found) == 3
    since = read_events(store, model=None, since=happenings.NOON, limit=50)
    assert {event["event_id"] for event in since} == {"e3", "e4", "e9"}
    assert since[0]["time"] == "2026-01-05T12:00:00Z"


def test_gaps_are_told_and_after_a_grace_missing(store: Store, clock: FrozenClock) -> None:
    take(store, range(5), range(8, 10))
    with store.reading() as tx:
        young = gaps_view(tx, clock())
    assert [(gap.first, gap.last, gap.late) for gap in young.gaps] == [(5, 7, False)]
    assert young.missing == 0
    clock.advance(timedelta(minutes=2))
    with store.reading() as tx:
        view = gaps_view(tx, clock())
    assert (view.missing, view.gaps[0].events, view.producers) == (3, 3, 1)
    assert view.to_json()["gaps"][0]["producer"] == "p"
    take(store, range(5, 8))
    with store.reading() as tx:
        assert gaps_view(tx, clock()).gaps == ()


def test_every_kind_of_damage_is_found_and_named(store: Store) -> None:
    take(store, range(3), range(3, 6), range(6, 9))
    assert verify(store).ok
    packs = Packs(store.home)
    (name,) = packs.names()
    with store.reading() as tx:
        places = [row.slice for row in tx.segments.after(0, 10)]
    data = bytearray(packs.path(name).read_bytes())
    data[places[1].offset + 5] ^= 1
    packs.path(name).write_bytes(data[:-1])
    found = verify(store)
    assert not found.ok
    assert [item.sequence for item in found.damaged] == [2, 3]
    with pytest.raises(StoreError) as caught:
        Segments(store).after("m", 1)
    assert caught.value.code == "HF-WAT-020"
    packs.path(name).unlink()
    assert len(verify(store).damaged) == 3


def test_a_catalogue_that_was_changed_does_not_fit_its_seals(store: Store) -> None:
    take(store, range(3), range(3, 6))
    from sqlalchemy import text

    with store._engine.begin() as connection:
        connection.execute(text("DELETE FROM event_segments WHERE sequence = 1"))
    found = verify(store)
    assert [item.cause for item in found.damaged] == ["segments 1 to 2 are not those sealed"]


def test_segments_expire_as_a_whole_with_an_intent_and_seals_still_hold(store: Store, clock: FrozenClock) -> None:
    take(store, range(3))
    clock.advance(timedelta(days=20))
    take(store, range(3, 6))
    clock.advance(timedelta(days=11))
    assert expire(store, SETTINGS, dry_run=True).events == 3
    assert len(Segments(store).after("m", 0)) == 2
    done = expire(store, SETTINGS)
    assert (done.segments, done.events, len(done.packs)) == (1, 3, 1)
    assert expire(store, SETTINGS).segments == 0
    assert [row.sequence for row, _ in Segments(store).after("m", 0)] == [2]
    assert verify(store).ok
    with store.reading() as tx:
        kinds = [kind for _, entry in tx.intents.pending(100) for kind in [entry] if b"events.expired" in kind]
    assert len(kinds) == 1
    with Intake(store, SETTINGS, known=lambda _: True) as intake:
        assert intake.append(happenings.events(range(6))) == Receipt(3, 3), "what was forgotten is new again"

"""Letting go: out of quarantine, whole segments after their time, files that nothing names any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from holdfast.core.domain import to_iso
from holdfast.core.store import Store, Transaction
from holdfast.watch.packs import Packs
from holdfast.watch.settings import WatchSettings

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Expired:
    """What was forgotten. `packs` are the files that went; a file goes when all its segments have."""

    segments: int
    events: int
    producers: int
    packs: tuple[str, ...]


def expire(store: Store, settings: WatchSettings, *, dry_run: bool = False) -> Expired:
    """Delete segments older than the retention, with a ledger intent. Their rows stay: seals speak of them."""
    before = store.clock() - timedelta(days=settings.retention_days)
    segments = events = 0
    while not dry_run:
        with store.transaction() as tx:
            tx.segments.hold()
            rows = tx.segments.expired(before, PAGE)
            if not rows:
                producers = tx.producers.forget(before)
                break
            tx.segments.remove(rows)
            count = sum(row.rows for row in rows)
            body = {"first": rows[0].sequence, "last": rows[-1].sequence, "segments": len(rows), "events": count}
            tx.intend("events.expired", {**body, "before": to_iso(before)})
        segments, events = segments + len(rows), events + count
    if dry_run:
        return _would(store, settings)
    return Expired(segments, events, producers, tuple(sweep(store)))


def _would(store: Store, settings: WatchSettings) -> Expired:
    before = store.clock() - timedelta(days=settings.retention_days)
    with store.reading() as tx:
        segments, events = tx.segments.count_before(before)
    return Expired(segments, events, 0, ())


def release(store: Store, model: str) -> int:
    """Let the events of a model out of quarantine, with a ledger intent. Gives how many segments that were.

    They get new sequences: readers that have passed the old ones see them now, as if they had just come.
    """

    def work(tx: Transaction) -> int:
        state = tx.segments.hold()
        rows = tx.segments.after(0, state.newest, model=model, quarantined=True)
        if rows:
            made = tx.segments.release(state, rows)
            events = sum(row.rows for row in rows)
            body = {"model": model, "first": made[0].sequence, "last": made[-1].sequence, "events": events}
            tx.intend("events.released", body, about=f"events:{made[-1].sequence}")
        return len(rows)

    return store.run(work)


def sweep(store: Store) -> list[str]:
    """Delete pack files that no row names and nobody writes: what a crash left, and what expired. Gives their names."""
    packs = Packs(store.home)

    def work(tx: Transaction) -> list[str]:
        # Whoever appends holds the log too, so no row can come to name a file while it is being deleted.
        tx.segments.hold()
        named = tx.segments.packs()
        return [name for name in packs.names() if name not in named and packs.remove(name)]

    return store.run(work)

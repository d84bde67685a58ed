"""Typed views of what was taken in: events read back, gaps of producers, and whether the bytes are still those."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from holdfast.core.domain import to_iso
from holdfast.core.errors import StoreError
from holdfast.core.store import Store, Transaction
from holdfast.core.store.producers import ProducerRow
from holdfast.core.store.segments import SegmentRow, root_of
from holdfast.watch.packs import Packs
from holdfast.watch.producers import overdue

SCHEMA_VERSION = 1
GRACE_S = 60.0
"""What is missing for less long may still come: retries, spilled batches."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class GapView:
    """Numbers `first` to `last` of a producer never arrived: a gap in the monitoring."""

    producer: str
    epoch: int
    first: int
    last: int
    events: int
    since: str
    late: bool
    """False: missing for less than the grace, so that it may still come."""


@dataclass(frozen=True, slots=True)
class GapsView:
    """All gaps at a moment, those of the most recently heard producers first."""

    as_of: str
    producers: int
    missing: int
    gaps: tuple[GapView, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        import msgspec

        return {"schema_version": SCHEMA_VERSION, **msgspec.to_builtins(self)}


def gaps_view(tx: Transaction, now: datetime, *, grace_s: float = GRACE_S, limit: int = 1000) -> GapsView:
    """What producers counted and the log does not have."""
    gaps = tuple(gap for row in tx.producers.lacking(limit) for gap in _gaps(row, now, grace_s))
    return GapsView(to_iso(now), tx.producers.count(), sum(gap.events for gap in gaps if gap.late), gaps)


def _gaps(row: ProducerRow, now: datetime, grace_s: float) -> Iterator[GapView]:
    late = overdue(row, now, grace_s)
    for hole in row.missing:
        yield GapView(row.producer, row.epoch, hole.first, hole.last, hole.events, hole.since, hole in late)


def read_events(store: Store, *, model: str | None, since: datetime | None, limit: int) -> list[dict[str, Any]]:
    """The newest events, newest first, as plain values. Segments are visited newest first until `limit` is reached."""
    packs = Packs(store.home)
    found: list[dict[str, Any]] = []
    with store.reading() as tx:
        before = tx.segments.newest()
    while len(found) < limit:
        with store.reading() as tx:
            rows = tx.segments.before(before, PAGE, model=model)
        for row in rows:
            if len(found) < limit and (since is None or row.slice.last_at >= since):
                found.extend(_newest(packs, row, since))
        if not rows:
            break
        before = rows[-1].sequence - 1
    return [_plain(event) for event in sorted(found, key=lambda event: event["time"], reverse=True)[:limit]]


def _newest(packs: Packs, row: SegmentRow, since: datetime | None) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = packs.read(row.slice).to_pylist()
    return [event for event in events if since is None or event["time"] >= since]


def _plain(event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "time": to_iso(event["time"].astimezone(UTC))}


@dataclass(frozen=True, slots=True)
class Damage:
    """A segment or a seal that is not as recorded."""

    sequence: int
    model: str
    cause: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was hashed and compared. `sealed`: the newest segment that the ledger speaks of."""

    as_of: str
    segments: int
    events: int
    bytes: int
    seals: int
    sealed: int
    newest: int
    damaged: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        return not self.damaged

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        import msgspec

        return {"schema_version": SCHEMA_VERSION, "ok": self.ok, **msgspec.to_builtins(self)}


def verify(store: Store) -> Verified:
    """Hash every segment again and compare with the catalogue, and the catalogue with the seals in the ledger."""
    packs = Packs(store.home)
    damaged: list[Damage] = []
    segments = events = size = 0
    for row in _rows(store):
        fault = _damage(packs, row)
        segments, events, size = segments + 1, events + row.rows, size + row.slice.length
        damaged += [] if fault is None else [Damage(row.sequence, row.model, fault)]
    seals, wrong = _check_seals(store)
    with store.reading() as tx:
        state = tx.segments.state()
    newest, sealed = (0, 0) if state is None else (state.newest, state.sealed)
    return Verified(to_iso(store.clock()), segments, events, size, seals, sealed, newest, (*damaged, *wrong))


def _rows(store: Store) -> Iterator[SegmentRow]:
    sequence = 0
    while True:
        with store.reading() as tx:
            rows = tx.segments.after(sequence, PAGE, quarantined=None)
        if not rows:
            return
        yield from rows
        sequence = rows[-1].sequence


def _damage(packs: Packs, row: SegmentRow) -> str | None:
    try:
        table = packs.read(row.slice)
    except StoreError as fault:
        return fault.cause
    return None if table.num_rows == row.rows else f"{table.num_rows} events, not {row.rows}"


def _check_seals(store: Store) -> tuple[int, list[Damage]]:
    """Whether the catalogue still says what the ledger was told."""
    count, last, wrong = 0, 0, []
    while True:
        with store.reading() as tx:
            seals = tx.segments.seals(last, PAGE)
            for seal in seals:
                rows = tx.segments.all_after(seal.first - 1, seal.last - seal.first + 1)
                if root_of(rows) != seal.root or seal.first != last + 1:
                    wrong.append(Damage(seal.last, "", f"segments {seal.first} to {seal.last} are not those sealed"))
                last = seal.last
        if not seals:
            return count, wrong
        count += len(seals)

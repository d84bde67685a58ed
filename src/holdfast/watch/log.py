"""The one that writes the log: a group of requests becomes segments, then rows, then receipts.

Order of things, and what a crash in between leaves: bytes appended to a pack and synced (bytes that no row names);
rows, producers and the ledger's intent in one transaction (all or nothing); receipts (the sender asks again, and its
ids are known by then). Several processes may write: each has its own pack, and the transaction that appends first
reads what others have appended since.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from holdfast.core.domain import new_id
from holdfast.core.errors import StoreError
from holdfast.core.store import Store, Transaction
from holdfast.core.store.producers import Key
from holdfast.core.store.segments import LogState, SegmentRow, Slice, root_of
from holdfast.watch.events import Part
from holdfast.watch.packs import Packs, PackWriter, encode, sha256
from holdfast.watch.producers import Run, advance, together
from holdfast.watch.repeats import SEQUENCE_BITS, Repeats, Words, first_of_each, hashes
from holdfast.watch.settings import WatchSettings

PAGE = 500
CACHED_SEGMENTS = 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: events newly kept, and events that were known already."""

    accepted: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One checked request: its events by model, its producers' numbers, the models that are in quarantine."""

    parts: tuple[Part, ...]
    numbers: Mapping[Key, Sequence[Run]]
    strangers: frozenset[str]
    rows: int
    size: int


@dataclass
class _Lot:
    """Everything about one model in a group."""

    model: str
    quarantined: bool
    tables: list[pa.Table]
    owners: NDArray[np.int64]
    """Which entry each row is from."""
    ids: pa.Array
    keys: Words
    keep: NDArray[np.bool_]


@dataclass
class _Piece:
    """A segment about to be: its slice and the hashes of its ids."""

    place: Slice
    keys: Words
    ids: pa.Array


class _AgainError(Exception):
    """Another process has kept some of these events meanwhile."""


@dataclass
class Log:
    """Not for several threads at once."""

    store: Store
    settings: WatchSettings
    through: int = 0
    """The newest segment whose ids are in `repeats`."""
    unsealed: bool = True
    _salt: int = field(default_factory=lambda: secrets.randbits(64))
    _ids: OrderedDict[int, tuple[str, pa.Array]] = field(default_factory=OrderedDict)
    _writer: PackWriter | None = None

    def __post_init__(self) -> None:
        self.packs = Packs(self.store.home)
        self.repeats = Repeats(self.settings.repeat_horizon)
        self._recall()

    def commit(self, group: Sequence[Entry]) -> list[Receipt]:
        """Keep what is new of a group and say of each entry how much that was. Raises StoreError, OSError."""
        lots = self._lots(group)
        numbers = together(entry.numbers for entry in group)
        for lot in lots:
            lot.keep &= ~self._known(lot)
        while any(lot.keep.any() for lot in lots):
            pieces = self._write(lots)
            with suppress(_AgainError):
                rows = self.store.run(partial(self._append, lots=lots, pieces=pieces, numbers=numbers))
                self._remember(rows, pieces)
                break
        kept = np.zeros(len(group), np.int64)
        for lot in lots:
            kept += np.bincount(lot.owners[lot.keep], minlength=len(group))
        return [Receipt(int(n), entry.rows - int(n)) for n, entry in zip(kept, group, strict=True)]

    def seal(self) -> None:
        """Let the ledger speak of everything that is kept."""
        with self.store.transaction() as tx:
            self._seal(tx, tx.segments.hold())
        self.unsealed = False

    def overdue(self) -> bool:
        """Whether the ledger has not been told of new segments for too long."""
        with self.store.reading() as tx:
            state = tx.segments.state()
            return state is not None and state.newest > state.sealed and self._due(tx, state)

    def close(self) -> None:
        """Give the pack up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # What is new

    def _lots(self, group: Sequence[Entry]) -> list[_Lot]:
        parts: dict[str, list[tuple[int, pa.Table]]] = {}
        for number, entry in enumerate(group):
            for part in entry.parts:
                parts.setdefault(part.model, []).append((number, part.events))
        strangers = frozenset().union(*(entry.strangers for entry in group))
        return [self._lot(model, own, model in strangers) for model, own in parts.items()]

    def _lot(self, model: str, own: list[tuple[int, pa.Table]], quarantined: bool) -> _Lot:
        tables = [table for _, table in own]
        ids = _single([chunk for table in tables for chunk in table["event_id"].chunks])
        owners = np.repeat([number for number, _ in own], [table.num_rows for table in tables])
        keep = np.ones(len(ids), np.bool_)
        first = first_of_each(ids)
        if first is not None:
            keep[:] = False
            keep[first] = True
        return _Lot(model, quarantined, tables, owners, ids, hashes(ids, model, self._salt), keep)

    def _known(self, lot: _Lot) -> NDArray[np.bool_]:
        """Which rows of a lot are kept already."""
        known = np.zeros(len(lot.ids), np.bool_)
        maybe = self.repeats.candidates(lot.keys)
        rows, places = self.repeats.lookup(lot.keys[maybe])
        if not len(rows):
            return known
        rows = maybe[rows]
        sequences = self.through - ((self.through - places) & ((1 << SEQUENCE_BITS) - 1))
        self._load(set(sequences.tolist()))
        for sequence in np.unique(sequences):
            model, ids = self._ids.get(int(sequence), ("", None))
            if ids is not None and model == lot.model:
                own = rows[sequences == sequence]
                same = pc.is_in(lot.ids.take(pa.array(own)), value_set=ids)
                known[own[same.to_numpy(zero_copy_only=False)]] = True
        return known

    def _load(self, sequences: set[int]) -> None:
        """Bring the ids of segments into the cache; what is gone or damaged has none, so its events are kept anew."""
        wanted = sequences - self._ids.keys()
        if wanted:
            with self.store.reading() as tx:
                rows = tx.segments.find(wanted)
            for sequence, row in rows.items():
                if row.removed_at is None:
                    with suppress(StoreError):
                        self._ids[sequence] = (row.model, self._ids_of(row))
        for sequence in sequences & self._ids.keys():
            self._ids.move_to_end(sequence)
        while len(self._ids) > max(CACHED_SEGMENTS, len(sequences)):
            self._ids.popitem(last=False)

    def _ids_of(self, row: SegmentRow) -> pa.Array:
        return _single(self.packs.read(row.slice, ["event_id"])["event_id"].chunks)

    # Writing

    def _write(self, lots: Iterable[_Lot]) -> list[_Piece]:
        made = [piece for lot in lots for piece in _pieces(lot)]
        writer = self._open()
        try:
            places = writer.append([data for data, *_ in made])
        except OSError:
            self.close()  # what a failed sync leaves is not to be built upon
            raise
        return [
            _Piece(_slice(writer.name, offset, data, raw, events, lot), keys, ids)
            for offset, (data, raw, events, lot, keys, ids) in zip(places, made, strict=True)
        ]

    def _open(self) -> PackWriter:
        if self._writer is not None and (self._writer.size >= self.settings.pack_bytes or not self._writer.linked()):
            self.close()
        if self._writer is None:
            self._writer = PackWriter(self.packs, new_id("pck", self.store.clock))
        return self._writer

    def _append(
        self, tx: Transaction, lots: list[_Lot], pieces: list[_Piece], numbers: Mapping[Key, list[Run]]
    ) -> list[SegmentRow]:
        state = tx.segments.hold()
        if state.newest > self.through:
            self._catch_up(tx, state.newest)
            self._drop_known(lots)
        if self._writer is None or not self._writer.linked():
            raise _AgainError
        rows = tx.segments.append(state, [piece.place for piece in pieces])
        self._follow(tx, numbers)
        if len(rows) + state.newest - state.sealed >= self.settings.seal_segments or self._due(tx, state):
            self._seal(tx, LogState(rows[-1].sequence, state.sealed, state.sealed_at))
            self.unsealed = False
        else:
            self.unsealed = True
        return rows

    def _drop_known(self, lots: list[_Lot]) -> None:
        dropped = False
        for lot in lots:
            repeated = lot.keep & self._known(lot)
            lot.keep &= ~repeated
            dropped |= bool(repeated.any())
        if dropped:
            raise _AgainError

    def _due(self, tx: Transaction, state: LogState) -> bool:
        return tx.now - state.sealed_at >= timedelta(seconds=self.settings.seal_s)

    def _seal(self, tx: Transaction, state: LogState) -> None:
        if state.newest <= state.sealed:
            return
        rows = tx.segments.all_after(state.sealed, state.newest - state.sealed)
        root, events = root_of(rows), sum(row.rows for row in rows)
        body = {"first": state.sealed + 1, "last": state.newest, "events": events, "root": root}
        intent = tx.intend("events.sealed", body, about=f"events:{state.newest}")
        tx.segments.seal(state, state.newest, events, root, intent)

    def _follow(self, tx: Transaction, numbers: Mapping[Key, list[Run]]) -> None:
        known = tx.producers.find(numbers)
        fresh = len(numbers) - len(known)
        room = self.settings.max_producers - tx.producers.count() if fresh else 0
        for key, runs in numbers.items():
            if key in known or room > 0:
                room -= key not in known
                tx.producers.put(advance(known.get(key), key, runs, tx.now))

    # Remembering

    def _remember(self, rows: list[SegmentRow], pieces: list[_Piece]) -> None:
        for row, piece in zip(rows, pieces, strict=True):
            self.repeats.add(piece.keys, row.sequence)
            self._ids[row.sequence] = (row.model, piece.ids)
            self.through = row.sequence
        while len(self._ids) > CACHED_SEGMENTS:
            self._ids.popitem(last=False)

    def _recall(self) -> None:
        """Read back the ids of the newest events, as many as the horizon holds."""
        with self.store.reading() as tx:
            newest = tx.segments.newest()
            self.through = self._horizon_begins(tx, newest)
            self._catch_up(tx, newest)

    def _horizon_begins(self, tx: Transaction, newest: int) -> int:
        left, before = self.settings.repeat_horizon, newest
        while left > 0 and (rows := tx.segments.before(before, PAGE)):
            left -= sum(row.rows for row in rows)
            before = rows[-1].sequence - 1
        return before

    def _catch_up(self, tx: Transaction, newest: int) -> None:
        while self.through < newest:
            rows = tx.segments.after(self.through, PAGE, quarantined=None)
            for row in rows:
                with suppress(StoreError):  # `watch verify` tells of damage; taking in goes on
                    self.repeats.add(hashes(self._ids_of(row), row.model, self._salt), row.sequence)
            self.through = rows[-1].sequence if rows else newest


def _pieces(lot: _Lot) -> Iterable[tuple[bytes, int, pa.Table, _Lot, Words, pa.Array]]:
    """What is new of a lot, as one segment for each set of features in it."""
    groups: dict[pa.Schema, list[tuple[pa.Table, NDArray[np.int64]]]] = {}
    begin = 0
    for table in lot.tables:
        rows = begin + np.nonzero(lot.keep[begin : begin + table.num_rows])[0]
        if len(rows):
            own = table if len(rows) == table.num_rows else table.take(pa.array(rows - begin))
            groups.setdefault(table.schema.with_metadata(None), []).append((own, rows))
        begin += table.num_rows
    for own in groups.values():
        events = pa.concat_tables([table for table, _ in own]).combine_chunks()
        data, raw = encode(events)
        keys = lot.keys[np.concatenate([rows for _, rows in own])]
        yield data, raw, events, lot, keys, _single(events["event_id"].chunks)


def _slice(pack: str, offset: int, data: bytes, raw: int, events: pa.Table, lot: _Lot) -> Slice:
    span: Any = pc.min_max(events["time"]).as_py()
    return Slice(
        lot.model,
        pack,
        offset,
        len(data),
        raw,
        events.num_rows,
        sha256(data),
        span["min"],
        span["max"],
        lot.quarantined,
    )


def _single(chunks: list[pa.Array]) -> pa.Array:
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())

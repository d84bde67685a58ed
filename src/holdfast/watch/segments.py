"""Reading events back, segment by segment, in the order in which they became visible."""

from __future__ import annotations

import pyarrow as pa

from holdfast.core.store import Store
from holdfast.core.store.segments import SegmentRow
from holdfast.watch.packs import Packs

__all__ = ["MAX_ROWS", "SegmentRow", "Segments"]

MAX_ROWS = 200_000
"""Events that one reading brings into memory, give or take one segment."""


class Segments:
    """A reader's view of the log. An offset is the sequence of the last segment that was seen; 0 is the beginning."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._packs = Packs(store.home)

    def after(
        self, model: str, offset: int, limit: int = 100, *, max_rows: int = MAX_ROWS
    ) -> list[tuple[SegmentRow, pa.Table]]:
        """The next segments of a model past an offset, at most `limit` and about `max_rows` events.

        Raises StoreError (HF-WAT-020) where the bytes are not what the catalogue says.
        """
        with self._store.reading() as tx:
            rows = tx.segments.after(offset, limit, model=model)
        return [(row, self.read(row)) for row in _within(rows, max_rows)]

    def read(self, row: SegmentRow, columns: list[str] | None = None) -> pa.Table:
        """The events of one segment."""
        return self._packs.read(row.slice, columns)

    def models(self, after: int = 0) -> list[str]:
        """The models that have events past an offset."""
        with self._store.reading() as tx:
            return tx.segments.models(after)

    def newest(self) -> int:
        """The newest offset there is."""
        with self._store.reading() as tx:
            return tx.segments.newest()


def _within(rows: list[SegmentRow], max_rows: int) -> list[SegmentRow]:
    """The first rows that hold no more than `max_rows` events together; always at least one."""
    taken, total = 0, 0
    for row in rows:
        total += row.rows
        if taken and total > max_rows:
            break
        taken += 1
    return rows[:taken]

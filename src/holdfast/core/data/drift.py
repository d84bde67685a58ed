"""How far a table lies from the one that was profiled: per column, in numbers with known meanings.

PSI: population stability index, as used for credit scorecards (Siddiqi 2006): sum over bins of (q - p) ln(q / p), with
missing values as a bin of their own; below 0.1 is stable, above 0.25 is a shift. Distance: Kolmogorov-Smirnov for
numbers, total variation for text; both in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.profile import ColumnProfile, Kind, Profile, Value, counts, present
from holdfast.core.data.table import Column, Table

BINS = 10
FLOOR = 1e-4
"""Smallest share of a bin, so that an empty one does not make the index infinite."""
MAX_NAMED = 20


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """One column against its profile.

    `missing_change` is new share minus old. `outside` is the share of present values beyond the old minimum and
    maximum. `new` are values never seen before (the first MAX_NAMED, by value) and `new_share` their share of present
    values; both say nothing (empty, None) where the profile did not keep every value.
    """

    name: str
    psi: float
    distance: float
    missing_change: float
    outside: float
    new: tuple[Value, ...]
    new_share: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Columns in both tables, and the names of those that are not, or that turned from numbers to text or back."""

    columns: tuple[ColumnDrift, ...]
    absent: tuple[str, ...]
    added: tuple[str, ...]
    retyped: tuple[str, ...]

    @property
    def worst(self) -> ColumnDrift | None:
        """The column with the highest PSI."""
        return max(self.columns, key=lambda column: column.psi, default=None)


def drift(reference: Profile, table: Table) -> Drift:
    """Compare `table` with the profile of an earlier one."""
    known = {column.name: column for column in reference.columns}
    shared = [column for column in reference.columns if column.name in table.columns]
    retyped = [column.name for column in shared if _retyped(column, table[column.name])]
    return Drift(
        tuple(_column(column, table[column.name]) for column in shared if column.name not in retyped),
        absent=tuple(name for name in known if name not in table.columns),
        added=tuple(name for name in table.names if name not in known),
        retyped=tuple(retyped),
    )


def _retyped(old: ColumnProfile, values: Column) -> bool:
    """Empty columns have no kind, so they match any."""
    text = values.dtype == object
    return old.kind is not Kind.EMPTY and len(present(values)) > 0 and text != (old.kind is Kind.TEXT)


def _column(old: ColumnProfile, values: Column) -> ColumnDrift:
    there = present(values)
    missing = 1 - len(there) / len(values) if len(values) else 0.0
    compare = _text if old.kind is Kind.TEXT else _numbers
    before, after, distance = compare(old, there)
    new, new_share = _new(old, there)
    return ColumnDrift(
        old.name,
        psi=_psi(np.append(before * (1 - old.missing), old.missing), np.append(after * (1 - missing), missing)),
        distance=distance,
        missing_change=missing - old.missing,
        outside=_outside(old, there),
        new=new,
        new_share=new_share,
    )


def _numbers(old: ColumnProfile, there: Column) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Shares per bin before and after, and the Kolmogorov-Smirnov distance: exact where every old value was kept."""
    if not old.points or not len(there):
        return np.zeros(1), np.full(1, float(len(there) > 0)), 0.0
    ordered = np.sort(there.astype(np.float64))
    below = np.searchsorted(ordered, old.points, side="right") / len(there)
    before = np.asarray(old.below)
    inner = _edges(before)
    gap = np.abs(before - below).max()
    if old.levels:
        # Between two old values the old function is flat, so the new one is furthest from it just below the next.
        short_of = np.searchsorted(ordered, old.points, side="left") / len(there)
        gap = max(gap, np.abs(np.append(0.0, before[:-1]) - short_of).max())
    return (
        np.diff(before[inner], prepend=0.0, append=1.0),
        np.diff(below[inner], prepend=0.0, append=1.0),
        float(gap),
    )


def _edges(below: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which points end a bin: the last but one of few values, else those nearest to the deciles."""
    last = len(below) - 1
    if last < BINS * 2:
        return np.arange(last)
    wanted = np.searchsorted(below, np.arange(1, BINS) / BINS)
    return np.unique(wanted[wanted < last])


def _text(old: ColumnProfile, there: Column) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Shares per value before and after (values of small share together), and the total variation distance."""
    kept = dict(old.levels or old.top)
    distinct, occurs = counts(there)
    found = dict(zip(distinct.tolist(), occurs.tolist(), strict=True))
    present_before = max(round(old.n * (1 - old.missing)), 1)
    before = np.array([count / present_before for count in kept.values()])
    after = np.array([found.get(value, 0) / max(len(there), 1) for value in kept])
    before, after = (np.append(shares, max(0.0, 1 - shares.sum())) for shares in (before, after))
    if not len(there):
        after[:] = 0.0
    return before, after, float(np.abs(before - after).sum() / 2)


def _psi(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    used = (before > 0) | (after > 0)
    p, q = np.maximum(before[used], FLOOR), np.maximum(after[used], FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def _outside(old: ColumnProfile, there: Column) -> float:
    if old.min is None or old.max is None or not len(there):
        return 0.0
    return float(((there < old.min) | (there > old.max)).mean())


def _new(old: ColumnProfile, there: Column) -> tuple[tuple[Value, ...], float | None]:
    if not old.levels and old.kind is not Kind.EMPTY:
        return (), None
    distinct, occurs = counts(there)
    seen = {value for value, _ in old.levels}
    new = [(value, count) for value, count in zip(distinct.tolist(), occurs.tolist(), strict=True) if value not in seen]
    return tuple(value for value, _ in new[:MAX_NAMED]), sum(count for _, count in new) / max(len(there), 1)

"""Near copies: many rows that are nearly the same and carry one label, where the rows around them carry others.

Rows are put into cells of several shifted grids; rows that share a cell in any grid are near. The rows around are those
of a grid COARSER times as wide. One pass of hashing per grid, so the work is linear in the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.cells import Cells

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]

GRIDS = 6
STEPS = 100
"""Cells a column's quantile range is cut into."""
COARSER = 20
MIN_COPIES = 5
MIN_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Copies:
    """A group of near copies."""

    rows: NDArray[np.intp]
    label: int
    pure: float
    """Share of its rows that carry `label`."""
    expected: float
    """Share of that label among the rows around, or in the whole table, whichever is more."""
    log_p: float
    """Natural logarithm of the probability of such purity by chance, times the number of groups looked at."""
    identical: bool
    """Whether all of its rows are equal to the last digit."""


def near_copies(cells: Cells, y: Classes, *, seed: int = 0) -> list[Copies]:
    """Groups of at least MIN_COPIES near copies, the least likely first.

    Tables with fewer than MIN_COLUMNS columns that vary have no copies: their rows are equal by chance.
    """
    steps = _steps(cells.X)
    if steps.shape[1] < MIN_COLUMNS or cells.n_rows < MIN_COPIES:
        return []
    groups = _groups(steps, seed)
    around = _Around.of(steps, y)
    found = [_judged(cells, y, rows, around, len(groups)) for rows in groups]
    return sorted(found, key=lambda one: (one.log_p, int(one.rows[0])))


@dataclass(frozen=True, eq=False)
class _Around:
    """How many rows, and of which class, each wide cell has."""

    cell: NDArray[np.intp]
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, steps: Floats, y: Classes) -> _Around:
        _, cell = np.unique(_hashed(np.floor(steps / COARSER), 1), return_inverse=True)
        counts = np.zeros((int(cell.max()) + 1, int(y.max()) + 1), np.intp)
        np.add.at(counts, (cell, y), 1)
        return cls(cell, counts)

    def share(self, y: Classes, rows: NDArray[np.intp], label: int) -> float:
        """Share of `label` among the rows around `rows`, drawn towards the whole table's by one row."""
        own = np.bincount(y[rows], minlength=self.counts.shape[1])
        others = self.counts[np.unique(self.cell[rows])].sum(axis=0) - own
        return float((others[label] + (y == label).mean()) / (others.sum() + 1.0))


def _judged(cells: Cells, y: Classes, rows: NDArray[np.intp], around: _Around, tests: int) -> Copies:
    from scipy.stats import binom

    labels, counts = np.unique(y[rows], return_counts=True)
    label, most = int(labels[counts.argmax()]), int(counts.max())
    expected = max(around.share(y, rows, label), float((y == label).mean()))
    same = np.nan_to_num(cells.X[rows], nan=-1.5e300)
    return Copies(
        rows=rows,
        label=label,
        pure=most / rows.size,
        expected=expected,
        log_p=min(0.0, float(binom.logsf(most - 1, rows.size, expected)) + float(np.log(tests))),
        identical=bool((same == same[0]).all()),
    )


def _steps(X: Floats) -> Floats:
    """(n, k) the columns that vary, in units of a grid step; missing values far away from all others."""
    kept = []
    for column in range(X.shape[1]):
        there = X[~np.isnan(X[:, column]), column]
        if not there.size or there.min() == there.max():
            continue
        low, high = np.quantile(there, [0.01, 0.99])
        width = (high - low if high > low else there.max() - there.min()) / STEPS
        kept.append(np.where(np.isnan(X[:, column]), 1e6, np.clip((X[:, column] - low) / width, -1e5, 1e5)))
    return np.column_stack(kept) if kept else np.empty((len(X), 0))


def _groups(steps: Floats, seed: int) -> list[NDArray[np.intp]]:
    """Rows that share a cell in some grid, joined over the grids."""
    rng = np.random.default_rng(seed)
    parent = np.arange(len(steps))
    for grid in range(GRIDS):
        shift = rng.uniform(0.0, 1.0, steps.shape[1]) if grid else np.full(steps.shape[1], 0.5)
        _join(parent, _hashed(np.floor(steps + shift), seed + grid))
    root = _roots(parent)
    order = np.argsort(root, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(root[order])) + 1)
    return [np.sort(part) for part in parts if part.size >= MIN_COPIES]


def _hashed(cell: Floats, seed: int) -> NDArray[np.int64]:
    """(n,) one number per row of whole numbers; equal rows have equal ones, others hardly ever."""
    factors = np.random.default_rng(seed).integers(1, 2**62, cell.shape[1], dtype=np.int64) | 1
    with np.errstate(over="ignore"):
        return np.asarray((cell.astype(np.int64) * factors).sum(axis=1))


def _join(parent: NDArray[np.intp], key: NDArray[np.int64]) -> None:
    """Rows of equal key get one root."""
    _, place = np.unique(key, return_inverse=True)
    root = _roots(parent)
    least = np.full(int(place.max()) + 1, len(parent))
    np.minimum.at(least, place, root)
    np.minimum.at(parent, root, least[place])


def _roots(parent: NDArray[np.intp]) -> NDArray[np.intp]:
    root = parent[parent]
    while not np.array_equal(root, parent):
        parent[:] = root
        root = parent[parent]
    return root

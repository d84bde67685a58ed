"""What detectors learn from a model's own first events: a sample of rows, ranks, who the person behind a row is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.watch.batch import Batch, Floats, Keys
from holdfast.watch.interface import Context, State
from holdfast.watch.kernels.cells import hash_columns

SAMPLE = 4_096
MIDDLES = 65
ABSENT = -0.5
"""The rank of a missing value: as far from the middle as any."""
_SEED = np.array([0x9E3779B97F4A7C15], np.uint64)


def sample_size(context: Context) -> int:
    """How many first events a detector looks at before it counts."""
    return max(64, min(SAMPLE, context.learning // 2))


def own_columns(contract: Contract) -> list[int]:
    """The columns that say something by themselves: all but the derived ones."""
    return [position for position, feature in enumerate(contract.features) if feature.derived is None]


def fixed_columns(contract: Contract) -> list[int]:
    """The columns that belong to the person and that no attacker moves."""
    own = own_columns(contract)
    return [position for position in own if contract.features[position].move == "never"]


def bits(X: Floats, columns: list[int]) -> Keys:
    """Values (n, k) as words that are equal where the values are; every missing value is the same."""
    # -0.0 and 0.0 are one value.
    chosen = np.ascontiguousarray(X[:, columns]) + 0.0
    chosen[np.isnan(chosen)] = np.nan
    return chosen.view(np.uint64)


def people(batch: Batch) -> Keys:
    """Who each event is about (n,): its subject; else whoever has the same values in the columns nobody moves.

    0 where neither says anything.
    """
    columns = fixed_columns(batch.contract)
    if batch.subject_key.all() or not columns:
        return batch.subject_key
    keys = np.zeros((len(batch), 1), np.uint64)
    hash_columns(bits(batch.X, columns), np.ones((1, len(columns)), np.bool_), _SEED, keys)
    return np.where(batch.subject_key == 0, np.maximum(keys[:, 0], np.uint64(1)), batch.subject_key)


def take_sample(state: State, rows: Floats, size: int, name: str = "sample") -> int:
    """Fill the sample (size, k) with the first of `rows`; gives how many were taken."""
    sample = state.arrays.setdefault(name, np.zeros((size, rows.shape[1])))
    filled = int(state.numbers.get(name, 0))
    taken = min(len(sample) - filled, len(rows))
    sample[filled : filled + taken] = rows[:taken]
    state.numbers[name] = filled + taken
    return taken


def sampled(state: State, name: str = "sample") -> bool:
    """Whether the sample is full."""
    return name in state.arrays and int(state.numbers.get(name, 0)) == len(state.arrays[name])


def quantile_grid(sample: Floats) -> Floats:
    """Values of equal ranks (d, MIDDLES) of each column of a sample (m, d); a column of missing values is zeros."""
    grid = np.zeros((sample.shape[1], MIDDLES))
    for column in range(sample.shape[1]):
        known = sample[np.isfinite(sample[:, column]), column]
        if len(known):
            grid[column] = np.quantile(known, np.linspace(0, 1, MIDDLES), method="linear")
    return grid


def ranks(X: Floats, grid: Floats) -> Floats:
    """Where values (n, d) lie among those of the sample, 0 to 1; ties share the middle of their ranks."""
    places = np.linspace(0, 1, grid.shape[1])
    U = np.empty(X.shape)
    for column in range(X.shape[1]):
        low = np.interp(X[:, column], *_first(grid[column], places))
        U[:, column] = np.where(np.isnan(X[:, column]), ABSENT, low)
    return U


def _first(values: Floats, places: Floats) -> tuple[Floats, Floats]:
    """Each distinct value of the grid with the mean of its places."""
    distinct, where = np.unique(values, return_inverse=True)
    counts: NDArray[np.int64] = np.bincount(where)
    return distinct, np.bincount(where, places) / counts

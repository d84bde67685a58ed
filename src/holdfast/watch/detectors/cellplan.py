"""How cells are laid out: by a sample of different people, so that honest strangers seldom share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.watch.batch import Bools, Floats, Keys
from holdfast.watch.kernels.cells import hash_columns, project
from holdfast.watch.learning import bits, own_columns

PARTS, TABLES, LINES = 8, 6, 8
FINE, COARSE = 1 + PARTS, 2 + PARTS
"""Places of the two kinds of neighbourhoods among the groups of tables."""
PART_SHARE, FINE_SHARE, COARSE_SHARE, ANCHOR_SHARE = 0.01, 0.02, 0.15, 0.08
WIDTHS = np.geomspace(0.02, 3.0, 40)


@dataclass(frozen=True, eq=False)
class CellPlan:
    """What a detector keeps to find cells again; `anchored`: the unmovable columns name a person well enough."""

    arrays: dict[str, NDArray[Any]]
    anchored: bool


def fit_cells(sample: Floats, U: Floats, contract: Contract) -> CellPlan:
    """Cells for rows like `sample` (m, k), own columns only, with ranks `U`; the same for the same sample."""
    random = np.random.default_rng([int(contract.digest.rpartition(":")[2][:12], 16), 5])
    words = bits(sample, list(range(sample.shape[1])))
    twins = _colliding(words, np.ones(sample.shape[1], np.bool_))
    members, anchored = _members(words, contract, random, twins)
    directions = random.standard_normal((TABLES, LINES, sample.shape[1]))
    offsets = random.random((TABLES, LINES))
    seeds = random.integers(1, 2**63, TABLES).astype(np.uint64)
    widths = _widths(U, directions, offsets, seeds)
    arrays = {
        "members": members,
        "part_seeds": random.integers(1, 2**63, len(members)).astype(np.uint64),
        "directions": directions,
        "offsets": offsets,
        "table_seeds": seeds,
        "widths": widths,
    }
    return CellPlan(arrays, anchored)


def _colliding(words: Keys, columns: Bools) -> float:
    """The share of rows that are not alone in their values of some columns."""
    keys = np.zeros((len(words), 1), np.uint64)
    hash_columns(words, columns[None, :], np.ones(1, np.uint64), keys)
    return shared(keys[:, 0])


def shared(keys: Keys) -> float:
    """The share of keys that occur more than once."""
    _, where, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return float((counts[where] > 1).mean())


def _members(words: Keys, contract: Contract, random: np.random.Generator, twins: float) -> tuple[Bools, bool]:
    """Which columns count (1 + PARTS, k): the unmovable ones, then small sets that still tell people apart."""
    own = own_columns(contract)
    fixed = np.array([contract.features[column].move == "never" for column in own])
    anchored = bool(fixed.any() and not fixed.all() and _colliding(words, fixed) <= twins + ANCHOR_SHARE)
    parts = [_small_set(words, random.permutation(len(own)), twins) for _ in range(PARTS)]
    return np.array([fixed, *parts]), anchored


def _small_set(words: Keys, order: NDArray[np.int64], twins: float) -> Bools:
    chosen = np.zeros(words.shape[1], np.bool_)
    for column in order:
        chosen[column] = True
        if _colliding(words, chosen) <= twins + PART_SHARE:
            break
    return chosen


def _widths(U: Floats, directions: Floats, offsets: Floats, seeds: Keys) -> Floats:
    """A fine and a coarse width: the widest at which so many people share a cell as FINE_SHARE and COARSE_SHARE say."""
    tables = 2
    crowds = np.array([_crowd(U, directions[:tables], offsets[:tables], seeds[:tables], width) for width in WIDTHS])
    base = crowds[0]
    picked = [
        WIDTHS[max(0, int(np.searchsorted(np.maximum.accumulate(crowds), base + share, side="right")) - 1)]
        for share in (FINE_SHARE, COARSE_SHARE)
    ]
    return np.array(picked)


def _crowd(U: Floats, directions: Floats, offsets: Floats, seeds: Keys, width: float) -> float:
    keys = np.zeros((len(U), len(seeds)), np.uint64)
    project(U, directions, offsets, np.array([width]), seeds, keys, 0)
    return float(np.mean([shared(keys[:, table]) for table in range(len(seeds))]))

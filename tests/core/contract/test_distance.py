"""Units and distances."""

from __future__ import annotations

import math

import numpy as np

from holdfast.core.contract import Contract
from holdfast.core.contract.distance import l1_cost, linf, moves

CONTRACT = Contract.parse("""\
version: 1
features:
  x:    {type: number, move: any, missing: true}
  flat: {type: number, move: any, cost: 3}
  code: {type: category, values: [10, 4, 6], move: any}
  text: {type: category, values: [u, v, w], move: any, cost: 2}
  twice: {type: number, derived: x * 2, missing: true}
""")
TRAIN = np.array([[-5, 7, 4, 0, -10], [15, 7, 6, 2, 30], [math.nan, 7, 10, 1, math.nan]])


def test_units_are_training_ranges_and_code_gaps() -> None:
    assert CONTRACT.scales(TRAIN).tolist() == [20, 1, 2, 1, 40]
    nothing_known = np.full((2, 5), np.nan)
    assert CONTRACT.scales(nothing_known).tolist() == [1, 1, 2, 1, 1]
    assert CONTRACT.scales(np.empty((0, 5))).tolist() == [1, 1, 2, 1, 1]
    huge = np.array([[-1.7e308, 0, 4, 0, 0], [1.7e308, 0, 4, 0, 0]])
    assert np.isfinite(CONTRACT.scales(huge)).all()


def test_distances() -> None:
    units = CONTRACT.scales(TRAIN)
    was = np.array([[1.0, 7, 4, 0, 2]] * 5)
    X = was.copy()
    X[1] = [3, 7.5, 4, 0, 6]
    X[2, 2] = 10
    X[3, 3] = 2
    X[4, 0] = math.nan
    assert moves(CONTRACT, X, was, units)[1].tolist() == [0.1, 0.5, 0, 0, 0]
    assert linf(CONTRACT, X, was, units).tolist() == [0, 0.5, 1, 1, 1]
    assert l1_cost(CONTRACT, X, was, units).tolist() == [0, 1.6, 1, 2, 1]


def test_a_value_missing_before_and_after_has_not_moved() -> None:
    row = np.array([[math.nan, 7, 4, 0, math.nan]])
    assert linf(CONTRACT, row, row, np.ones(5)).tolist() == [0]

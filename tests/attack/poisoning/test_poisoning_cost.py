"""Rows an attacker needs: a curve from a process of its own."""

from __future__ import annotations

import numpy as np
import pytest

import poisoned
from holdfast.attack.poisoning.cost import Curve, Learning, curve
from holdfast.attack.poisoning.worker import Step
from holdfast.core.errors import TargetError
from holdfast.core.learn.interface import Growth

LEARNING = Learning("xgboost-ubj", tuple(range(8)), growth=Growth(trees=20, depth=4, min_leaf=1.0))


def test_success_grows_with_the_share_and_repeats_itself() -> None:
    cells, y = poisoned.table(1200)
    found = curve(cells.X, y, poisoned.RARE, LEARNING, shares=(0.001, 0.05), repeats=1)
    assert found.success(0.001) < found.success(0.05)
    assert found.success(0.05) >= 0.8
    assert found.needed() == 45
    assert all(step.accuracy > 0.7 for step in found.steps)
    assert curve(cells.X, y, poisoned.RARE, LEARNING, shares=(0.001, 0.05), repeats=1) == found


def test_needed_is_none_where_nothing_works() -> None:
    steps = (Step(0.01, 10, 0.2, 0.9), Step(0.02, 20, 0.7, 0.9), Step(0.02, 21, 1.0, 0.9))
    assert Curve(steps).needed() == 21
    assert Curve(steps[:1]).needed() is None
    assert Curve(()).success(0.5) == 0.0


def test_a_training_that_fails_says_why() -> None:
    cells, y = poisoned.table(100)
    broken = Learning("xgboost-ubj", (0, 99))
    with pytest.raises(TargetError, match="training a poisoned model failed"):
        curve(cells.X, np.asarray(y), poisoned.RARE, broken, shares=(0.01,), repeats=1)

"""The training attack keeps the contract and the box, and only ever gains."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bank
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import linf
from holdfast.core.learn.interface import Growth
from holdfast.core.learn.learners import learner_of
from holdfast.harden.interface import Bench
from holdfast.harden.signs import moving_columns, signs
from holdfast.harden.steps import perturb

CONTRACT = Contract.parse(bank.CONTRACT)
COLUMNS = bank.rows(800, 5)
LABELS = COLUMNS["y"].astype(float)
X = CONTRACT.encode({name: values for name, values in COLUMNS.items() if name != "y"})
SCALES = CONTRACT.scales(X)
WIDTH = len(CONTRACT.names)
LEARNER = learner_of("xgboost-ubj", tuple(range(WIDTH)), CONTRACT.names)
FITTED = LEARNER.fit(X, LABELS, np.ones(800), Growth(trees=20), (0,) * WIDTH, 1)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.001, 0.3), st.sampled_from([-1.0, 1.0]), st.integers(0, 2**31))
def test_moved_rows_are_valid_inside_the_box_and_never_worse(reach: float, toward: float, seed: int) -> None:
    rows = X[:60]
    random = np.random.default_rng(seed)
    moved = perturb(FITTED, CONTRACT, rows, scales=SCALES, linf=reach, toward=toward, random=random)
    assert CONTRACT.validate(moved, rows).valid.all()
    assert (linf(CONTRACT, moved, rows, SCALES) <= reach * (1 + 1e-9)).all()
    assert (toward * FITTED.margins(moved) >= toward * FITTED.margins(rows)).all()


def test_a_wide_box_moves_many_rows_across() -> None:
    rows = X[(LABELS == 1) & (FITTED.margins(X) > 0)]
    moved = perturb(FITTED, CONTRACT, rows, scales=SCALES, linf=0.5, toward=-1.0, random=np.random.default_rng(0))
    assert (FITTED.margins(moved) < FITTED.margins(rows) - 0.05).mean() > 0.15


def bench() -> Bench:
    return Bench(CONTRACT, X, LABELS, SCALES, 1, 0.01, Growth(), LEARNER, 0)


def test_only_columns_that_move_or_follow_get_a_direction() -> None:
    named = {CONTRACT.names[column] for column in moving_columns(CONTRACT)}
    assert named == {"paid", "left"}
    assert signs(bench(), "none") == (0,) * WIDTH
    by_name = dict(zip(CONTRACT.names, signs(bench(), "data"), strict=True))
    assert {name for name, sign in by_name.items() if sign} == {"paid", "left"}
    assert by_name["left"] == 1


def test_safe_leaves_an_attacker_nothing_to_gain_from_the_one_way_he_can_push() -> None:
    by_name = dict(zip(CONTRACT.names, signs(bench(), "safe"), strict=True))
    assert by_name["paid"] == 1

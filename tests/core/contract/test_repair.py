"""Rounding and projection keep what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract

CONTRACT = Contract.parse("""\
version: 1
features:
  LIMIT:  {type: number, min: 1000, max: 9000, move: never}
  BILL:   {type: integer, min: 0, max: 9000, move: down}
  PAY1:   {type: integer, min: 0, max: 500, move: up}
  PAY2:   {type: integer, min: 0, max: 500, move: up, missing: true}
  RATE:   {type: number, min: 0, max: 2, move: any}
  KIND:   {type: category, values: [5, 1, 2], move: any}
  CHAN:   {type: category, values: [web, app], move: never}
  UTIL:   {type: number, derived: BILL / LIMIT}
  A:      {type: integer, min: 0, max: 1, move: any}
  B:      {type: integer, min: 0, max: 1, move: any}
  C:      {type: integer, min: 0, max: 1, move: never}
groups:
  - {one_hot: [A, B, C]}
relations:
  - {id: cap, rule: PAY1 + PAY2 - was(PAY1) - was(PAY2) <= 100}
  - {id: paid, rule: if BILL > 100 then PAY1 >= 1}
  - {id: util, rule: UTIL <= RATE}
""")
D = len(CONTRACT.features)


@st.composite
def possible(draw: st.DrawFn) -> list[float]:
    limit, bill = draw(st.floats(1000, 9000)), draw(st.integers(0, 1500))
    pay1 = draw(st.integers(1, 500))
    pay2 = draw(st.one_of(st.integers(0, 500).map(float), st.just(math.nan)))
    rate = min(2.0, bill / limit + draw(st.floats(0, 1)))
    kind, chan = draw(st.sampled_from([5, 1, 2])), draw(st.sampled_from([0, 1]))
    member = draw(st.integers(0, 2))
    row = [limit, bill, pay1, pay2, rate, kind, chan, bill / limit, *(float(member == i) for i in range(3))]
    return [float(cell) for cell in row]


wild = st.one_of(st.floats(-1e4, 1e4), st.just(math.nan), st.floats(0, 1), st.sampled_from([1e300, -1e300]))
anything = st.lists(wild, min_size=D, max_size=D)


def built_in(X: np.ndarray, was: np.ndarray | None) -> set[str]:
    """What is broken apart from relations."""
    relations = {constraint.id for constraint in CONTRACT.constraints}
    return {item.constraint_id for item in CONTRACT.validate(X, was).broken} - relations


@settings(max_examples=150, deadline=None)
@given(anything, possible())
def test_a_rounded_move_breaks_nothing_but_relations(row: list[float], before: list[float]) -> None:
    X, was = np.array([row]), np.array([before])
    assume(CONTRACT.validate(was).all)
    rounded = CONTRACT.round(X, was)
    assert built_in(rounded, was) == set()
    np.testing.assert_array_equal(CONTRACT.round(rounded, was), rounded)


@settings(max_examples=100, deadline=None)
@given(anything)
def test_rounding_without_a_row_before_leaves_only_missing_values(row: list[float]) -> None:
    X = np.array([row])
    rounded = CONTRACT.round(X)
    assert all(name.endswith(".missing") for name in built_in(rounded, None) - {"UTIL.derived"})
    np.testing.assert_array_equal(CONTRACT.round(rounded), rounded)


@settings(max_examples=100, deadline=None)
@given(possible())
def test_a_valid_row_is_left_alone(row: list[float]) -> None:
    X = np.array([row])
    assume(CONTRACT.validate(X).all)
    np.testing.assert_array_equal(CONTRACT.round(X, X), X)
    projected = CONTRACT.project(X, X)
    np.testing.assert_array_equal(projected.X, X)
    assert projected.valid.all()


@settings(max_examples=100, deadline=None)
@given(anything, possible())
def test_a_projected_row_is_valid_as_marked(row: list[float], before: list[float]) -> None:
    X, was = np.array([row]), np.array([before])
    assume(CONTRACT.validate(was).all)
    found = CONTRACT.project(X, was)
    assert found.valid.tolist() == CONTRACT.validate(found.X, was).valid.tolist() == [True]


def move(before: list[float], **cells: float) -> np.ndarray:
    return np.array([list((dict(zip(CONTRACT.names, before, strict=True)) | cells).values())])


BEFORE = [2000.0, 150, 10, 20, 0.5, 5, 0, 0.075, 1, 0, 0]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"PAY1": 10.4}, {"PAY1": 10}),
        ({"PAY1": 10.6}, {"PAY1": 11}),
        ({"PAY1": 3}, {"PAY1": 10}),
        ({"PAY1": 900}, {"PAY1": 500}),
        ({"PAY2": math.nan}, {"PAY2": 20}),
        ({"BILL": 99.6}, {"BILL": 100, "UTIL": 0.05}),
        ({"BILL": 151}, {"BILL": 150}),
        ({"LIMIT": 3000}, {"LIMIT": 2000}),
        ({"KIND": 3}, {"KIND": 2}),
        ({"KIND": 3.6}, {"KIND": 5}),
        ({"KIND": -8}, {"KIND": 1}),
        ({"CHAN": 1}, {"CHAN": 0}),
        ({"UTIL": 9}, {}),
        ({"A": 0.4, "B": 0.6}, {"A": 0, "B": 1}),
        ({"A": 0.5, "B": 0.5}, {}),
        ({"A": 0, "C": 1}, {}),
        ({"A": 0, "B": 0.1, "C": 1}, {"A": 0, "B": 1}),
        ({"RATE": 2.5}, {"RATE": 2}),
    ],
)
def test_rounding_one_move(wanted: dict[str, float], expected: dict[str, float]) -> None:
    was = np.array([BEFORE])
    np.testing.assert_array_equal(CONTRACT.round(move(BEFORE, **wanted), was), move(BEFORE, **expected))


def test_projection_stays_near_the_row_that_was_wanted() -> None:
    was, wanted = np.array([BEFORE]), move(BEFORE, PAY1=100.3, PAY2=80.2)
    found = CONTRACT.project(wanted, was)
    assert found.valid.all()
    paid = found.X[0, 2:4]
    assert paid.sum() - 30 == 100
    assert abs(paid - [75.05, 54.95]).max() <= 1


def test_projection_follows_derived_columns() -> None:
    was = np.array([BEFORE])
    found = CONTRACT.project(move(BEFORE, RATE=0.05), was)
    assert found.valid.all()
    assert found.X[0, 7] <= found.X[0, 4]
    assert found.X[0, 1] < 150 or found.X[0, 4] > 0.05


def test_a_row_that_cannot_be_mended_is_marked() -> None:
    subject = Contract.parse(
        "version: 1\nfeatures: {a: {type: number, move: never}}\nrelations: [{id: r, rule: a >= 1}]"
    )
    found = subject.project(np.zeros((2, 1)), np.array([[0.0], [2.0]]))
    assert found.valid.tolist() == [False, True]
    assert found.X.tolist() == [[0.0], [2.0]]


def test_an_equality_between_integers_is_met_exactly() -> None:
    subject = Contract.parse("""\
version: 1
features:
  a: {type: integer, min: 0, max: 100, move: any}
  b: {type: integer, min: 0, max: 100, move: any}
  c: {type: integer, min: 0, max: 200, move: any}
relations: [{id: total, rule: a + b == c}]
""")
    was = np.array([[10.0, 20, 30]] * 3)
    X = np.array([[11.4, 20.4, 30.4], [10, 20, 45.5], [99, 99, 0]])
    found = subject.project(X, was, np.array([100.0, 100, 200]))
    assert found.valid.all()
    assert (found.X[:, 0] + found.X[:, 1] == found.X[:, 2]).all()
    assert np.abs(found.X[:2] - X[:2]).max() <= 16


def test_a_strict_order_between_integers_takes_a_whole_step() -> None:
    subject = Contract.parse("""\
version: 1
features:
  a: {type: integer, min: 0, max: 9, move: any}
  b: {type: integer, min: 0, max: 9, move: never}
relations: [{id: less, rule: a < b}]
""")
    found = subject.project(np.array([[7.0, 5.0], [5.0, 5.0]]), np.array([[1.0, 5.0], [2.0, 5.0]]))
    assert found.X.tolist() == [[4, 5], [4, 5]]


def test_ratio_relations_are_mended() -> None:
    subject = Contract.parse("""\
version: 1
features:
  a: {type: number, min: 0, max: 100, move: any}
  b: {type: number, min: 1, max: 100, move: any}
relations: [{id: ratio, rule: a / b <= 2}]
""")
    found = subject.project(np.array([[50.0, 10.0]]), np.array([[1.0, 10.0]]))
    assert found.valid.all()
    a, b = found.X[0]
    assert a / b == pytest.approx(2, rel=1e-6)
    assert math.hypot(a - 50, b - 10) < 18

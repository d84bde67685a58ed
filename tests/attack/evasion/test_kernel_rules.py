"""The contract inside kernels says what Contract.validate says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import forest, target_of
from holdfast.attack import Goal
from holdfast.attack.evasion.kernels import rules
from holdfast.attack.evasion.kernels.jit import entry, ints, reals
from holdfast.attack.evasion.kernels.rules import assign, changes_hold, row_cost, row_distance, solve
from holdfast.attack.evasion.kernels.state import Arena, State
from holdfast.attack.evasion.search import Plan
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import l1_cost, linf

HEAD = """
version: 1
features:
  a: {type: integer, min: -3, max: 6, move: any, cost: 2.0, missing: true}
  b: {type: number, min: -3, max: 6, move: up}
  c: {type: integer, min: -3, max: 6, move: down}
  d: {type: category, values: [0, 1, 4], move: any, cost: 0.5}
  r: {type: number, derived: a / b}
  t: {type: number, derived: r + 2 * c}
relations:
"""
RULES = (
    "a + b <= 4",
    "2 * a - c > -3",
    "a * b >= c",
    "a / b < 3",
    "if a > 0 then b >= 1",
    "if d == 4 and c != 0 then a <= 2",
    "a + c - was(a) - was(c) == 0",
    "a + c == 2",
    "b >= was(b) * 0.5",
    "r <= 2",
    "t != 0",
    "c != a",
    "if r > 1 then c < b",
)
SCALES = np.array([9.0, 9.0, 9.0, 1.0, 1.0, 1.0])


@entry
def put_and_judge(s: State) -> int:
    """1 if the row in `best`, put in place of `was`, keeps all that the kernels check."""
    for column in range(s.n_columns):
        reals(s.x)[column] = reals(s.was)[column]
    s.n_changes = 0
    for column in range(s.n_columns):
        if ints(s.derived)[column] == 0:
            assign(s, column, reals(s.best)[column])
    return 1 if changes_hold(s) else 0


@entry
def solved(s: State, row: int, column: int, wanted: int) -> float:
    return solve(s, row, column, wanted)


@entry
def measures(s: State) -> None:
    reals(s.out)[0] = row_distance(s)
    reals(s.out_ahead)[0] = row_cost(s)


def arena_for(text: str, scales: np.ndarray = SCALES) -> tuple[Contract, Arena]:
    contract = Contract.parse(text)
    width = len(contract.features)
    ensemble = forest(np.random.default_rng(0), [[0.5]] * width)
    return contract, Plan(target_of(ensemble, contract), Goal(to=0), contract, scales).arena


@st.composite
def rows(draw: st.DrawFn) -> list[float]:
    whole = st.integers(-3, 6).map(float)
    half = st.integers(-6, 12).map(lambda n: n / 2)
    return [draw(st.one_of(whole, st.just(np.nan))), draw(half), draw(whole), draw(st.sampled_from([0.0, 1.0, 4.0]))]


@settings(max_examples=120, deadline=None)
@given(picked=st.sets(st.integers(0, len(RULES) - 1), min_size=1, max_size=3), before=rows(), now=rows())
def test_kernels_and_the_contract_agree(picked: set[int], before: list[float], now: list[float]) -> None:
    text = HEAD + "".join(f'  - {{id: rule{i}, rule: "{RULES[i]}"}}\n' for i in sorted(picked))
    contract, arena = arena_for(text)
    was = contract.derive(np.array([[*before, 0.0, 0.0]]))
    x = contract.derive(np.array([[*now, 0.0, 0.0]]))
    arena.arrays["was"][:], arena.arrays["best"][:] = was[0], x[0]
    judged = bool(put_and_judge(arena.state))
    np.testing.assert_allclose(arena.arrays["x"], x[0], rtol=1e-12)
    broken = {item.constraint_id for item in contract.validate(x, was).broken}
    # Derived columns without a declared `missing` may not go missing; kernels and contract agree on that as well.
    assert judged == (not broken), broken


@settings(max_examples=60, deadline=None)
@given(before=rows(), now=rows())
def test_distances_and_costs_are_the_contracts(before: list[float], now: list[float]) -> None:
    contract, arena = arena_for(HEAD.replace("relations:", ""))
    was = contract.derive(np.array([[*before, 0.0, 0.0]]))
    x = contract.derive(np.array([[*now, 0.0, 0.0]]))
    arena.arrays["was"][:], arena.arrays["x"][:] = was[0], x[0]
    measures(arena.state)
    assert np.isclose(arena.arrays["out"][0], linf(contract, x, was, SCALES)[0])
    assert np.isclose(arena.arrays["out_ahead"][0], l1_cost(contract, x, was, SCALES)[0])


@pytest.mark.parametrize(
    ("rule", "column", "wanted", "expected"),
    [
        ("a + c == 5", 0, rules.TRUE, 3.0),
        ("2 * a <= 7", 0, rules.TRUE, 3.0),
        ("2 * a + c > 7", 0, rules.TRUE, 4.0),
        ("b * c == 3", 1, rules.TRUE, 1.5),
        ("c / b <= 0.5", 1, rules.TRUE, 4.0),
        ("a >= 5", 0, rules.FALSE, 4.0),
    ],
)
def test_a_row_is_solved_towards_the_old_value(rule: str, column: int, wanted: int, expected: float) -> None:
    _, arena = arena_for(HEAD + f'  - {{id: rule, rule: "{rule}"}}\n')
    arena.arrays["was"][:] = arena.arrays["x"][:] = [6.0, 0.5, 2.0, 0.0, 12.0, 16.0]
    assert np.isclose(solved(arena.state, 0, column, wanted), expected)

"""Splitting a box ends with a row that arrives or with a proof, and enumeration agrees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import forest, target_of
from holdfast.attack import Goal
from holdfast.attack.evasion.kernels.branch import ARRIVED, NONE, UNSURE, settle
from holdfast.attack.evasion.kernels.forest import outputs
from holdfast.attack.evasion.kernels.jit import entry, reals
from holdfast.attack.evasion.kernels.row import begin, gap
from holdfast.attack.evasion.kernels.state import Arena, State
from holdfast.attack.evasion.search import Plan
from holdfast.core.contract import Contract

CONTRACT = Contract.parse(
    """
    version: 1
    features:
      a: {type: integer, min: 0, max: 9, move: any, missing: true}
      b: {type: number, min: 0, max: 9, move: any, missing: true}
      c: {type: category, values: [0, 1, 2, 3], move: any, missing: true}
      d: {type: integer, min: 0, max: 9, move: up}
    """
)
CUTS = [np.arange(1.0, 9.0), np.arange(0.5, 9.0), [0.5], np.arange(1.0, 9.0)]


@entry
def begin_and_settle(s: State, radius: float) -> int:
    if not begin(s):
        return -1
    s.forks = 0
    return settle(s, radius)


@entry
def gap_here(s: State) -> float:
    outputs(s, reals(s.out_ahead))
    return gap(s, reals(s.out_ahead))


def arena_of(seed: int, classes: int, vector: bool) -> Arena:
    rng = np.random.default_rng(seed)
    ensemble = forest(rng, CUTS, trees=9, depth=4, outputs=classes, vector=vector, codes={2: 4})
    plan = Plan(target_of(ensemble, CONTRACT), Goal(to=0), CONTRACT, np.full(4, 9.0))
    plan.begin()
    row = np.array([rng.integers(10), rng.random() * 9, rng.integers(4), rng.integers(10)], np.float64)
    row[:3] = np.where(rng.random(3) < 0.2, np.nan, row[:3])
    plan.arena.arrays["was"][:] = row
    return plan.arena


def largest_gap(arena: Arena, radius: float) -> float:
    """Over all combinations of bins in the box."""
    arrays = arena.arrays
    start, size, far = arrays["start"], arrays["size"], arrays["far"]
    reach = [np.flatnonzero(far[start[c] : start[c] + size[c] + 1] <= radius) for c in range(4)]
    best = -np.inf
    for bins in itertools.islice(itertools.product(*reach), 20_000):
        arrays["bins"][:] = bins
        best = max(best, gap_here(arena.state))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(1, False), (3, False), (3, True)]), st.sampled_from([0.12, 0.25, 1.0]))
def test_a_box_is_settled_as_enumeration_settles_it(seed: int, shape: tuple[int, bool], radius: float) -> None:
    arena = arena_of(seed, *shape)
    arena.set(fork_limit=100_000, limit=10**9)
    answer = begin_and_settle(arena.state, radius)
    assert answer in (ARRIVED, NONE)
    assert answer == (ARRIVED if largest_gap(arena, radius) > arena.get("aim_guard") else NONE)


def test_few_parts_leave_a_box_unsure() -> None:
    answers = []
    for seed in range(30):
        arena = arena_of(seed, 1, False)
        arena.set(fork_limit=1, limit=10**9)
        answers.append(begin_and_settle(arena.state, 1.0))
    assert UNSURE in answers


@pytest.mark.parametrize("shape", [(1, False), (3, True)])
def test_an_arrival_is_one(shape: tuple[int, bool]) -> None:
    seen = 0
    for seed in range(20):
        arena = arena_of(seed, *shape)
        arena.set(fork_limit=1000, limit=10**9)
        if begin_and_settle(arena.state, 0.5) == ARRIVED:
            assert gap_here(arena.state) > 0
            seen += 1
    assert seen > 5

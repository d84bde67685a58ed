"""One pass over the trees says what every single change does: compared with making each change."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import forest, target_of
from holdfast.attack import Goal
from holdfast.attack.evasion.kernels.bound import best_case
from holdfast.attack.evasion.kernels.forest import outputs, profile
from holdfast.attack.evasion.kernels.jit import entry, reals
from holdfast.attack.evasion.kernels.reach import open_reach
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
def start_and_profile(s: State, radius: float) -> None:
    begin(s)
    open_reach(s, radius)
    profile(s, reals(s.out), reals(s.delta))


@entry
def outputs_of_bins(s: State) -> None:
    outputs(s, reals(s.out_ahead))


@entry
def bound_and_best(s: State, radius: float) -> float:
    open_reach(s, radius)
    return best_case(s)


@entry
def gap_of_bins(s: State) -> float:
    outputs(s, reals(s.out_ahead))
    return gap(s, reals(s.out_ahead))


def arena_of(seed: int, outputs_: int, vector: bool, scales: float = 9.0) -> tuple[Arena, np.random.Generator]:
    rng = np.random.default_rng(seed)
    ensemble = forest(rng, CUTS, trees=8, depth=5, outputs=outputs_, vector=vector, codes={2: 4})
    plan = Plan(target_of(ensemble, CONTRACT), Goal(to=0), CONTRACT, np.full(4, scales))
    row = np.array([rng.integers(10), rng.random() * 9, rng.integers(4), rng.integers(10)], np.float64)
    row[:3] = np.where(rng.random(3) < 0.2, np.nan, row[:3])
    plan.arena.arrays["was"][:] = row
    return plan.arena, rng


def after(arena: Arena, column: int, place: int) -> np.ndarray:
    """The outputs once one column is in another bin."""
    bins = arena.arrays["bins"]
    before = bins[column]
    bins[column] = place
    outputs_of_bins(arena.state)
    bins[column] = before
    return arena.arrays["out_ahead"].copy()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([(1, False), (3, False), (3, True)]), st.sampled_from([0.12, 0.4, np.inf])
)
def test_every_single_change_is_foreseen_exactly(seed: int, shape: tuple[int, bool], radius: float) -> None:
    arena, _ = arena_of(seed, *shape)
    start_and_profile(arena.state, radius)
    arrays = arena.arrays
    out, slots = arrays["out"].copy(), arrays["far"].size
    delta = arrays["delta"].reshape(-1, slots)
    checked = 0
    for column in range(4):
        for place in range(int(arrays["size"][column]) + 1):
            slot = int(arrays["start"][column]) + place
            if arrays["far"][slot] <= radius:
                np.testing.assert_allclose(out + delta[:, slot], after(arena, column, place), atol=1e-12)
                checked += 1
    assert checked >= 4


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([(1, False), (3, False), (3, True)]), st.sampled_from([0.12, 0.4, np.inf])
)
def test_no_row_in_a_box_beats_its_bound(seed: int, shape: tuple[int, bool], radius: float) -> None:
    arena, rng = arena_of(seed, *shape)
    start_and_profile(arena.state, radius)
    bound = bound_and_best(arena.state, radius)
    arrays = arena.arrays
    start, size, far = arrays["start"], arrays["size"], arrays["far"]
    reachable = [np.flatnonzero(far[start[c] : start[c] + size[c] + 1] <= radius) for c in range(4)]
    for _ in range(200):
        arrays["bins"][:] = [rng.choice(places) for places in reachable]
        assert gap_of_bins(arena.state) <= bound + 1e-12


def test_a_box_of_one_row_is_bounded_by_that_row() -> None:
    arena, _ = arena_of(7, 1, False)
    start_and_profile(arena.state, 0.0)
    assert np.isclose(bound_and_best(arena.state, 0.0), gap_of_bins(arena.state), atol=1e-12)

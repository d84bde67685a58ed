"""Settling by prices alone: its floors and its proofs against exhaustive enumeration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import every_row
from grids import ALL, CROOKED, GRID, RELATIONS, SCALES, cases, least, written
from holdfast.attack import Budget
from holdfast.attack.evasion.exact import price_kernels as kernels
from holdfast.attack.evasion.exact.box import Box, nearer
from holdfast.attack.evasion.exact.exact import Answer, Closing
from holdfast.attack.evasion.exact.ground import Floats, Ground, Place
from holdfast.attack.evasion.exact.prices import Prices
from holdfast.attack.evasion.exact.settling import Settling
from holdfast.attack.interface import Norm

MISSING = GRID.replace("move: any, cost: 2", "move: any, missing: true")


def settled(ground: Ground, row: Floats, distance: float = np.inf, limit: int = 20_000_000) -> Answer:
    """What settling alone knows of a row, told of a distance without a row."""
    answer = Answer(row.copy(), distance, 0.0)
    closing = Closing(ground, row, answer, Budget())
    Settling(closing.place, answer, closing._offer, limit, None).run()
    return answer


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(RELATIONS)), st.integers(2, 20), st.sampled_from([2, 4]))
def test_floors_are_true_whatever_the_relations(seed: int, kind: str, trees: int, depth: int) -> None:
    contract = written(RELATIONS[kind])
    target, rows, goal = cases(contract, seed, 3, trees=trees, depth=depth, codes={3: 3})
    ground = Ground.of(target, goal, contract, SCALES)
    for row in rows:
        answer, true = settled(ground, row), least(ground, ALL, row)
        assert answer.floor <= true
        assert answer.distance >= true


@pytest.mark.parametrize("kind", ["none", "budget", "order", "two sums"])
def test_without_conditions_it_ends_at_the_minimum(kind: str) -> None:
    contract = written(RELATIONS[kind])
    closed = []
    for seed in range(6):
        target, rows, goal = cases(contract, seed, 5, trees=15, depth=4, codes={3: 3})
        ground = Ground.of(target, goal, contract, SCALES)
        for row in rows:
            answer, true = settled(ground, row), least(ground, ALL, row)
            closed.append(answer.closed)
            if answer.closed:
                assert answer.distance == pytest.approx(true, rel=1e-9)
    assert np.mean(closed) >= (1.0 if kind == "none" else 0.7)


def test_a_distance_that_is_the_minimum_is_proven_and_a_greater_one_is_not() -> None:
    contract = written([])
    target, rows, goal = cases(contract, 3, 8, trees=20, depth=4)
    ground = Ground.of(target, goal, contract, SCALES)
    for row in rows:
        true = least(ground, ALL, row)
        place = Place.of(ground, row)
        for radius, answer in ((true, kernels.NONE), (true * (1 + 1e-9) + 1e-12, kernels.ARRIVED)):
            if np.isfinite(true):
                prices = Prices.of(Box.of(place, nearer(place, Norm.LINF, radius)))
                assert prices is not None
                assert prices.search(1 << 40) == answer


def test_a_limit_leaves_a_true_floor() -> None:
    contract = written(RELATIONS["budget"])
    target, rows, goal = cases(contract, 2, 8, trees=40, depth=5)
    ground = Ground.of(target, goal, contract, SCALES)
    for row in rows:
        true = least(ground, ALL, row)
        for limit in (1, 1_000, 20_000):
            assert settled(ground, row, distance=1.0, limit=limit).floor <= min(true, 1.0)


def test_missing_values_and_sets_are_intervals_too() -> None:
    everything = every_row([[*range(7), np.nan], range(7), range(7), range(3)])
    contract = written([], MISSING)
    for seed in range(5):
        target, rows, goal = cases(contract, seed, 5, everything, trees=10, codes={3: 3})
        ground = Ground.of(target, goal, contract, SCALES)
        for row in rows:
            answer = settled(ground, row)
            assert answer.closed
            assert answer.distance == pytest.approx(least(ground, everything, row), rel=1e-9)


@pytest.mark.parametrize("kind", CROOKED)
def test_what_is_not_linear_never_raises_a_floor(kind: str) -> None:
    contract = written(CROOKED[kind])
    for seed in range(4):
        target, rows, goal = cases(contract, seed, 4, trees=10)
        ground = Ground.of(target, goal, contract, SCALES)
        for row in rows:
            assert settled(ground, row).floor <= least(ground, ALL, row)


def test_several_rivals_are_left_to_the_program() -> None:
    contract = written([])
    target, rows, goal = cases(contract, 11, 2, trees=9, outputs=3)
    ground = Ground.of(target, replace(goal, to=0), contract, SCALES)
    place = Place.of(ground, rows[0])
    assert Prices.of(Box.of(place, nearer(place, Norm.LINF, np.inf))) is None

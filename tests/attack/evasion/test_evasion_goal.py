"""A goal on probabilities is the same goal on raw outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forests import forest
from holdfast.attack import Goal
from holdfast.attack.evasion.goal import compile_goal, reached
from holdfast.core.domain.model import Harm, Task
from holdfast.core.errors import UsageError
from holdfast.core.formats.margins import link
from holdfast.core.formats.trees import Link, TreeEnsemble

CUTS = [[0.5]]


def ensemble(kind: Link, outputs: int, **changes: object) -> TreeEnsemble:
    made = forest(np.random.default_rng(0), CUTS, outputs=outputs, vector=outputs > 1)
    return replace(made, link=kind, **changes)  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(
    shape=st.sampled_from([(Link.SIGMOID, 1), (Link.SOFTMAX, 2), (Link.MEAN, 2)]),
    to=st.integers(0, 1),
    positive=st.integers(0, 1),
    threshold=st.sampled_from([0.1, 0.5, 0.9]),
    seed=st.integers(0, 1000),
)
def test_two_classes_decide_at_the_threshold(
    shape: tuple[Link, int], to: int, positive: int, threshold: float, seed: int
) -> None:
    model = ensemble(*shape, n_classes=2)
    raw = np.random.default_rng(seed).normal(size=(50, shape[1])) * 3
    if shape[0] is Link.MEAN:
        raw = np.abs(raw) / np.abs(raw).sum(axis=1, keepdims=True)
    decided = link(model, raw)[:, positive] >= threshold
    wanted = decided if to == positive else ~decided
    np.testing.assert_array_equal(reached(compile_goal(model, Goal(to, positive, threshold)), raw), wanted)


def test_a_slope_moves_the_level() -> None:
    model = ensemble(Link.SIGMOID, 1, slope=2.0)
    assert np.isclose(compile_goal(model, Goal(0, threshold=0.8)).level, np.log(4) / 2)


def test_many_classes_go_to_the_most_probable() -> None:
    model = ensemble(Link.SOFTMAX, 4)
    raw = np.random.default_rng(1).normal(size=(100, 4))
    np.testing.assert_array_equal(reached(compile_goal(model, Goal(2)), raw), raw.argmax(axis=1) == 2)


def test_a_tie_is_no_arrival() -> None:
    model = ensemble(Link.SOFTMAX, 3)
    assert not reached(compile_goal(model, Goal(1)), np.array([[0.0, 1.0, 1.0]])).any()


def test_float32_sums_ask_for_more_room_than_float64_ones() -> None:
    narrow = ensemble(Link.SIGMOID, 1, sum_dtype="float32")
    wide = replace(narrow, sum_dtype="float64")
    assert compile_goal(narrow, Goal(0)).guard > 1e6 * compile_goal(wide, Goal(0)).guard > 0


def test_the_harm_of_a_task_is_a_goal() -> None:
    assert Goal.of(Task("binary", positive=1, harm=Harm(1, 0), threshold=0.3)) == Goal(0, 1, 0.3)


@pytest.mark.parametrize(
    ("model", "goal"),
    [
        (ensemble(Link.IDENTITY, 1, n_classes=0), Goal(0)),
        (ensemble(Link.SIGMOID, 1), Goal(2)),
        (ensemble(Link.SIGMOID, 1), Goal(-1)),
        (ensemble(Link.SIGMOID, 1), Goal(0, positive=5)),
        (ensemble(Link.SIGMOID, 1), Goal(0, threshold=1.0)),
        (ensemble(Link.SIGMOID, 1), Goal(0, threshold=float("nan"))),
    ],
)
def test_a_goal_the_model_does_not_have_is_refused(model: TreeEnsemble, goal: Goal) -> None:
    with pytest.raises(UsageError) as caught:
        compile_goal(model, goal)
    assert caught.value.code == "HF-ATK-003"

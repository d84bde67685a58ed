"""Plans, what they are tried on, and the search over them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import bank
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import linf
from holdfast.core.learn.interface import Growth
from holdfast.core.learn.learners import learner_of
from holdfast.harden.corner import worst_corner
from holdfast.harden.frontier import STARTS, Frontier
from holdfast.harden.interface import RECIPES, Bench
from holdfast.harden.plan import Plan, train
from holdfast.harden.rounds import crossing
from holdfast.harden.signs import signs
from holdfast.harden.study import Outcome, Study

CONTRACT = Contract.parse(bank.CONTRACT)
COLUMNS = bank.rows(800, 5)
LABELS = COLUMNS["y"].astype(float)
X = CONTRACT.encode({name: values for name, values in COLUMNS.items() if name != "y"})
SCALES = CONTRACT.scales(X)
WIDTH = len(CONTRACT.names)
LEARNER = learner_of("xgboost-ubj", tuple(range(WIDTH)), CONTRACT.names)
SMALL = Growth(trees=15, depth=3, monotone="data")
BENCH = Bench(
    CONTRACT, X, LABELS, SCALES, 1, 0.01, Growth(trees=20), LEARNER, 3, tuple(range(WIDTH)), 0.3, 0.05, trials=3
)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.001, 0.2), st.sampled_from([-1.0, 1.0]))
def test_a_corner_is_inside_the_box_and_the_worst_of_it(reach: float, toward: float) -> None:
    directions = signs(BENCH, "data")
    corner = worst_corner(CONTRACT, X, SCALES, reach, directions, toward)
    assert (linf(CONTRACT, corner, X, SCALES) <= reach * (1 + 1e-6)).all()
    paid = CONTRACT.index("paid")
    moved = corner[:, paid] - X[:, paid]
    # Fewer payments would look worse, but they only rise: towards the score they cannot be moved.
    assert (moved >= 0).all()
    assert (moved == np.trunc(moved)).all()
    assert (corner[:, CONTRACT.index("left")] == corner[:, CONTRACT.index("spent")] - corner[:, paid]).all()


def test_copies_cross_inside_the_reach() -> None:
    fitted = train(BENCH, Plan(SMALL))
    copies = crossing(BENCH, fitted, 0.05, 60, 0)
    assert len(copies) > 3
    level = np.sort(fitted.margins(X))[::-1][round(0.3 * len(X))]
    assert (fitted.margins(copies) < level + 0.05).all()


def test_a_protected_plan_holds_more_and_the_same_plan_gives_the_same_model() -> None:
    bench = replace(BENCH, linf=0.03)
    study = Study(bench)
    rough = study.trial(Plan(Growth(trees=40, depth=6, min_leaf=1)))
    plan = Plan(SMALL, guard=1.5, copies=0.3, corner=0.5)
    safe = study.trial(plan)
    assert safe.held > rough.held
    assert study.trial(plan) == safe
    assert train(bench, plan).save() == train(bench, plan).save()


def test_what_is_left_out_is_not_recorded() -> None:
    assert not {"guard", "care", "corner", "copies", "reach"} & set(Plan(SMALL).params)
    assert Plan(SMALL, copies=0.3).params["reach"] == 1.5


def explored(seed: int) -> Frontier:
    """A made-up landscape: guards hold, depth ranks."""
    frontier = Frontier(0.7, seed)
    for plan in islice(frontier.proposals(), 60):
        held = 0.1 * plan.guard + 0.1 * plan.copies - 0.01 * plan.growth.depth
        frontier.learn(plan, Outcome(0.76 - 0.012 * plan.guard + 0.003 * plan.growth.depth, held))
    return frontier


def test_the_search_finds_what_the_landscape_hides_and_keeps_to_the_cost() -> None:
    frontier = explored(1)
    best = frontier.best()
    assert best is not None
    assert frontier.tried[best].auc >= 0.7
    starts = max(frontier.tried[plan].held for plan in STARTS if frontier.tried[plan].auc >= 0.7)
    assert frontier.tried[best].held > starts + 0.05
    assert len(frontier.tried) == 60
    helds = [frontier.tried[plan].held for plan in frontier.front()]
    assert helds == sorted(helds, reverse=True)
    assert [frontier.tried[plan].auc for plan in frontier.front()] == sorted(
        frontier.tried[plan].auc for plan in frontier.front()
    )


def test_the_same_seed_tries_the_same_plans() -> None:
    assert list(explored(4).tried) == list(explored(4).tried)
    assert list(explored(4).tried) != list(explored(5).tried)


def test_where_nothing_ranks_well_enough_the_best_ranking_stands() -> None:
    frontier = Frontier(0.9, 0)
    frontier.learn(STARTS[0], Outcome(0.8, 0.3))
    frontier.learn(STARTS[1], Outcome(0.7, 0.5))
    assert frontier.best() is STARTS[0]


def test_exploring_gives_candidates_and_says_what_it_tries() -> None:
    said: list[str] = []
    drafts = list(RECIPES.get("explore").make(replace(BENCH, tell=said.append)))
    assert len(said) == 3
    assert said[0].startswith("trial 1 of 3: best so far holds")
    assert 1 <= len(drafts) <= 4
    assert len({str(draft.params) for draft in drafts}) == len(drafts)

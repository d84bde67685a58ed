"""A search over plans: each next one is a change of what proved best so far, on training rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holdfast.harden.frontier import STARTS, Frontier
from holdfast.harden.interface import Bench, Draft, recipe
from holdfast.harden.plan import Plan, draft
from holdfast.harden.study import Outcome, Study

EVERY = 6
"""After so many trials the best plan so far is trained on all rows: time may be over at any moment."""
LAST = 4
"""Plans of the final front that are trained beside."""
FEW_ROWS = 5_000
SMALL_LEAF = 5.0
CAUTION = 0.75
"""The part of the AUC that may be lost which a plan may lose in a trial: other rows will be a little less kind."""


@recipe(id="explore", version=1)
def explore(bench: Bench) -> Iterator[Draft]:
    """A good plan at once, the best after every few trials, then what else stands on the front."""
    starts = _starts(len(bench.y))
    yield draft(bench, starts[0])
    study = Study(bench)
    if not study.usable:
        return
    plain = study.trial(Plan(bench.original))
    frontier = Frontier(plain.auc - CAUTION * bench.may_cost, bench.seed, starts)
    given = {starts[0]}
    for number, plan in enumerate(frontier.proposals(), 1):
        frontier.learn(plan, study.trial(plan))
        bench.tell(_words(number, bench.trials, frontier, plain))
        best = frontier.best()
        if best is not None and best not in given and (number % EVERY == 0 or number == bench.trials):
            given.add(best)
            yield draft(bench, best)
        if number >= bench.trials:
            break
    for plan in _others(frontier, given):
        yield draft(bench, plan)


def _starts(rows: int) -> tuple[Plan, ...]:
    """Of few rows, leaves may hold few."""
    if rows >= FEW_ROWS:
        return STARTS
    return tuple(replace(plan, growth=replace(plan.growth, min_leaf=SMALL_LEAF)) for plan in STARTS)


def _others(frontier: Frontier, given: set[Plan]) -> list[Plan]:
    """Of the rest of the front, a few from end to end."""
    rest = [plan for plan in frontier.front() if plan not in given]
    step = max(1, -(-len(rest) // LAST))
    return rest[::step]


def _words(number: int, trials: int, frontier: Frontier, plain: Outcome) -> str:
    best = frontier.best()
    assert best is not None, "one was just tried"
    one = frontier.tried[best]
    return (
        f"trial {number} of {trials}: best so far holds {one.held:.3f} of cases (plain {plain.held:.3f}), "
        f"AUC {one.auc - plain.auc:+.4f}"
    )

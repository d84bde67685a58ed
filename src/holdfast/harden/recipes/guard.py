"""Cuts that stand apart and clear of the cases: a box can hardly cross one, and little is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holdfast.harden.frontier import TREES
from holdfast.harden.interface import Bench, Draft, recipe
from holdfast.harden.plan import Plan, draft

PLANS = (
    Plan(TREES, guard=2.0),
    Plan(TREES, guard=2.0, care=1.0),
    Plan(replace(TREES, depth=6, min_leaf=5), guard=3.0),
)


@recipe(id="guard", version=1)
def guard(bench: Bench) -> Iterator[Draft]:
    """One candidate per distance and care."""
    for plan in PLANS:
        yield draft(bench, plan)

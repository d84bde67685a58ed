"""Trees with directions, taught in rounds by what the tree search moves across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from holdfast.harden.frontier import TREES
from holdfast.harden.interface import Bench, Draft, recipe
from holdfast.harden.plan import Plan, draft

DIRECTED = replace(TREES, monotone="data")
PLANS = (Plan(DIRECTED, copies=0.3), Plan(DIRECTED, corner=0.5), Plan(DIRECTED, corner=0.5, copies=0.1))


@recipe(id="rounds", version=1)
def rounds(bench: Bench) -> Iterator[Draft]:
    """Moved copies, worst corners, and both."""
    for plan in PLANS:
        yield draft(bench, plan)

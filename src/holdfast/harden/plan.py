"""One way to train a candidate, in numbers: what a search over recipes changes, and what is recorded of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holdfast.core.learn.interface import Fitted, Growth
from holdfast.harden.corner import worst_corner
from holdfast.harden.cuts import guard_of, guarded
from holdfast.harden.interface import Bench, Draft
from holdfast.harden.rounds import crossing
from holdfast.harden.signs import signs

Floats = NDArray[np.float64]
ROUNDS = 3
ATTACKED = 250
"""Caught cases attacked in each round."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Trees, and up to three protections; a protection of 0 is left out.

    `guard` and `reach` are in boxes: how far cuts keep apart, and how far cases are pushed or moved in training.
    `care`: see `cuts.guard_of`. `corner` is the share of a case's weight that stands in the worst corner, `copies` what
    all copies that the search moved weigh together, as a share of all cases.
    """

    growth: Growth
    guard: float = 0.0
    care: float = 0.5
    corner: float = 0.0
    copies: float = 0.0
    reach: float = 1.5

    @property
    def params(self) -> dict[str, float | str]:
        """Plain values, what is left out left out."""
        found: dict[str, float | str] = asdict(self.growth)
        if self.guard:
            found |= {"guard": self.guard, "care": self.care}
        found |= {name: value for name in ("corner", "copies") if (value := getattr(self, name))}
        return found | ({"reach": self.reach} if self.corner or self.copies else {})


def draft(bench: Bench, plan: Plan) -> Draft:
    """Train a plan on all rows of the bench."""
    return Draft(plan.params, train(bench, plan))


def train(bench: Bench, plan: Plan) -> Fitted:
    """The model of a plan. The same bench and plan give the same model."""
    if plan.guard:
        guard = guard_of(
            bench.contract, bench.X, bench.y == bench.harmed, bench.scales, plan.guard * bench.linf, plan.care
        )
        bench = replace(bench, learner=guarded(bench.learner, guard))
    directions = signs(bench, plan.growth.monotone)
    lesson = _lesson(bench, plan, directions)
    fitted = bench.learner.fit(*lesson, plan.growth, directions, bench.seed)
    taught: list[Floats] = []
    for turn in range(ROUNDS if plan.copies else 0):
        taught.append(crossing(bench, fitted, plan.reach * bench.linf, ATTACKED, turn))
        fitted = bench.learner.fit(*_with(bench, lesson, taught, plan.copies), plan.growth, directions, bench.seed)
    return fitted


def _lesson(bench: Bench, plan: Plan, directions: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Rows, labels and weights: as they are, or with part of each case's weight in its worst corner."""
    ones = np.ones(len(bench.y))
    if not plan.corner or not any(directions):
        return bench.X, bench.y, ones
    cases = bench.y == bench.harmed
    toward = -1.0 if bench.harmed == 1 else 1.0
    reach = plan.reach * bench.linf
    pushed = worst_corner(bench.contract, bench.X[cases], bench.scales, reach, directions, toward)
    weights = np.concatenate([np.where(cases, 1 - plan.corner, 1.0), np.full(len(pushed), plan.corner)])
    return np.concatenate([bench.X, pushed]), np.concatenate([bench.y, bench.y[cases]]), weights


def _with(
    bench: Bench, lesson: tuple[Floats, Floats, Floats], taught: list[Floats], weight: float
) -> tuple[Floats, Floats, Floats]:
    """The lesson with all copies found so far beside."""
    X, y, weights = lesson
    copies = np.concatenate(taught)
    each = weight * float((bench.y == bench.harmed).sum()) / max(len(copies), ATTACKED)
    return (
        np.concatenate([X, copies]),
        np.concatenate([y, np.full(len(copies), float(bench.harmed))]),
        np.concatenate([weights, np.full(len(copies), each)]),
    )

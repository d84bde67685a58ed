"""A search over plans that learns from what it tried: which plans stand on the front, and which changes led there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from holdfast.core.learn.interface import Growth
from holdfast.harden.plan import Plan
from holdfast.harden.study import Outcome

LADDERS: dict[str, tuple[Any, ...]] = {
    "guard": (0.0, 1.0, 1.5, 2.0, 3.0, 4.0),
    "care": (0.0, 0.25, 0.5, 0.75, 1.0),
    "corner": (0.0, 0.25, 0.5, 0.75, 1.0),
    "copies": (0.0, 0.1, 0.3, 0.6),
    "reach": (1.0, 1.5, 2.0, 3.0),
    "monotone": ("none", "safe", "data"),
    "depth": (2, 3, 4, 5, 6),
    "size": ((60, 0.1), (100, 0.1), (160, 0.08), (240, 0.06)),
    "min_leaf": (1.0, 5.0, 20.0, 50.0, 100.0),
    "column_share": (0.5, 1.0),
}
"""By what is changed, the values it takes, in their order: a change is a step up or down."""
TREES = Growth(trees=100, depth=4, rate=0.1, min_leaf=20)
STARTS = (
    Plan(TREES, guard=2.0),
    Plan(replace(TREES, monotone="data"), copies=0.3),
    Plan(replace(TREES, monotone="data"), corner=0.5),
    Plan(replace(TREES, depth=3, monotone="data"), guard=2.0, copies=0.1),
    Plan(TREES, guard=2.0, care=1.0),
)
"""One of each kind, and mixtures that held on several data sets: where a search begins."""
GREED = 0.6
"""How often the best allowed plan is changed rather than another of the front."""


@dataclass
class Frontier:
    """Plans and their outcomes. `least_auc` is what the model asked for may not fall below."""

    least_auc: float
    seed: int
    starts: tuple[Plan, ...] = STARTS
    tried: dict[Plan, Outcome] = field(default_factory=dict)
    _wins: dict[str, int] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _changed: str = ""

    def learn(self, plan: Plan, outcome: Outcome) -> None:
        """Keep an outcome, and whether the change that led to it was a good one."""
        won = not any(_beats(other, outcome) for other in self.tried.values())
        self.tried[plan] = outcome
        if self._changed:
            self._turns[self._changed] = self._turns.get(self._changed, 0) + 1
            self._wins[self._changed] = self._wins.get(self._changed, 0) + won

    def front(self) -> list[Plan]:
        """Plans that no other beats in both ranking and robustness, the most robust first."""
        best = [
            plan for plan, one in self.tried.items() if not any(_beats(other, one) for other in self.tried.values())
        ]
        return sorted(best, key=lambda plan: -self.tried[plan].held)

    def best(self) -> Plan | None:
        """The most robust plan that ranks well enough; where none does, the one that ranks best."""
        front = self.front()
        allowed = [plan for plan in front if self.tried[plan].auc >= self.least_auc]
        return next(iter([*allowed, *front[::-1]]), None)

    def proposals(self) -> Iterator[Plan]:
        """Plans to try, for ever: the starts, then changes of what is on the front. `learn` between two of them."""
        for plan in self.starts:
            self._changed = ""
            yield plan
        turn = 0
        while (changed := self._change(np.random.default_rng((self.seed, turn)))) is not None:
            turn += 1
            yield changed

    def _change(self, random: np.random.Generator) -> Plan | None:
        """A step from the front that was not made before; None after many vain attempts."""
        for _ in range(200):
            name = self._pick(random)
            plan = _stepped(self._parent(random), name, random)
            if plan is not None and plan not in self.tried:
                self._changed = name
                return plan
        return None

    def _parent(self, random: np.random.Generator) -> Plan:
        front, best = self.front(), self.best()
        assert best is not None, "starts come first"
        return best if random.random() < GREED else front[random.integers(len(front))]

    def _pick(self, random: np.random.Generator) -> str:
        """A kind of change, the likelier the more often it led to the front."""
        odds = np.array([(self._wins.get(name, 0) + 1) / (self._turns.get(name, 0) + 2) for name in LADDERS])
        return str(random.choice(list(LADDERS), p=odds / odds.sum()))


def _beats(one: Outcome, other: Outcome) -> bool:
    return one.auc >= other.auc and one.held >= other.held and one != other


def _stepped(plan: Plan, name: str, random: np.random.Generator) -> Plan | None:
    """One step up or down a ladder; None at its end, or where the change would change nothing."""
    if (name == "care" and not plan.guard) or (name == "reach" and not (plan.corner or plan.copies)):
        return None
    if name == "corner" and plan.growth.monotone == "none":
        return None
    ladder = LADDERS[name]
    place = ladder.index(_value(plan, name)) + (1 if random.random() < 0.5 else -1)
    return _set(plan, name, ladder[place]) if 0 <= place < len(ladder) else None


def _value(plan: Plan, name: str) -> Any:
    if name == "size":
        return plan.growth.trees, plan.growth.rate
    return getattr(plan if hasattr(plan, name) else plan.growth, name)


def _set(plan: Plan, name: str, value: Any) -> Plan:
    if hasattr(plan, name):
        return replace(plan, **{name: value})
    names = {"trees": value[0], "rate": value[1]} if name == "size" else {name: value}
    return replace(plan, growth=replace(plan.growth, **names))

"""What an attack is asked, what it answers, and how one is added.

@attack(id="evasion.search", version=1, needs=("trees",))
def search(target, rows, *, goal, budget, contract, scales, seed): ...
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from holdfast.core.domain.model import Task
from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack.target import TreeTarget
    from holdfast.core.contract import Contract

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

ENTRY_POINTS = "holdfast.attacks"
OWN = ("holdfast.attack.evasion.search",)


@dataclass(frozen=True, slots=True)
class Goal:
    """The decision an attacker wants: class `to`.

    A model of two classes decides for `positive` from probability `threshold` on; one of more classes decides for
    the most probable.
    """

    to: int
    positive: int = 1
    threshold: float = 0.5

    @classmethod
    def of(cls, task: Task) -> Goal:
        """The harm of a task."""
        return cls(task.harm.to_class, task.positive, task.threshold)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may spend on a row. Work is counted, never timed, so equal budgets give equal results."""

    nodes_per_row: int = 20_000_000
    """Tree nodes visited; 1 to 2 ns each."""
    restarts: int = 4
    """Climbs from random rows where the climb from the row itself does not arrive."""


@dataclass(frozen=True, eq=False)
class EvasionResult:
    """What was found for each of n rows. A row that was not moved across stands unchanged in `adversarial`."""

    success: Bools
    """(n,) moved across, valid by the contract, confirmed on the model's own arithmetic."""
    adversarial: Floats
    """(n, d) raw contract units."""
    linf: Floats
    """(n,) greatest move of a column in its unit; inf without success, 0 where the row already stood there."""
    floor: Floats
    """(n,) no row at a smaller distance crosses, proven by the bound of `kernels.bound` (up to the model's rounding);
    equal to `linf` where the move found is the smallest there is."""
    cost: Floats
    """(n,) sum of moves in their units times the features' costs; inf without success."""
    valid: Bools
    """(n,) whether `adversarial` keeps the contract, the row before the attack known."""
    nodes: NDArray[np.int64]
    """(n,) tree nodes visited."""
    exhausted: Bools
    """(n,) the budget ran out before the search was done: a smaller move, or any, may exist."""
    seed: int
    method: str

    @property
    def success_share(self) -> float:
        """The share of rows moved across; 0.0 of no rows."""
        return float(self.success.mean()) if self.success.size else 0.0


class Attack(Protocol):
    """One way to move rows of a model across its decision."""

    def __call__(
        self,
        target: TreeTarget,
        rows: Floats,
        *,
        goal: Goal,
        budget: Budget,
        contract: Contract,
        scales: Floats,
        seed: int,
    ) -> EvasionResult:
        """Attack `rows` (n, d), in raw contract units; distances are measured in `scales` (d,)."""
        ...


@dataclass(frozen=True, slots=True)
class AttackSpec:
    """A registered attack. `needs` are the kinds of target it can read."""

    id: str
    version: int
    needs: tuple[str, ...]
    run: Attack


Function = TypeVar("Function", bound=Attack)


def _load_own() -> None:
    for module in OWN:
        importlib.import_module(module)


ATTACKS: Registry[AttackSpec] = Registry("attack", ENTRY_POINTS, _load_own)


def attack(*, id: str, version: int, needs: tuple[str, ...]) -> Callable[[Function], Function]:  # noqa: A002
    """Register a function as the attack `id`."""

    def register(function: Function) -> Function:
        ATTACKS.add(id, AttackSpec(id, version, needs, function))
        return function

    return register

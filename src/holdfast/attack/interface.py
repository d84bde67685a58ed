"""What an attack is asked, what it answers, and how one is added.

@attack(id="evasion.search", version=1, needs=("trees",))
def search(target, rows, *, goal, budget, contract, scales, seed): ...
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from holdfast.core.domain.model import Task
from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.core.contract import Contract

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

ENTRY_POINTS = "holdfast.attacks"
PROVEN_WITHIN = 1e-6
"""Relative difference of distance and floor below which an answer is final: solvers work in floating point."""
OWN = (
    "holdfast.attack.evasion.search",
    "holdfast.attack.evasion.exact.exact",
    "holdfast.attack.blackbox.attacks",
    "holdfast.attack.nets.capgd",
    "holdfast.attack.nets.population",
    "holdfast.attack.nets.ensemble",
    "holdfast.attack.adapters.art",
    "holdfast.attack.adapters.veritas",
)


class Norm(StrEnum):
    """How far a row was moved; each column in its unit (`scales`)."""

    LINF = "linf"
    """The greatest move."""
    L1 = "l1"
    """The sum of moves, each times the column's cost."""
    L0 = "l0"
    """The number of columns moved; a group counts once, a derived column not at all."""
    L2 = "l2"
    """The root of the sum of squared moves."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A distance that an adversarial row may not exceed."""

    norm: Norm
    most: float


@dataclass(frozen=True, slots=True)
class Goal:
    """The decision an attacker wants: class `to`, at the least distance in `minimise`, `within` all limits.

    A model of two classes decides for `positive` from probability `threshold` on; one of more classes decides for
    the most probable.
    """

    to: int
    positive: int = 1
    threshold: float = 0.5
    minimise: Norm = Norm.LINF
    within: tuple[Limit, ...] = ()

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
    queries_per_row: int = 2_000
    """Rows a black-box attack may ask the model about, for each row attacked."""
    seconds_per_row: float | None = None
    """A wall-clock limit for exact solving; what it cuts short is a gap, and no longer the same on every machine."""


class Proof(StrEnum):
    """How final an answer is."""

    PROVEN = "proven"
    GAP = "gap"
    """A smaller move, or any, may exist: the floor is below the distance found."""
    RELAXED = "relaxed"
    """As `gap`, and the floor left some relations out."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`gap` is the share of the distance found that is not proven to be needed."""

    proof: Proof
    gap: float = 0.0
    relations: tuple[str, ...] = ()


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
    distance: Floats
    """(n,) in the norm that the goal minimises; inf without success. `floor` is in the same norm."""
    queries: NDArray[np.int64]
    """(n,) rows the model was asked about; 0 where its file alone was read."""
    relaxed: tuple[str, ...] = ()
    """Relations that the floor leaves out: it stays true, and may be too low."""

    @property
    def proven(self) -> Bools:
        """(n,) rows whose answer is final under the whole contract: the least distance, or that none exists."""
        closed = self.floor >= self.distance * (1.0 - PROVEN_WITHIN)
        return np.asarray(np.where(self.success, closed, np.isposinf(self.floor)), np.bool_)

    @property
    def gap(self) -> Floats:
        """(n,) share of the distance found that is not proven to be needed: 0 proven, 1 nothing known."""
        if_found = 1.0 - self.floor / np.where(self.success & (self.distance > 0), self.distance, 1.0)
        open_ended = np.where(np.isposinf(self.floor), 0.0, 1.0)
        moved = np.where(self.distance > 0, np.clip(if_found, 0.0, 1.0), 0.0)
        return np.asarray(np.where(self.success, moved, open_ended), np.float64)

    def certificate(self, row: int) -> Certificate:
        """What is known of one row's answer."""
        if self.proven[row]:
            return Certificate(Proof.PROVEN)
        if self.relaxed:
            return Certificate(Proof.RELAXED, float(self.gap[row]), self.relaxed)
        return Certificate(Proof.GAP, float(self.gap[row]))

    @property
    def success_share(self) -> float:
        """The share of rows moved across; 0.0 of no rows."""
        return float(self.success.mean()) if self.success.size else 0.0


class Face(StrEnum):
    """What an attack may use of a model; a target offers one or more."""

    TREES = "trees"
    """Its trees over the contract's raw columns: `TreeTarget`."""
    NET = "net"
    """Its layers, and so its gradients: `NetTarget`."""
    SCORES = "scores"
    """Class probabilities of any row: `BlackBox`."""
    DECISIONS = "decisions"
    """The class decided for any row, and nothing else: `BlackBox`."""


class Target(Protocol):
    """A model as an attack sees it. What else it has is told by its faces; `attack()` compares them with `needs`."""

    @property
    def contract(self) -> Contract:
        """The input space that its rows (n, d) are of."""
        ...

    @property
    def faces(self) -> tuple[str, ...]:
        """What it offers, by the names of `Face`."""
        ...


class Attack(Protocol):
    """One way to move rows of a model across its decision. Its `target` offers all that its `needs` name."""

    def __call__(
        self,
        target: Any,
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
    """A registered attack. `needs` are the faces (`Face`) that a target must offer, all of them."""

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

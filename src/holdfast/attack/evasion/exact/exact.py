"""The exact minimum: the search gives the upper bound; prices, then a mixed-integer program close the gap below it.

The program sees only what the trees still decide inside the box of the move found, so it is small where the search
is good. Every answer is rounded, checked against the contract and confirmed on the model's own arithmetic; a floor
is what the solver proved, less its tolerance.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from holdfast.attack.evasion.exact.box import Box, nearer
from holdfast.attack.evasion.exact.formula import Formula, within
from holdfast.attack.evasion.exact.ground import Floats, Ground, Place
from holdfast.attack.evasion.exact.program import Solved, Status
from holdfast.attack.evasion.exact.settling import Offered, Settling
from holdfast.attack.evasion.goal import reached
from holdfast.attack.evasion.search import search
from holdfast.attack.interface import PROVEN_WITHIN, Budget, EvasionResult, Goal, Norm, attack
from holdfast.attack.target import TreeTarget
from holdfast.core.contract import Contract
from holdfast.core.contract.distance import l1_cost, linf

METHOD = "evasion.exact"
TOLERANCE = 5e-7
"""Of a distance: what the solver's own tolerance may hide."""
ROUNDS = 8
ROOT, BRANCH = 1_000, 10
"""What a coefficient of a program costs, in nodes of the budget: once, and at each branch of the solver."""
SEARCH = 0.1
"""Of a row's nodes: what the search may take. Prices settle faster what it would try after that."""
SETTLING = 0.9
"""Of a row's seconds: what settling by prices may take."""
FIRM = 1e-5
"""How far beyond the decision a row is asked to be where the solver's tolerance put the last one before it."""


@dataclass
class Answer:
    """What is known of one row: the best row, its distance and the floor below it, both in the goal's norm."""

    row: Floats
    distance: float
    floor: float
    nodes: int = 0
    limited: bool = False
    left_out: set[str] = field(default_factory=set)

    @property
    def closed(self) -> bool:
        return self.floor >= self.distance * (1.0 - PROVEN_WITHIN)


@attack(id=METHOD, version=2, needs=("trees",))
def exact(
    target: TreeTarget,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The nearest evasion of each row (n, d), proven where the budget allows: see `EvasionResult.certificate`."""
    less = replace(budget, nodes_per_row=max(1, int(SEARCH * budget.nodes_per_row)))
    begun = search(target, rows, goal=goal, budget=less, contract=contract, scales=scales, seed=seed)
    ground = Ground.of(target, goal, contract, scales)
    answers = _started(ground, rows, begun)
    left = np.flatnonzero(contract.validate(rows).valid)
    for i in left.tolist():
        if not answers[i].closed:
            Closing(ground, rows[i], answers[i], budget).run()
    return _result(ground, rows, begun, answers)


def _started(ground: Ground, rows: Floats, begun: EvasionResult) -> list[Answer]:
    """What the search knows. Its floor counts where it is one in this norm, its moves where they keep the limits."""
    norm, moved = ground.goal.minimise, begun.adversarial
    kept = begun.success.copy()
    for limit in ground.goal.within:
        kept &= ground.distances(limit.norm, moved, rows) <= limit.most
    distances = np.where(kept, ground.distances(norm, moved, rows), np.inf)
    floors = begun.floor if norm is Norm.LINF else np.where(np.isposinf(begun.floor), np.inf, 0.0)
    return [
        Answer(
            (moved if kept[i] else rows)[i].copy(),
            float(distances[i]),
            float(min(floors[i], distances[i])),
            int(begun.nodes[i]),
        )
        for i in range(len(rows))
    ]


def _result(ground: Ground, rows: Floats, begun: EvasionResult, answers: list[Answer]) -> EvasionResult:
    contract, scales = ground.contract, ground.scales
    moved = np.stack([answer.row for answer in answers])
    distance = np.array([answer.distance for answer in answers])
    success = np.isfinite(distance)
    found = replace(
        begun,
        success=success,
        adversarial=moved,
        linf=np.where(success, linf(contract, moved, rows, scales), np.inf),
        floor=np.array([answer.floor for answer in answers]),
        cost=np.where(success, l1_cost(contract, moved, rows, scales), np.inf),
        valid=contract.validate(moved, rows).valid,
        nodes=np.array([answer.nodes for answer in answers], np.int64),
        method=METHOD,
        distance=distance,
        relaxed=tuple(sorted(set().union(*(answer.left_out for answer in answers)))),
    )
    return replace(found, exhausted=~found.proven & np.array([answer.limited for answer in answers]))


class Closing:
    """Closes the gap of one row."""

    def __init__(self, ground: Ground, row: Floats, answer: Answer, budget: Budget) -> None:
        self.ground, self.answer, self.budget = ground, answer, budget
        self.place = Place.of(ground, row)
        self.norm = ground.goal.minimise
        self._until = None if budget.seconds_per_row is None else time.monotonic() + budget.seconds_per_row

    def run(self) -> None:
        """By prices, and what they leave open by programs."""
        if self.norm is Norm.LINF:
            self._settle()
        if not self.answer.closed:
            self._program()

    def _settle(self) -> None:
        seconds = None if self.budget.seconds_per_row is None else SETTLING * self.budget.seconds_per_row
        settling = Settling(self.place, self.answer, self._offer, self.budget.nodes_per_row, seconds)
        settling.run()
        self.answer.nodes += settling.visited
        self.answer.limited = settling.limited

    def _offer(self, wish: Floats) -> Offered:
        """Keep a row that leads. It is not projected: that takes longer than to find another."""
        if self._kept(wish):
            return Offered.KEPT
        plain = not self.ground.contract.derived
        return Offered.REFUTED if plain and not self._crosses(wish) else Offered.INVALID

    def _program(self) -> None:
        """Solve in ever smaller boxes until nothing is left below the move found, or nothing changes."""
        for _ in range(ROUNDS):
            before = self.answer.distance
            self._solve()
            if self.answer.closed or self.answer.distance >= before:
                break

    def _size(self) -> float:
        """The distance found as tolls are counted: squared for L2; where none was found, that of all open slots."""
        found = self.answer.distance
        return found**2 if self.norm is Norm.L2 else found

    def _radius(self, box: Box, size: float) -> float:
        if math.isfinite(size):
            return size
        tolls = self.ground.toll(self.norm, self.place.far, self.ground.column)
        most = np.zeros(self.ground.grid.size.size)
        np.maximum.at(most, self.ground.column, np.where(box.open & np.isfinite(tolls), tolls, 0.0))
        return float(most.max() if self.norm is Norm.LINF else most.sum()) or 1.0

    def _solve(self) -> None:
        size = self._size()
        box = Box.of(self.place, within(self.place, nearer(self.place, self.norm, size)))
        radius = self._radius(box, size)
        formula = Formula.of(box, self.norm, radius, -self.ground.aim.guard)
        if formula is not None:
            self.answer.left_out |= set(formula.left_out)
        if formula is None or not self._affords(formula):
            self.answer.limited = True
            return
        if math.isfinite(size) and not self._strict(formula):
            formula.program.row(formula.aim, -np.inf, self._below())
        solved = self._solved(formula)
        self._take(formula, solved, radius)
        if solved.solution is not None:
            self._candidate(formula, solved.solution)

    def _affords(self, formula: Formula) -> bool:
        """Whether the budget pays for the program; where it is one of seconds, the solver minds it."""
        return self._until is not None or ROOT * formula.program.size <= self.budget.nodes_per_row

    def _solved(self, formula: Formula) -> Solved:
        size = max(1, formula.program.size)
        nodes = max(1, self.budget.nodes_per_row // (BRANCH * size))
        seconds = None if self._until is None else self._until - time.monotonic()
        solved = formula.solve(nodes=nodes, seconds=seconds)
        self.answer.nodes += size * (ROOT + BRANCH * solved.nodes)
        return solved

    def _strict(self, formula: Formula) -> bool:
        """Whether the box itself holds nothing that is not nearer than the move found."""
        return self.norm is Norm.LINF and not formula.columns.inside

    def _below(self) -> float:
        """Of the distance found, what a better one may be at most."""
        if self.norm is Norm.L0:
            return 1.0 - 0.5 / self.answer.distance
        return 1.0 - TOLERANCE * (2 if self.norm is Norm.L2 else 1)

    def _take(self, formula: Formula, solved: Solved, radius: float) -> None:
        """Raise the floor to what was proven."""
        answer = self.answer
        answer.limited = solved.status in (Status.LIMIT, Status.FAILED)
        if solved.status is Status.INFEASIBLE:
            exact = self.norm is Norm.L0 or self._strict(formula)
            answer.floor = answer.distance * (1.0 if exact else 1.0 - TOLERANCE)
        else:
            proven = max(0.0, solved.bound - TOLERANCE) * radius
            proven = math.sqrt(proven) if self.norm is Norm.L2 else proven
            proven = math.ceil(proven - 1e-3) if self.norm is Norm.L0 else proven
            answer.floor = min(max(answer.floor, proven), answer.distance)

    def _candidate(self, formula: Formula, solution: Floats) -> None:
        """Keep what the solver found, if it stands up to the contract and the model; else ask for a firmer one."""
        wish, row = formula.row(solution), self.place.row[None]
        projected = self.ground.contract.project(wish[None], row, self.ground.scales)
        if self._kept(wish) or self._kept(projected.X[0]):
            return
        firm = Formula.of(formula.columns.box, self.norm, formula.columns.radius, FIRM, FIRM)
        solved = None if firm is None else self._solved(firm)
        if firm is not None and solved is not None and solved.solution is not None:
            self._kept(firm.row(solved.solution))

    def _crosses(self, wish: Floats) -> bool:
        moved = self.ground.contract.derive(wish[None])
        return bool(reached(self.ground.aim, self.ground.target.margins(moved))[0])

    def _kept(self, wish: Floats) -> bool:
        """Whether a row is a nearer evasion; it is remembered then."""
        ground, row = self.ground, self.place.row[None]
        moved = ground.contract.derive(ground.contract.round(wish[None], row))
        if not ground.contract.validate(moved, row).valid[0] or not self._crosses(moved[0]):
            return False
        if any(ground.distances(limit.norm, moved, row)[0] > limit.most for limit in ground.goal.within):
            return False
        distance = float(ground.distances(self.norm, moved, row)[0])
        if distance < self.answer.distance:
            self.answer.row, self.answer.distance = moved[0], distance
            self.answer.floor = min(self.answer.floor, distance)
        return True

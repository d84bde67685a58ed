"""A mixed-integer program being written down, and HiGHS that solves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + sum of coefficients times variables."""

    constant: float = 0.0
    terms: tuple[tuple[int, float], ...] = ()

    def __add__(self, other: Affine) -> Affine:
        return Affine(self.constant + other.constant, self.terms + other.terms)

    def __mul__(self, factor: float) -> Affine:
        return Affine(self.constant * factor, tuple((at, value * factor) for at, value in self.terms))

    def at(self, solution: Floats) -> float:
        """Its value in a solution."""
        return self.constant + sum(value * float(solution[at]) for at, value in self.terms)


class Status(Enum):
    """How a solve ended."""

    OPTIMAL = 0
    LIMIT = 1
    INFEASIBLE = 2
    FAILED = 4


@dataclass(frozen=True, eq=False)
class Solved:
    """`bound` is below every solution's objective; `solution` is None where none was found."""

    status: Status
    bound: float
    solution: Floats | None
    nodes: int = 0


class Program:
    """Minimise an affine expression over variables and rows."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[int] = []
        self._rows: list[tuple[Affine, float, float]] = []
        self._block: tuple[Any, Any, Any, Any, Any] | None = None

    @property
    def size(self) -> int:
        """Coefficients of the rows that came as a block."""
        return 0 if self._block is None else int(self._block[0].size)

    def variable(self, low: float, high: float, *, whole: bool = False) -> int:
        """A new variable's number."""
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.low) - 1

    def binary(self) -> int:
        """A new variable that is 0 or 1."""
        return self.variable(0.0, 1.0, whole=True)

    def variables(self, count: int) -> int:
        """The first of `count` new variables between 0 and 1."""
        self.low += [0.0] * count
        self.high += [1.0] * count
        self.whole += [0] * count
        return len(self.low) - count

    def row(self, left: Affine, low: float, high: float) -> None:
        """low <= left <= high."""
        self._rows.append((left, low, high))

    def block(self, row: Any, column: Any, value: Any, low: Any, high: Any) -> None:
        """Many rows at once, as coordinates."""
        self._block = (row, column, value, low, high)

    def solve(self, aim: Affine, *, nodes: int, seconds: float | None = None) -> Solved:
        """Deterministic for a count of `nodes`; with `seconds` also bounded in time."""
        from scipy.optimize import Bounds, milp

        if not self.low:
            return self._constant(aim.constant)
        # HiGHS 1.12's presolve was seen to cut off a feasible optimum of such a program (tests hold it); the kernels
        # have taken out beforehand what it would, so it costs more than it saves.
        cost = np.zeros(len(self.low))
        for at, value in aim.terms:
            cost[at] += value
        options: dict[str, Any] = {"node_limit": nodes, "mip_rel_gap": 0.0, "presolve": False}
        if seconds is not None:
            options["time_limit"] = max(seconds, 0.01)
        found = milp(
            cost,
            integrality=np.array(self.whole),
            bounds=Bounds(np.array(self.low), np.array(self.high)),
            constraints=self._constraints(),
            options=options,
        )
        return _solved(found, aim.constant)

    def _constant(self, aim: float) -> Solved:
        """Without a variable there is one solution, or none."""
        if all(low <= left.constant <= high for left, low, high in self._rows):
            return Solved(Status.OPTIMAL, aim, np.zeros(0))
        return Solved(Status.INFEASIBLE, np.inf, None)

    def _constraints(self) -> Any:
        from scipy.optimize import LinearConstraint
        from scipy.sparse import csc_array

        block = self._block or (np.zeros(0, np.int64),) * 2 + (np.zeros(0),) * 3
        counts = [len(left.terms) for left, _, _ in self._rows]
        terms = [term for left, _, _ in self._rows for term in left.terms]
        offset = len(block[3])
        row = np.concatenate([block[0], offset + np.repeat(np.arange(len(counts)), counts)])
        column = np.concatenate([block[1], np.array([at for at, _ in terms], np.int64)])
        value = np.concatenate([block[2], np.array([number for _, number in terms], np.float64)])
        low = np.concatenate([block[3], [low - left.constant for left, low, _ in self._rows]])
        high = np.concatenate([block[4], [high - left.constant for left, _, high in self._rows]])
        return LinearConstraint(csc_array((value, (row, column)), shape=(low.size, len(self.low))), low, high)


def _solved(found: Any, constant: float) -> Solved:
    if found.status == 2:
        return Solved(Status.INFEASIBLE, np.inf, None, _count(found))
    bound = getattr(found, "mip_dual_bound", None)
    known = -np.inf if bound is None or not np.isfinite(bound) else float(bound) + constant
    status = {0: Status.OPTIMAL, 1: Status.LIMIT}.get(found.status, Status.FAILED)
    return Solved(status, known, None if found.x is None else np.asarray(found.x, np.float64), _count(found))


def _count(found: Any) -> int:
    return int(getattr(found, "mip_node_count", None) or 0)

"""What every foreign attack is put into: rows in units of distance, and a judge that lets nothing impossible pass.

A foreign attack knows no contract. It works on `z`, rows divided by their units, so that its L-inf is ours; what it
gives back is projected onto the contract and counts only if it is valid and across then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.interface import Goal
from holdfast.attack.nets.best import Best
from holdfast.attack.nets.population import Judge
from holdfast.core.errors import PrerequisiteError

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


def needed(module: str, requirement: str) -> Any:
    """The module of a package that Holdfast does not depend on. Raises PrerequisiteError HF-PRE-001."""
    try:
        return importlib.import_module(module)
    except ImportError as fault:
        package = requirement.partition("==")[0]
        raise PrerequisiteError(
            f"this attack needs {package}, which is not installed",
            cause=str(fault),
            fix=f"pip install {requirement}",
            code="HF-PRE-001",
        ) from fault


class Frame:
    """One attack on rows (n, d) of a target that answers `margins(rows, goal)`."""

    def __init__(self, target: Any, rows: Floats, goal: Goal, contract: Contract, scales: Floats) -> None:
        self.contract, self.goal = contract, goal
        self.scales = np.asarray(scales, np.float64)
        self.judge = Judge.of(target, goal)
        self.best = Best(rows, Measure(contract, self.scales, goal), self.judge.crossed or self._crossed)
        # A row with a missing value has no place in a space of numbers.
        self.rows = np.flatnonzero(contract.validate(rows).valid & ~np.isnan(rows).any(axis=1))

    @property
    def clip(self) -> tuple[Floats, Floats]:
        """The lowest and highest values of each column in units; where the contract says nothing, those of the rows."""
        was = self.best.was[self.rows]
        low = np.array([feature.min for feature in self.contract.features])
        high = np.array([feature.max for feature in self.contract.features])
        low = np.where(np.isfinite(low), low, was.min(axis=0, initial=0.0) - 16 * self.scales)
        high = np.where(np.isfinite(high), high, was.max(axis=0, initial=0.0) + 16 * self.scales)
        return low / self.scales, high / self.scales

    def projected(self, Z: Floats, rows: Rows) -> Floats:
        """The possible rows nearest to `Z` (k, d), as moves from `rows` (k,)."""
        wish = np.nan_to_num(np.asarray(Z, np.float64) * self.scales)
        return self.contract.project(wish, self.best.was[rows], self.scales).X

    def asked(self, X: Floats, rows: Rows) -> Floats:
        """Margins of `X` (k, d), each a query of its row where the target is a black box."""
        if self.judge.costs:
            np.add.at(self.best.queries, rows, 1)
        return self.judge.gaps(X)

    def offer(self, Z: Floats, rows: Rows) -> None:
        """What the foreign attack found for `rows`; one candidate each."""
        if rows.size:
            self.best.offer(rows, self.projected(Z, rows))

    def _crossed(self, X: Floats) -> NDArray[np.bool_]:
        return np.asarray(self.judge.gaps(X) > 0)

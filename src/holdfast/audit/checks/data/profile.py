"""How the columns look, and how far the test data has drifted from the training data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    from holdfast.core.data.drift import Drift
    from holdfast.core.data.profile import Profile


@dataclass(frozen=True, slots=True)
class ProfileParams:
    """A population stability index above `drifted_psi` names a column as drifted."""

    drifted_psi: float = 0.25


@check(id="data.profile", version=1, needs=("train_data", "test_data"), covers=("AML.T0020",))
def observe(target: Target, params: ProfileParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Rows, missing values and drift, column by column."""
    from holdfast.core.data.drift import drift
    from holdfast.core.data.profile import profile

    reference = profile(target.train)
    moved = drift(reference, target.test)
    return Observation.of(
        Measurement("data.train_rows", target.train.n_rows, "rows"),
        Measurement("data.test_rows", target.test.n_rows, "rows"),
        Measurement("data.missing_share", _missing_share(reference), "share", n=target.train.n_rows),
        Measurement("data.drift.max_psi", _worst(moved), "index", n=target.test.n_rows),
        _facts(moved, params.drifted_psi),
        [Fact("data.same-rows", True, detail="no test data declared")] if target.test_is_train else [],
    )


def _missing_share(reference: Profile) -> float:
    return sum(column.missing for column in reference.columns) / len(reference.columns)


def _worst(moved: Drift) -> float:
    return max((column.psi for column in moved.columns), default=0.0)


def _facts(moved: Drift, drifted_psi: float) -> Iterator[Fact]:
    for column in moved.columns:
        if column.psi > drifted_psi:
            yield Fact("data.drifted", column.name, detail=f"PSI {column.psi:.3f}")
    for kind, names in (("absent", moved.absent), ("added", moved.added), ("retyped", moved.retyped)):
        for name in names:
            yield Fact(f"data.column-{kind}", name)

"""Whether the training and test rows obey the feature contract."""

from __future__ import annotations

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation


@check(id="data.contract", version=1, needs=("train_data", "test_data", "contract"), covers=("AML.T0020",))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Share of test rows that break the contract. Raises ContractError where training rows break it."""
    target.contract.check_training(target.matrix(target.train))
    validity = target.contract.validate(target.matrix(target.test))
    broken = float(1.0 - validity.valid.mean())
    return Observation.of(
        Measurement("data.contract.broken_share", broken, "share", n=target.test.n_rows),
        [Fact("contract.broken", item.constraint_id, detail=item.message) for item in validity.broken],
    )

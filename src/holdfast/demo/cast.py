"""Who plays: the models of the simulated bank, and the day the story begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.testing.simulate import Simulation

FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Player:
    """A model of the demo. `learner` names its recipe in `train.py`, `simulation` its table in `testing.simulate`."""

    name: str
    unit: str
    region: str
    owner: str
    tier: str
    purpose: str
    learner: str
    artifact: str
    rows: int
    simulation: str

    def simulate(self, n: int, seed: int) -> Simulation:
        """The model's table, of `n` rows."""
        from holdfast.testing import simulate

        table: Simulation = getattr(simulate, self.simulation)(n, seed)
        return table


CARD_FRAUD = Player(
    name="card-fraud",
    unit="cards",
    region="eu",
    owner="fraud-ml@bank.example",
    tier="high",
    purpose="Stop card payments that are likely to be fraudulent.",
    learner="xgboost",
    artifact="model.ubj",
    rows=9000,
    simulation="card_fraud",
)
CREDIT_DEFAULT = Player(
    name="credit-default",
    unit="retail-credit",
    region="eu",
    owner="credit-ml@bank.example",
    tier="high",
    purpose="Decide limit increases for existing card customers.",
    learner="lightgbm",
    artifact="model.txt",
    rows=9000,
    simulation="credit_default",
)
CAST = (CARD_FRAUD, CREDIT_DEFAULT)

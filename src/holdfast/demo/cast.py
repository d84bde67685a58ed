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
    """A model of the demo. `learner` names its recipe in `train.py`, `simulation` its table in `testing.simulate`.

    `pinned` are lines of its lock beside the libraries that really trained it. `protocol` is how its endpoint speaks.
    """

    name: str
    unit: str
    region: str
    owner: str
    tier: str
    purpose: str
    artifact: str
    use: str
    learner: str | None = None
    simulation: str | None = None
    rows: int = 0
    pinned: tuple[str, ...] = ()
    protocol: str | None = None
    decides: bool = True

    def simulate(self, n: int, seed: int) -> Simulation:
        """The model's table, of `n` rows."""
        from holdfast.testing import simulate

        assert self.simulation is not None
        table: Simulation = getattr(simulate, self.simulation)(n, seed)
        return table


CARD_FRAUD = Player(
    name="card-fraud",
    unit="cards",
    region="eu",
    owner="fraud-ml@bank.example",
    tier="high",
    purpose="Stop card payments that are likely to be fraudulent.",
    artifact="model.ubj",
    use="fraud",
    learner="xgboost",
    simulation="card_fraud",
    rows=9000,
    protocol="open-inference-v2",
)
CREDIT_DEFAULT = Player(
    name="credit-default",
    unit="retail-credit",
    region="eu",
    owner="credit-ml@bank.example",
    tier="high",
    purpose="Decide limit increases for existing card customers.",
    artifact="model.txt",
    use="credit",
    learner="lightgbm",
    simulation="credit_default",
    rows=9000,
)
AML = Player(
    name="aml",
    unit="financial-crime",
    region="us",
    owner="aml-ml@bank.example",
    tier="critical",
    purpose="Pick accounts that an analyst looks at for money laundering.",
    artifact="model.joblib",
    use="aml",
    learner="scikit-learn",
    simulation="money_laundering",
    rows=6000,
    decides=False,
)
CHURN = Player(
    name="churn",
    unit="marketing",
    region="us",
    owner="growth-ml@bank.example",
    tier="medium",
    purpose="Find customers who are about to leave, and make them an offer.",
    artifact="model.onnx",
    use="marketing",
    learner="onnx",
    simulation="churn",
    rows=5000,
    pinned=("featurestore-client==3.2.1",),
    decides=False,
)
RECOMMENDER = Player(
    name="recommender",
    unit="digital",
    region="us",
    owner="digital-ml@bank.example",
    tier="critical",
    purpose="Order the products a customer sees after login.",
    artifact="factors.npz",
    use="marketing",
    decides=False,
)
ASSISTANT = Player(
    name="assistant",
    unit="digital",
    region="eu",
    owner="assistant@bank.example",
    tier="low",
    purpose="Answer questions about opening hours, cards and transfers by rules.",
    artifact="rules.json",
    use="assistant",
    protocol="json",
    decides=False,
)
CAST = (CARD_FRAUD, CREDIT_DEFAULT, AML, CHURN, ASSISTANT, RECOMMENDER)

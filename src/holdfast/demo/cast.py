"""Who plays: the models of the simulated bank, and the day the story begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.testing.simulate import Simulation

FIRST_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Player:
    """A model of the demo. `learner` names its recipe in `train.py`; `rows` are simulated rows, train and test."""

    name: str
    unit: str
    region: str
    owner: str
    tier: str
    purpose: str
    learner: str
    artifact: str
    rows: int
    simulate: Callable[[int, int], Simulation]


def _card_fraud(n: int, seed: int) -> Simulation:
    from holdfast.testing.simulate import card_fraud

    return card_fraud(n, seed)


def _credit_default(n: int, seed: int) -> Simulation:
    from holdfast.testing.simulate import credit_default

    return credit_default(n, seed)


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
    simulate=_card_fraud,
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
    simulate=_credit_default,
)
CAST = (CARD_FRAUD, CREDIT_DEFAULT)

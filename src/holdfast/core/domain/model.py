"""Models, their versions, and what they decide."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.domain.severity import Tier


@dataclass(frozen=True, slots=True)
class Harm:
    """The move an attacker wants: from one class to another."""

    from_class: int
    to_class: int


@dataclass(frozen=True, slots=True)
class Task:
    """What a model decides. `threshold` is a probability of the positive class."""

    kind: str
    positive: int = 1
    harm: Harm = Harm(1, 0)
    threshold: float = 0.5


@dataclass(frozen=True, slots=True)
class People:
    """How a model touches people; drives which regulation applies."""

    decides_on: bool
    personal_data: bool
    automated: bool


@dataclass(frozen=True, slots=True)
class Model:
    """A model family: what stays the same while versions change."""

    name: str
    unit: str
    region: str
    owner: str
    tier: Tier
    purpose: str
    task: Task
    people: People | None = None
    policy: str = "baseline"
    use: tuple[str, ...] = ()
    """What it is used for, in the words of the manifest: credit, fraud, aml ... Empty: not declared."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One artifact of a model. `digest` is the SHA-256 of its bytes."""

    model: str
    digest: str
    format: str

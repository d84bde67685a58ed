"""Hardening runs: what was tried to make a model resist evasion, what each attempt measured, and what was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.domain.ids import JSONValue, digest


@dataclass(frozen=True, slots=True)
class BoxFigures:
    """Inside one box: recall an attack leaves (an upper bound of the truth), and recall proven to stay (a lower one).

    `linf` is the radius in units of each column's training range; both recalls are shares of all cases.
    """

    linf: float
    robust_recall: float
    proven_recall: float


@dataclass(frozen=True, slots=True)
class HardeningFigures:
    """What one model measures on held-out rows; `attacked` caught cases were attacked."""

    auc: float
    recall: float
    flag_rate: float
    train_flag_rate: float
    attacked: int
    boxes: tuple[BoxFigures, ...]

    def at(self, linf: float) -> BoxFigures:
        """The figures of one box. Raises KeyError where it was not measured."""
        for box in self.boxes:
            if abs(box.linf - linf) <= 1e-9:
                return box
        raise KeyError(linf)


@dataclass(frozen=True, slots=True)
class HardeningPoint:
    """One candidate: how it was made and what it measures. `allowed`: it costs no more AUC than agreed."""

    number: int
    recipe: str
    params: Mapping[str, float | str]
    figures: HardeningFigures
    auc_loss: float
    allowed: bool


@dataclass(frozen=True, slots=True)
class Hardening:
    """One run on one version of a model.

    `chosen` is the number of the kept candidate and `version` its digest, both None where no candidate was better at
    the agreed cost. `elsewhere` are the figures of candidates chosen on other rows than they are measured on: what the
    choice alone flatters is taken out of them. `complete` is false where time ran out before all were tried.
    """

    model: str
    source: str
    seed: int
    recipes: tuple[str, ...]
    linf: float
    max_auc_loss: float
    before: HardeningFigures
    points: tuple[HardeningPoint, ...]
    chosen: int | None
    version: str | None
    elsewhere: HardeningFigures | None
    complete: bool
    recorded_at: datetime
    file: str = ""
    made_from: Mapping[str, str] = field(default_factory=dict)
    """Digests of the data and versions of the libraries that took part."""

    @property
    def id(self) -> str:
        """The same run on the same inputs is the same run, however often it is made."""
        tried: list[JSONValue] = [[point.recipe, dict(point.params)] for point in self.points]
        cause: list[JSONValue] = [self.model, self.source, self.seed, self.linf, self.max_auc_loss, self.version]
        return "hrd_" + digest([*cause, tried, dict(self.made_from)]).removeprefix("sha256:")[:32]

    @property
    def after(self) -> HardeningFigures | None:
        """The kept candidate's figures."""
        return next((point.figures for point in self.points if point.number == self.chosen), None)

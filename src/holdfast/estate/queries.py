"""Views of the estate that the command line, the API and the console share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from holdfast.core.domain.model import Model
from holdfast.core.domain.verdict import Verdict

if TYPE_CHECKING:
    from holdfast.core.store.transaction import Transaction
    from holdfast.estate.manifest import Subject


@dataclass(frozen=True, slots=True)
class VersionView:
    """One registered version: whether it serves in production, and where it stands. No verdict: not judged yet."""

    version: str
    format: str
    deployed: bool
    verdict: Verdict | None
    as_of: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model as the manifest declares it, and its versions in the order of registration."""

    model: Model
    where: str
    versions: tuple[VersionView, ...]

    @property
    def newest(self) -> VersionView | None:
        """The version registered last."""
        return self.versions[-1] if self.versions else None


def model_views(tx: Transaction, subjects: Sequence[Subject]) -> tuple[ModelView, ...]:
    """The declared models with what the store knows of them, in manifest order."""
    return tuple(ModelView(subject.model, subject.where, _versions(tx, subject.model.name)) for subject in subjects)


def _versions(tx: Transaction, model: str) -> tuple[VersionView, ...]:
    deployed, standings = tx.models.deployed(model), tx.judgements.standings(model)
    views = []
    for version in tx.models.versions(model):
        stands = standings.get(version.digest)
        verdict, as_of, until = (stands.verdict, stands.as_of, stands.valid_until) if stands else (None, None, None)
        views.append(VersionView(version.digest, version.format, version.digest == deployed, verdict, as_of, until))
    return tuple(views)

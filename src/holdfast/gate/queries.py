"""Typed views of what the gate knows; the CLI's JSON, the API and the console show these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.core.domain import Judgement, Verdict
from holdfast.core.report import AuditReport, GateReport, ModelReport
from holdfast.core.store.transaction import Transaction
from holdfast.gate.decide import Decision


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a model stands at a moment: the judgements of what serves and of the version asked for last."""

    model: str
    as_of: datetime
    judgements: tuple[Judgement, ...]

    @property
    def judgement(self) -> Judgement | None:
        """The one that counts: the worst; of equals the newest."""
        order = list(Verdict)
        return max(
            self.judgements, key=lambda item: (order.index(self._verdict(item)), item.as_of, item.key), default=None
        )

    @property
    def expired(self) -> bool:
        """Whether the time of the judgement that counts is over."""
        return self.judgement is not None and self._expired(self.judgement)

    @property
    def verdict(self) -> Verdict:
        """Unknown where nothing was judged. What passed and has expired is unknown again; what failed stays failed."""
        return Verdict.worst(self._verdict(item) for item in self.judgements)

    def _verdict(self, judgement: Judgement) -> Verdict:
        return Verdict.worst([judgement.verdict, Verdict.UNKNOWN if self._expired(judgement) else Verdict.PASSED])

    def _expired(self, judgement: Judgement) -> bool:
        return judgement.valid_until is not None and self.as_of >= judgement.valid_until


def standing(tx: Transaction, model: str, as_of: datetime, *, version: str | None = None) -> Standing:
    """Where a model, or one version of it, stands."""
    if version is None:
        return Standing(model, as_of, tuple(tx.judgements.held(model, as_of)))
    judgement = tx.judgements.as_of(model, as_of, version)
    return Standing(model, as_of, () if judgement is None else (judgement,))


def standings(tx: Transaction, as_of: datetime, models: Iterable[str] | None = None) -> tuple[Standing, ...]:
    """Where the named models stand, or all that are registered, worst first."""
    names = [model.name for model in tx.models.all()] if models is None else list(models)
    order = list(Verdict)
    found = _now(tx, as_of, names) if as_of >= tx.now else [standing(tx, name, as_of) for name in names]
    return tuple(sorted(found, key=lambda item: (-order.index(item.verdict), item.model)))


def _now(tx: Transaction, as_of: datetime, names: Sequence[str]) -> list[Standing]:
    """All at once, where nobody asks about the past."""
    current = tx.judgements.currents(names)
    stand = tx.judgements.standing_now((name, version) for name, found in current.items() for version in found)
    return [
        Standing(
            name,
            as_of,
            tuple(stand[name, version][0] for version in sorted(current.get(name, ())) if (name, version) in stand),
        )
        for name in names
    ]


def report(decision: Decision, audit: AuditReport) -> GateReport:
    """The report of a gate run. The audit's models are those the decision is about, in its order."""
    return GateReport(
        audit, decision.verdict, decision.blocks, decision.exit_code, decision.valid_until, decision.accepted
    )


def worst_first(models: Sequence[ModelReport]) -> tuple[ModelReport, ...]:
    """Models in the order a reader needs them."""
    order = list(Verdict)
    return tuple(sorted(models, key=lambda item: (-order.index(item.judgement.verdict), item.model)))

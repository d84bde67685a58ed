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
    """Where a model stands at a moment: its last judgement until then, and whether that still holds."""

    model: str
    as_of: datetime
    judgement: Judgement | None

    @property
    def expired(self) -> bool:
        """Whether the judgement's time is over."""
        until = None if self.judgement is None else self.judgement.valid_until
        return until is not None and self.as_of >= until

    @property
    def verdict(self) -> Verdict:
        """Unknown where nothing was judged. What passed and has expired is unknown again; what failed stays failed."""
        if self.judgement is None:
            return Verdict.UNKNOWN
        return Verdict.worst([self.judgement.verdict, Verdict.UNKNOWN if self.expired else Verdict.PASSED])


def standing(tx: Transaction, model: str, as_of: datetime, *, version: str | None = None) -> Standing:
    """Where a model, or one version of it, stands."""
    return Standing(model, as_of, tx.judgements.as_of(model, as_of, version))


def standings(tx: Transaction, as_of: datetime, models: Iterable[str] | None = None) -> tuple[Standing, ...]:
    """Where the named models stand, or all that are registered, worst first."""
    names = [model.name for model in tx.models.all()] if models is None else list(models)
    order = list(Verdict)
    found = [standing(tx, name, as_of) for name in names]
    return tuple(sorted(found, key=lambda item: (-order.index(item.verdict), item.model)))


def report(decision: Decision, audit: AuditReport) -> GateReport:
    """The report of a gate run. The audit's models are those the decision is about, in its order."""
    return GateReport(
        audit, decision.verdict, decision.blocks, decision.exit_code, decision.valid_until, decision.accepted
    )


def worst_first(models: Sequence[ModelReport]) -> tuple[ModelReport, ...]:
    """Models in the order a reader needs them."""
    order = list(Verdict)
    return tuple(sorted(models, key=lambda item: (-order.index(item.judgement.verdict), item.model)))

"""Models under quarantine: an order in force stops them at the gate, whatever their own verdict says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from holdfast.core.domain import Judgement, Reason, Verdict
from holdfast.core.domain.claim import Effect
from holdfast.core.domain.directive import Action, directives
from holdfast.core.store import Transaction

RULE = "quarantine"


def under_orders(tx: Transaction, judgements: Sequence[Judgement], at: datetime) -> tuple[Judgement, ...]:
    """The judgements as the gate answers them: one whose model or version is quarantined fails. What is kept stays."""
    effects = [effect for effect in tx.claims.effects(at) if effect.effect == Action.QUARANTINE]
    return tuple(_ordered(item, effects) for item in judgements)


def _ordered(judgement: Judgement, effects: Iterable[Effect]) -> Judgement:
    held = [effect for effect in effects if _on(effect, judgement) and _enforced(effect, judgement.model)]
    if not held:
        return judgement
    causes = ", ".join(sorted({cause for effect in held for cause in effect.causes}))
    reason = Reason(
        RULE,
        Verdict.FAILED,
        f"{judgement.model} is quarantined by {causes}",
        "look at the cause; lift the order when it no longer holds",
        "holdfast respond directives",
    )
    return replace(judgement, verdict=Verdict.FAILED, blocks=True, reasons=(reason, *judgement.reasons))


def _on(effect: Effect, judgement: Judgement) -> bool:
    return effect.target in (f"model:{judgement.model}", f"version:{judgement.model}@{judgement.version}")


def _enforced(effect: Effect, model: str) -> bool:
    """An order that is only observed stops nothing."""
    return any(item.enforce for item in directives([effect], model))

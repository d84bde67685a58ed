"""Standing orders to whatever stands in front of a model: the part of the derived state that capture and gate obey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfast.core.domain.claim import Ceiling, Effect
from holdfast.core.domain.ids import JSONValue


class Action(StrEnum):
    """What can be ordered, from the mildest to the gravest. Each ends by itself or is withdrawn."""

    WATCH = "watch"
    THROTTLE = "throttle"
    COARSEN = "coarsen"
    STEP_UP = "step-up"
    SHADOW = "shadow"
    FREEZE = "freeze"
    BLOCK = "block"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Directive:
    """An order on one model, for one client or (None) for all. Not enforced: capture only notes what it would do.

    `body` holds the action's numbers: throttle {"per_minute": 30}, coarsen {"digits": 1}.
    """

    action: Action
    model: str
    client: str | None
    enforce: bool
    ceiling: Ceiling
    causes: tuple[str, ...]
    until: datetime | None
    body: Mapping[str, JSONValue]


def directives(effects: Iterable[Effect], model: str | None = None) -> tuple[Directive, ...]:
    """The orders among `effects`, of one model or of all, in the order of effects."""
    found = (_directive(effect) for effect in effects if effect.effect in list(Action))
    return tuple(item for item in found if item is not None and model in (None, item.model))


def _directive(effect: Effect) -> Directive | None:
    kind, _, name = effect.target.partition(":")
    if kind == "client":
        model, _, client = name.partition("/")
    elif kind in ("model", "version"):
        model, client = name.partition("@")[0], ""
    else:
        return None
    enforce = bool(effect.body.get("enforce", False))
    return Directive(
        Action(effect.effect), model, client or None, enforce, effect.ceiling, effect.causes, effect.until, effect.body
    )

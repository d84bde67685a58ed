"""What follows from an alert: pure. An alert, the playbooks and the state of things in, the orders out.

No clock, no files, no store: the same arguments always give the same answer, so a playbook can be tried on anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from holdfast.core.domain.alert import Alert
from holdfast.core.domain.claim import Cause
from holdfast.core.domain.directive import Action, Directive
from holdfast.core.domain.intelligence import Tlp
from holdfast.core.domain.response import Order, Run, run_id
from holdfast.core.domain.severity import Tier
from holdfast.respond.playbook import Playbook
from holdfast.respond.schema import GRAVE, NEEDED, Caps, DirectiveStep, IncidentStep, Mode, NotifyStep, Step, Trigger

MAX_CLIENTS = 50
"""Clients that one step may order about; a campaign from more of them is no longer a matter of single clients."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The alert and what it meets.

    `predicted`: an audit's finding named the weakness before. `version`: the one deployed. `mode`: how far this
    installation lets any playbook go. `clients`: how many the model has (None: not known). `models`: how many there
    are. `sinks`: their names.
    """

    alert: Alert
    tier: Tier
    at: datetime
    predicted: bool = False
    version: str | None = None
    mode: Mode = Mode.OBSERVE
    directives: tuple[Directive, ...] = ()
    clients: int | None = None
    models: int = 1
    sinks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that is about to be, the words of the steps it takes, and how its messages are labelled."""

    run: Run
    steps: tuple[str, ...]
    opens_incident: bool
    tlp: Tlp


@dataclass
class _Reach:
    """How far enforced orders reach; grows with each that is given."""

    orders: set[tuple[str, str, str | None]]
    clients: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, situation: Situation) -> _Reach:
        enforced = [item for item in situation.directives if item.enforce]
        return cls(
            {(item.action.value, item.model, item.client) for item in enforced},
            {item.client for item in enforced if item.client is not None and item.model == situation.alert.model},
            {item.model for item in enforced if item.client is None},
        )

    def refuses(self, key: tuple[str, str, str | None], caps: Caps, situation: Situation) -> str | None:
        """Why an order may not be enforced without a person; None where it may."""
        _, model, client = key
        if len(self.orders | {key}) > caps.enforced:
            return f"cap: {len(self.orders)} orders are enforced already, the playbook allows {caps.enforced}"
        if client is None:
            share = len(self.models | {model}) / max(1, situation.models)
            if share > caps.models_share:
                return f"cap: it would reach {share:.0%} of all models, the playbook allows {caps.models_share:.0%}"
            if caps.clients_share < 1:
                return f"cap: it would reach all clients of the model, the playbook allows {caps.clients_share:.0%}"
            return None
        if situation.clients is None:
            return "cap: how many clients the model has is not known"
        share = len(self.clients | {client}) / max(1, situation.clients)
        if share > caps.clients_share:
            return (
                f"cap: it would reach {share:.0%} of the model's clients, the playbook allows {caps.clients_share:.0%}"
            )
        return None

    def take(self, key: tuple[str, str, str | None]) -> None:
        """Count an order as enforced."""
        self.orders.add(key)
        _, model, client = key
        if client is None:
            self.models.add(model)
        else:
            self.clients.add(client)


def decide(playbooks: Iterable[Playbook], situation: Situation) -> tuple[Planned, ...]:
    """The runs that an alert sets off, in the order of the playbooks. Caps count over all of them."""
    reach = _Reach.of(situation)
    planned = (_plan(item, situation, reach) for item in playbooks if answers(item.trigger, situation))
    return tuple(item for item in planned if item.steps)


def answers(trigger: Trigger, situation: Situation) -> bool:
    """Whether an alert is what a playbook waits for."""
    alert = situation.alert
    return all(
        (
            not trigger.technique or any(_covers(item, alert.campaign.technique) for item in trigger.technique),
            trigger.severity is None or trigger.severity.holds(alert.severity),
            trigger.tiers is None or situation.tier in trigger.tiers,
            not trigger.models or _fits([alert.model], trigger.models),
            not trigger.detectors or _fits(alert.campaign.detectors, trigger.detectors),
            trigger.finding in (None, "predicted" if situation.predicted else "unpredicted"),
        )
    )


def approvals(action: Action, tier: Tier) -> int:
    """How many people must stand behind an action before it is enforced."""
    if action not in GRAVE:
        return 0
    return 2 if tier >= Tier.HIGH else 1


def _covers(wanted: str, technique: str) -> bool:
    return technique == wanted or technique.startswith(f"{wanted}.")


def _fits(words: Iterable[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def _plan(playbook: Playbook, situation: Situation, reach: _Reach) -> Planned:
    taken = [step for step in playbook.steps if step.tiers is None or situation.tier in step.tiers]
    orders = tuple(order for step in taken for order in _orders(step, playbook, situation, reach))
    notify = [step for step in taken if isinstance(step, NotifyStep)]
    cause = Cause("alert", situation.alert.id)
    run = Run(
        id=run_id(playbook.id, cause),
        playbook=playbook.id,
        playbook_digest=playbook.digest,
        cause=cause,
        model=situation.alert.model,
        orders=orders,
        started_at=situation.at,
        sinks=_sinks(notify, situation.sinks),
    )
    tlp = max((step.tlp for step in notify), default=Tlp.AMBER, key=lambda item: item.rank)
    incident = any(isinstance(step, IncidentStep) for step in taken)
    return Planned(run, tuple(step.word for step in taken), incident, tlp)


def _sinks(steps: list[NotifyStep], known: tuple[str, ...]) -> tuple[str, ...]:
    named = {name for step in steps for name in (known if step.notify == "all" else step.notify)}
    return tuple(sorted(named & set(known)))


def _orders(step: Step, playbook: Playbook, situation: Situation, reach: _Reach) -> Iterator[Order]:
    if not isinstance(step, DirectiveStep):
        return
    targets, left = _targets(step, situation)
    for target, client in targets:
        order = _order(step, target, playbook, situation)
        yield _capped(order, step, client, playbook.caps, situation, reach, left)


def _targets(step: DirectiveStep, situation: Situation) -> tuple[list[tuple[str, str | None]], int]:
    """Target and client of each order, and how many clients are left out."""
    model, version = situation.alert.model, situation.version
    if step.on == "client":
        clients = sorted(set(situation.alert.campaign.clients))
        return [(f"client:{model}/{name}", name) for name in clients[:MAX_CLIENTS]], max(0, len(clients) - MAX_CLIENTS)
    if step.on == "version" and version is not None:
        return [(f"version:{model}@{version}", None)], 0
    return [(f"model:{model}", None)], 0


def _order(step: DirectiveStep, target: str, playbook: Playbook, situation: Situation) -> Order:
    modes = (situation.mode, playbook.mode, step.mode or playbook.mode)
    allowed = step.ceiling >= NEEDED[step.do]
    asked = allowed and all(mode is Mode.ENFORCE for mode in modes)
    return Order(
        effect=step.do.value,
        target=target,
        ceiling=step.ceiling,
        lasts_s=step.span.total_seconds(),
        asked=asked,
        needs=approvals(step.do, situation.tier) if asked else 0,
        body={name: int(number) for name, number in step.body.items()},
        notes=() if allowed else (f"the ceiling {step.ceiling} lets {step.do} only be noted",),
    )


def _capped(
    order: Order, step: DirectiveStep, client: str | None, caps: Caps, situation: Situation, reach: _Reach, left: int
) -> Order:
    """What goes too far waits for a person; what goes through at once counts for what comes after it."""
    notes = list(order.notes)
    if left:
        notes.append(f"{left:,} more clients of the campaign are not ordered about one by one")
    if not order.asked:
        return replace(order, notes=tuple(notes))
    key = (step.do.value, situation.alert.model, client)
    needs = order.needs
    why = reach.refuses(key, caps, situation)
    if why is not None:
        needs, notes = max(1, needs), [*notes, why]
    if needs == 0:
        reach.take(key)
    return replace(order, needs=needs, notes=tuple(notes))

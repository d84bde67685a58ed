"""From signals to campaigns, and from campaigns to alerts: pure functions, the same for a replay as for live events.

A signal joins the campaign of its model and technique that speaks of the same entity or the same client; else it
begins one. A pause ends a campaign. A campaign becomes one alert, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.core.domain.alert import Alert, Campaign, Evidence, Signal, campaign_id
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.severity import Severity
from holdfast.watch.interface import EROSION, EXTRACTION

PAUSE = timedelta(hours=6)
MAX_CLIENTS, MAX_COLUMNS, MAX_ENTITIES = 50, 40, 64
FIRST_EVENTS, LAST_EVENTS = 20, 80
FIRST_EVIDENCE, LAST_EVIDENCE = 10, 30
ENOUGH_EVENTS, ENOUGH_STRENGTH = 2, 1.25
"""One event just above a bound is kept as a campaign; two, or one far above it, are told to people."""

_GRAVITY = {
    "watch.duplicates": Severity.HIGH,
    "watch.contract": Severity.MEDIUM,
    "watch.boundary": Severity.MEDIUM,
    "watch.extraction": Severity.MEDIUM,
    "watch.drift": Severity.LOW,
}
_TITLES = {EROSION: "The traffic has changed", EXTRACTION: "The model is being copied"}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a batch's signals changed: campaigns that go on (all of them), those that changed, those that ended."""

    live: tuple[Campaign, ...]
    changed: tuple[Campaign, ...]
    ended: tuple[Campaign, ...]


def gather(live: Sequence[Campaign], signals: Iterable[Signal], now: datetime | None) -> Gathered:
    """Let signals join the campaigns in progress. `now` is the last event's moment; what is silent since long ends."""
    going = {campaign.id: campaign for campaign in live}
    changed: dict[str, None] = {}
    ended: list[Campaign] = []
    for signal in signals:
        kin = [item for item in going.values() if _belongs(item, signal)]
        over = [item for item in kin if signal.at - item.last_at > PAUSE]
        ended += [going.pop(item.id) for item in over]
        # The same entity says more than the same client, who may well do two things at once.
        near = sorted((item for item in kin if item.id in going), key=lambda item: signal.entity not in item.entities)
        home = near[0] if near else None
        joined = _begin(signal) if home is None else _join(home, signal)
        going[joined.id] = joined
        changed[joined.id] = None
    silent = [item for item in going.values() if now is not None and now - item.last_at > PAUSE]
    ended += [going.pop(item.id) for item in silent]
    return Gathered(tuple(going.values()), tuple(going[name] for name in changed if name in going), tuple(ended))


def _belongs(campaign: Campaign, signal: Signal) -> bool:
    if (campaign.model, campaign.technique) != (signal.model, signal.technique):
        return False
    return signal.entity in campaign.entities or bool(set(campaign.clients) & set(signal.clients))


def _begin(signal: Signal) -> Campaign:
    empty = Campaign(
        id=campaign_id(signal.model, signal.technique, signal.entity, to_iso(signal.at)),
        model=signal.model,
        technique=signal.technique,
        entity=signal.entity,
        detectors=(),
        clients=(),
        columns=(),
        events=(),
        signals=0,
        strength=0.0,
        started_at=signal.at,
        last_at=signal.at,
    )
    return _join(empty, signal)


def _join(campaign: Campaign, signal: Signal) -> Campaign:
    seen = Evidence(
        signal.detector, signal.entity, signal.strength, signal.at, signal.events, signal.columns, signal.detail
    )
    evidence = (*campaign.evidence, seen)
    if len(evidence) > FIRST_EVIDENCE + LAST_EVIDENCE:
        evidence = (*evidence[:FIRST_EVIDENCE], *evidence[-LAST_EVIDENCE:])
    return replace(
        campaign,
        detectors=tuple(sorted({*campaign.detectors, signal.detector})),
        clients=_union(campaign.clients, signal.clients, MAX_CLIENTS),
        columns=_union(campaign.columns, signal.columns, MAX_COLUMNS),
        events=_events(campaign.events, signal.events),
        entities=_latest(campaign.entities, signal.entity),
        signals=campaign.signals + _rows(signal),
        strength=max(campaign.strength, signal.strength),
        started_at=min(campaign.started_at, signal.at),
        last_at=max(campaign.last_at, signal.at),
        evidence=evidence,
    )


def _rows(signal: Signal) -> int:
    """How many events are above a bound: the count that does not depend on how events were cut into batches."""
    rows = signal.detail.get("rows", 1)
    return rows if isinstance(rows, int) else 1


def _union(known: tuple[str, ...], new: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *new)))[:most]


def _latest(known: tuple[str, ...], entity: str) -> tuple[str, ...]:
    return (*(item for item in known if item != entity), entity)[-MAX_ENTITIES:]


def _events(known: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    both = tuple(dict.fromkeys((*known, *new)))
    if len(both) <= FIRST_EVENTS + LAST_EVENTS:
        return both
    return (*both[:FIRST_EVENTS], *both[-LAST_EVENTS:])


def is_grave(campaign: Campaign) -> bool:
    """Whether people are to be told."""
    if campaign.technique == EROSION:
        return True
    return campaign.signals >= ENOUGH_EVENTS or campaign.strength >= ENOUGH_STRENGTH


def severity(campaign: Campaign) -> Severity:
    """By what was seen and how clearly; where two detectors agree, one step graver."""
    order = list(Severity)
    grave = max(_GRAVITY.get(name, Severity.MEDIUM).rank for name in campaign.detectors)
    clearer = len(campaign.detectors) > 1 or campaign.strength >= 2.0
    limit = Severity.MEDIUM.rank if campaign.technique == EROSION else Severity.CRITICAL.rank
    return order[min(grave + int(clearer), limit)]


def title(campaign: Campaign) -> str:
    """One line for people."""
    known = _TITLES.get(campaign.technique)
    if known is not None:
        return known
    if campaign.detectors == ("watch.contract",):
        return "Impossible inputs, as attack tools send them"
    return "Somebody searches a way around the model"


def alert_of(campaign: Campaign, version: str | None, raised_at: datetime) -> Alert:
    """The alert that a campaign becomes."""
    return Alert(replace(campaign, alerted=True), version, severity(campaign), title(campaign), raised_at)

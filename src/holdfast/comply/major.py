"""Whether an incident is major under DORA: the criteria of Regulation (EU) 2024/1772, thresholds as data.

Pure: impact in, answer and its reasons out. What is not known yet is None; where the answer hangs on that, it is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.comply.clocks import DORA_MAJOR, Thresholds, add
from holdfast.core.policy.duration import parse_duration


@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident did. Shares are of the institution's own numbers (0 to 1). None: not known."""

    critical_service: bool | None = None
    malicious_access: bool | None = None
    clients: int | None = None
    clients_share: float | None = None
    counterparts_share: float | None = None
    transactions_share: float | None = None
    amount_share: float | None = None
    reputation: bool | None = None
    duration: timedelta | None = None
    downtime: timedelta | None = None
    member_states: int | None = None
    data_loss: bool | None = None
    cost_eur: float | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion and whether it is met; None: not known."""

    name: str
    met: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Classification:
    """Major, not major, or (None) not decided yet, with every criterion."""

    major: bool | None
    why: str
    criteria: tuple[Criterion, ...]


def classify(impact: Impact, rule: Thresholds = DORA_MAJOR) -> Classification:
    """Major: a critical service is hit, and there was malicious access or enough further criteria are met."""
    criteria = tuple(_criteria(impact, rule))
    met = sum(one.met is True for one in criteria)
    possible = met + sum(one.met is None for one in criteria)
    grave = _either(impact.malicious_access, met >= rule.needed, possible >= rule.needed)
    major = _and(impact.critical_service, grave)
    return Classification(major, _why(impact, rule, met, major), criteria)


def recurring(moments: Sequence[datetime], rule: Thresholds = DORA_MAJOR) -> bool:
    """Whether incidents of one cause happened so often within the span that together they count as major."""
    times = sorted(moments)
    last = len(times) - rule.recurring.times
    return any(times[at + rule.recurring.times - 1] <= add(times[at], rule.recurring.within) for at in range(last + 1))


def _criteria(impact: Impact, rule: Thresholds) -> list[Criterion]:
    clients = _any(_over(impact.clients_share, rule.clients_share), _over(impact.clients, rule.clients))
    partners = _over(impact.counterparts_share, rule.counterparts_share)
    traffic = _any(
        _over(impact.transactions_share, rule.transactions_share), _over(impact.amount_share, rule.amount_share)
    )
    long = _any(
        _longer(impact.duration, parse_duration(rule.duration)), _longer(impact.downtime, parse_duration(rule.downtime))
    )
    spread = None if impact.member_states is None else impact.member_states >= rule.member_states
    return [
        Criterion(
            "clients, counterparts, transactions",
            _any(clients, partners, traffic),
            f"more than {rule.clients_share:.0%} or {rule.clients:,} clients, {rule.counterparts_share:.0%} of "
            f"counterparts, or {rule.transactions_share:.0%} of transactions by number or value",
        ),
        Criterion("reputation", impact.reputation, "visible damage to reputation"),
        Criterion("duration", long, f"longer than {rule.duration}, or down for more than {rule.downtime}"),
        Criterion("spread", spread, f"{rule.member_states} or more member states"),
        Criterion("data loss", impact.data_loss, "availability, integrity or confidentiality of data lost"),
        Criterion("cost", _over(impact.cost_eur, rule.cost_eur), f"more than {rule.cost_eur:,} EUR"),
    ]


def _why(impact: Impact, rule: Thresholds, met: int, major: bool | None) -> str:
    if impact.critical_service is False:
        return "no critical service is affected"
    if impact.malicious_access and major:
        return "a critical service is affected, and somebody got in with malice"
    said = f"{met} of the {rule.needed} criteria that are needed"
    return f"{said} are met" if major is not None else f"{said} are met so far; what is not known may decide"


def _over(value: float | None, bound: float) -> bool | None:
    return None if value is None else value > bound


def _longer(value: timedelta | None, bound: timedelta) -> bool | None:
    return None if value is None else value > bound


def _any(*parts: bool | None) -> bool | None:
    if any(part is True for part in parts):
        return True
    return None if any(part is None for part in parts) else False


def _and(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _either(malicious: bool | None, enough: bool, possible: bool) -> bool | None:
    return _any(malicious, True if enough else None if possible else False)

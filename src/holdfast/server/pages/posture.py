"""The posture: what is bad now, what changed, what to do; and every unit, region and tier at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.backlog.queries import BacklogView, backlog_view
from holdfast.core.domain import Model, Tier, Verdict
from holdfast.core.domain.alert import Alert, AlertState
from holdfast.core.domain.response import RunState
from holdfast.core.store.findings import FindingState, TrackedFinding
from holdfast.gate.queries import Standing, standings
from holdfast.server.page import AS_OF, page
from holdfast.server.visit import Visit

MAX_BAD = 6
MAX_CHANGES = 7
MAX_TODO = 5
LOOK_BACK = timedelta(hours=24)
WORST_FIRST = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.PASSED)


@dataclass(frozen=True, slots=True)
class Bad:
    """A model that does not pass, and the first reason why."""

    model: str
    tier: str
    unit: str
    region: str
    verdict: Verdict
    expired: bool
    rule: str | None
    why: str
    fix: str
    next_command: str | None
    open_findings: int


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became different, and where to read on."""

    at: datetime
    kind: str
    subject: str
    what: str
    link: str


@dataclass(frozen=True, slots=True)
class Todo:
    """Something for a person to do next; `command` where a terminal does it."""

    urgency: str
    what: str
    why: str
    link: str | None
    command: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The models of one unit, region and tier."""

    tier: str
    failed: int
    unknown: int
    passed: int

    @property
    def total(self) -> int:
        return self.failed + self.unknown + self.passed

    @property
    def worst(self) -> str:
        """The worst verdict in it; empty without a model."""
        counts = (("failed", self.failed), ("unknown", self.unknown), ("passed", self.passed))
        return next((word for word, count in counts if count), "")


@dataclass(frozen=True, slots=True)
class Row:
    """One business unit in one region, by tier from critical to low."""

    unit: str
    region: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Posture:
    """The whole estate at a moment."""

    since: datetime
    models: int
    failed: int
    unknown: int
    passed: int
    open_alerts: int
    open_findings: int
    overdue_items: int
    bad: tuple[Bad, ...]
    changes: tuple[Change, ...]
    more_changes: int
    todo: tuple[Todo, ...]
    tiers: tuple[str, ...]
    rows: tuple[Row, ...]


SINCE = {"since": "What changed after this moment. Default: 24 hours before as_of."}


@page("/posture", "posture.html", "posture", query={**AS_OF, **SINCE})
def posture(visit: Visit) -> Posture:
    """What is bad now, what changed since, what to do; units, regions and tiers."""
    since = visit.moment("since") or visit.as_of - LOOK_BACK
    stands = standings(visit.tx, visit.as_of, visit.models)
    findings = [item for item in visit.tx.findings.all(FindingState.OPEN) if item.finding.model in visit.models]
    alerts = _alerts(visit)
    backlog = backlog_view(visit.tx, visit.as_of)
    count = Counter(item.verdict for item in stands)
    changes = sorted(_changes(visit, since, stands, alerts), key=lambda item: item.at, reverse=True)
    return Posture(
        since=since,
        models=len(stands),
        failed=count[Verdict.FAILED],
        unknown=count[Verdict.UNKNOWN],
        passed=count[Verdict.PASSED],
        open_alerts=sum(alert.state is not AlertState.CLOSED for alert in alerts),
        open_findings=len(findings),
        overdue_items=sum(item.overdue for item in backlog.items if item.model in visit.models),
        bad=tuple(_bad(visit, stands, findings))[:MAX_BAD],
        changes=tuple(changes[:MAX_CHANGES]),
        more_changes=max(0, len(changes) - MAX_CHANGES),
        todo=tuple(_todo(visit, stands, alerts, backlog))[:MAX_TODO],
        tiers=tuple(tier.value for tier in reversed(Tier)),
        rows=tuple(_rows(visit, stands)),
    )


def _alerts(visit: Visit) -> list[Alert]:
    rows = visit.tx.alerts.rows()
    return [row.alert for row in rows if row.alert.model in visit.models and row.alert.raised_at <= visit.as_of]


def _bad(visit: Visit, stands: Iterable[Standing], findings: Iterable[TrackedFinding]) -> Iterator[Bad]:
    open_ones = Counter(item.finding.model for item in findings)
    for item in sorted(stands, key=lambda one: _gravity(one, visit.models[one.model])):
        if item.verdict is not Verdict.PASSED:
            yield _bad_model(item, visit.models[item.model], open_ones[item.model])


def _gravity(item: Standing, model: Model) -> tuple[int, int, str]:
    return WORST_FIRST.index(item.verdict), -model.tier.rank, item.model


def _bad_model(item: Standing, model: Model, open_findings: int) -> Bad:
    rule, why, fix, command = why_not(item)
    return Bad(
        model.name,
        model.tier.value,
        model.unit,
        model.region,
        item.verdict,
        item.expired,
        rule,
        why,
        fix,
        command,
        open_findings,
    )


def why_not(item: Standing) -> tuple[str | None, str, str, str | None]:
    """The rule, the reason, the fix and the next command of a model that does not pass."""
    audit = f"holdfast audit {item.model}"
    if item.judgement is None:
        return None, "it was never judged", "audit it once", audit
    worst = [reason for reason in item.judgement.reasons if reason.verdict is item.judgement.verdict]
    if item.expired and (item.judgement.verdict is Verdict.PASSED or not worst):
        return None, "its verdict is no longer valid", "judge it again on fresh results", audit
    reason = next(iter(worst or item.judgement.reasons), None)
    if reason is None:
        return None, "no reason was given", "judge it again", audit
    return reason.rule, reason.why, reason.fix, reason.next_command


def _changes(visit: Visit, since: datetime, stands: Iterable[Standing], alerts: Iterable[Alert]) -> Iterator[Change]:
    before = {item.model: item for item in standings(visit.tx, since, visit.models)}
    for item in stands:
        old = before[item.model]
        if item.judgement is not None and (old.judgement is None or old.verdict is not item.verdict):
            was = "not judged" if old.judgement is None else old.verdict.value
            until = item.judgement.valid_until
            at = until if item.expired and until is not None else item.judgement.as_of
            yield Change(at, "verdict", item.model, f"{was} → {item.verdict.value}", f"/estate/models/{item.model}")
    for alert in alerts:
        if alert.raised_at > since:
            yield Change(alert.raised_at, "alert", alert.model, alert.title, f"/watch/alerts/{alert.id}")
    yield from _finding_changes(visit, since)
    for name in visit.models:
        for made in visit.tx.models.history(name):
            if since < made.effective_at <= visit.as_of:
                what = f"version {made.version[7:15]} serves in {made.environment}"
                yield Change(made.effective_at, "deployment", name, what, f"/estate/models/{name}")


def _finding_changes(visit: Visit, since: datetime) -> Iterator[Change]:
    for item in visit.tx.findings.all():
        name = item.finding.model
        if name not in visit.models:
            continue
        for at, kind in ((item.opened_at, "finding opened"), (item.closed_at, "finding closed")):
            if at is not None and since < at <= visit.as_of:
                yield Change(at, kind, name, item.finding.message, f"/estate/models/{name}#findings")


def _todo(visit: Visit, stands: Iterable[Standing], alerts: Iterable[Alert], backlog: BacklogView) -> Iterator[Todo]:
    fresh = [alert for alert in alerts if alert.state is AlertState.OPEN]
    for alert in sorted(fresh, key=lambda one: (-one.severity.rank, one.raised_at))[:2]:
        yield Todo("immediate", f"Look at the alert on {alert.model}", alert.title, f"/watch/alerts/{alert.id}", None)
    for run in visit.tx.runs.recent(50):
        if run.model in visit.models and run.missing and run.state(visit.as_of) is not RunState.UNDONE:
            yield Todo(
                "immediate", f"Approve or undo {run.playbook}", f"it waits on {run.model}", "/respond#runs", None
            )
    mine = [item for item in backlog.items if item.model in visit.models and item.state.value == "open"]
    for item in mine[:3]:
        yield Todo(item.urgency.value, item.title, f"{item.model}: {_due(item.days_left)}", item_link(item.id), None)
    covered = {item.model for item in backlog.items}
    for stand in stands:
        if stand.verdict is not Verdict.PASSED and stand.model not in covered:
            _, why, fix, command = why_not(stand)
            yield Todo(stand.verdict.value, f"{stand.model}: {fix}", why, f"/estate/models/{stand.model}", command)


def item_link(item: str) -> str:
    """Where one backlog item is shown."""
    return f"/backlog/items/{item}"


def _due(days: float | None) -> str:
    if days is None:
        return "no clock runs"
    return f"{-days:.0f} days late" if days < 0 else f"due in {days:.0f} days"


def _rows(visit: Visit, stands: Iterable[Standing]) -> Iterator[Row]:
    counts: Counter[tuple[str, str, Tier, Verdict]] = Counter()
    for item in stands:
        model = visit.models[item.model]
        counts[model.unit, model.region, model.tier, item.verdict] += 1
    for unit, region in sorted({key[:2] for key in counts}):
        cells = (
            Cell(tier.value, *(counts[unit, region, tier, word] for word in WORST_FIRST)) for tier in reversed(Tier)
        )
        yield Row(unit, region, tuple(cells))

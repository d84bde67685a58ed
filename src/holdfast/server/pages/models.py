"""The models of the estate, and everything that is known of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.backlog.queries import ItemRow, backlog_view
from holdfast.core.domain import Fact, Judgement, Measurement, Model, Recorded, Verdict
from holdfast.core.report import CheckResult, ModelReport
from holdfast.core.report.plot import Plot
from holdfast.core.store.findings import FindingState
from holdfast.gate.picture import plots
from holdfast.gate.queries import Standing, standing, standings
from holdfast.server.page import AS_OF, page
from holdfast.server.pages.posture import why_not
from holdfast.server.visit import Visit
from holdfast.watch.queries import AlertLine, alerts_view

MAX_FACTS = 12


@dataclass(frozen=True, slots=True)
class Listed:
    """One model in the list."""

    model: str
    unit: str
    region: str
    tier: str
    owner: str
    verdict: Verdict
    judged: bool
    expired: bool
    deployed: str | None
    judged_at: datetime | None
    valid_until: datetime | None
    open_findings: int
    open_alerts: int


@dataclass(frozen=True, slots=True)
class Models:
    """The models that the filters leave, worst first, and the words to filter by."""

    total: int
    models: tuple[Listed, ...]
    units: tuple[str, ...]
    regions: tuple[str, ...]


FILTERS = {
    "unit": "Only models of this business unit.",
    "region": "Only models of this region.",
    "tier": "Only models of this tier.",
    "verdict": "Only models that stand at this verdict.",
}


@page("/estate/models", "models.html", "models", query={**AS_OF, **FILTERS})
def models(visit: Visit) -> Models:
    """Every model with the verdict that holds, worst first."""
    findings = Counter(item.finding.model for item in visit.tx.findings.all(FindingState.OPEN))
    alerts = Counter(alert.model for alert in visit.tx.alerts.open())
    stands = standings(visit.tx, visit.as_of, visit.models)
    rows = (_listed(visit, item, findings[item.model], alerts[item.model]) for item in stands)
    wanted = {name: visit.word(name) for name in FILTERS}
    kept = tuple(row for row in rows if all(value in (None, getattr(row, name)) for name, value in wanted.items()))
    every = visit.models.values()
    return Models(
        len(stands),
        kept,
        tuple(sorted({model.unit for model in every})),
        tuple(sorted({model.region for model in every})),
    )


def _listed(visit: Visit, item: Standing, findings: int, alerts: int) -> Listed:
    model, judgement = visit.models[item.model], item.judgement
    return Listed(
        model=model.name,
        unit=model.unit,
        region=model.region,
        tier=model.tier.value,
        owner=model.owner,
        verdict=item.verdict,
        judged=judgement is not None,
        expired=item.expired,
        deployed=visit.tx.models.deployed_at(model.name, visit.as_of),
        judged_at=None if judgement is None else judgement.as_of,
        valid_until=None if judgement is None else judgement.valid_until,
        open_findings=findings,
        open_alerts=alerts,
    )


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version and where it stands."""

    version: str
    format: str
    deployed: bool
    verdict: Verdict | None
    judged_at: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding and its life."""

    fingerprint: str
    rule: str
    severity: str
    technique: str | None
    check: str
    message: str
    location: str
    state: str
    opened_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Result:
    """What one check saw on the version that was judged."""

    check: str
    check_version: int
    status: str
    reason: str | None
    recorded_at: datetime
    measurements: tuple[Measurement, ...]
    facts: tuple[Fact, ...]
    more_facts: int


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An automatic effect on this model, and every cause of it."""

    effect: str
    target: str
    ceiling: str
    causes: tuple[str, ...]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Everything about one model at a moment."""

    model: Model
    verdict: Verdict
    expired: bool
    headline: str
    judgement: Judgement | None
    versions: tuple[Version, ...]
    findings: tuple[FindingRow, ...]
    results: tuple[Result, ...]
    plots: tuple[Plot, ...]
    alerts: tuple[AlertLine, ...]
    items: tuple[ItemRow, ...]
    effects: tuple[EffectRow, ...]
    leaves: tuple[tuple[str, int | None], ...]


@page("/estate/models/{name}", "model.html", "models", query=AS_OF)
def model(visit: Visit) -> ModelPage:
    """One model: versions, verdict, findings, measurements, alerts, items, effects, ledger."""
    found = visit.model(visit.params["name"])
    stands = standing(visit.tx, found.name, visit.as_of)
    seen = _seen(visit, stands.judgement)
    alerts = alerts_view(visit.tx, model=found.name, limit=20)
    return ModelPage(
        model=found,
        verdict=stands.verdict,
        expired=stands.expired,
        headline=_headline(stands),
        judgement=stands.judgement,
        versions=tuple(_versions(visit, found.name)),
        findings=tuple(_findings(visit, found.name)),
        results=tuple(_result(item) for item in seen),
        plots=_plots(stands.judgement, seen),
        alerts=tuple(line for line in alerts if line.raised_at <= visit.as_of),
        items=backlog_view(visit.tx, visit.as_of, model=found.name, every=True).items,
        effects=tuple(_effects(visit, found.name)),
        leaves=() if stands.judgement is None else tuple(visit.tx.intents.about(stands.judgement.key)),
    )


def _headline(stands: Standing) -> str:
    if stands.verdict is Verdict.PASSED and stands.judgement is not None:
        return f"Every rule of the policy {stands.judgement.policy} holds."
    return why_not(stands)[1]


def _versions(visit: Visit, name: str) -> Iterator[Version]:
    serving = visit.tx.models.deployed_at(name, visit.as_of)
    stands = visit.tx.judgements.standings(name)
    for item in reversed(visit.tx.models.versions(name)):
        found = stands.get(item.digest)
        yield Version(
            item.digest,
            item.format,
            item.digest == serving,
            None if found is None else found.verdict,
            None if found is None else found.as_of,
            None if found is None else found.valid_until,
        )


def _findings(visit: Visit, name: str) -> Iterator[FindingRow]:
    order = list(FindingState)
    found = visit.tx.findings.of(name)
    for item in sorted(found, key=lambda one: (order.index(one.state), -one.finding.severity.rank)):
        said = item.finding
        yield FindingRow(
            said.fingerprint,
            said.rule,
            said.severity.value,
            said.technique,
            said.check,
            said.message,
            said.location,
            item.state.value,
            item.opened_at,
            item.closed_at,
        )


def _seen(visit: Visit, judgement: Judgement | None) -> list[Recorded]:
    """What the judgement was made from; all there is, for one of before that was kept."""
    if judgement is None:
        return []
    keys = set(visit.tx.judgements.inputs(judgement.key).observations)
    history = visit.tx.observations.of(judgement.model, judgement.version)
    return [item for item in history if not keys or item.key in keys]


def _result(item: Recorded) -> Result:
    seen = item.observation
    return Result(
        item.check,
        item.check_version,
        seen.status.value,
        seen.reason,
        item.recorded_at,
        seen.measurements,
        seen.facts[:MAX_FACTS],
        max(0, len(seen.facts) - MAX_FACTS),
    )


def _plots(judgement: Judgement | None, seen: list[Recorded]) -> tuple[Plot, ...]:
    if judgement is None:
        return ()
    return plots(ModelReport(judgement, tuple(CheckResult.of(item, cached=True) for item in seen)))


def _effects(visit: Visit, name: str) -> Iterator[EffectRow]:
    for item in visit.tx.claims.effects(visit.as_of):
        kind, _, target = item.target.partition(":")
        owner = target.partition("@" if kind == "version" else "/")[0] if kind in ("version", "client") else target
        if kind in ("model", "version", "client") and owner == name:
            yield EffectRow(item.effect, item.target, item.ceiling.value, item.causes, item.until)

"""What is seen of a model at work, as the judge gets it: alerts and the findings that predicted them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from holdfast.core.domain import Fact, Finding, Observation, Recorded, digest
from holdfast.core.domain.alert import CAMPAIGN_CHECK, Alert
from holdfast.core.policy import newest
from holdfast.core.store import FindingState, Transaction

CHECK_VERSION = 1
PREDICTED = "predicted"
UNPREDICTED = "unpredicted"
COLUMN = ".column"
"""Ending of the kinds of facts by which a check names the columns that its finding is about."""
TICK = timedelta(microseconds=1)


def foreseen(tx: Transaction, alert: Alert) -> str | None:
    """The fingerprint of the open finding that predicted an alert: its technique, and no other columns than its own.

    A check's finding goes before one that an earlier alert gave; that one predicts nothing.
    """
    fits = [
        item.finding
        for item in tx.findings.of(alert.model, FindingState.OPEN)
        if item.finding.check != CAMPAIGN_CHECK and akin(item.finding.technique, alert.campaign.technique)
    ]
    near = [finding for finding in fits if _overlap(tx, finding, alert)]
    gravest = sorted(near, key=lambda finding: (-finding.severity.rank, finding.fingerprint))
    return gravest[0].fingerprint if gravest else None


def akin(one: str | None, other: str) -> bool:
    """Whether two techniques are the same, or one is the other's sub-technique."""
    return one is not None and (one == other or one.startswith(f"{other}.") or other.startswith(f"{one}."))


def _overlap(tx: Transaction, finding: Finding, alert: Alert) -> bool:
    """Whether finding and alert share a column; where either names none, nothing speaks against it."""
    seen = set(alert.campaign.columns)
    named = _columns(tx, finding)
    return not seen or not named or bool(seen & named)


def _columns(tx: Transaction, finding: Finding) -> set[str]:
    """The columns that the finding's check named when it was last taken on what is deployed."""
    version = tx.models.deployed(finding.model)
    if version is None:
        return set()
    taken = newest(item for item in tx.observations.of(finding.model, version) if item.check == finding.check)
    facts = (fact for item in taken for fact in item.observation.facts)
    return {str(fact.value) for fact in facts if fact.kind.endswith(COLUMN)}


def minted(tx: Transaction, alert: Alert) -> str | None:
    """The fingerprint of the open finding that the judge gave for live campaigns of the alert's technique."""
    found = tx.findings.of(alert.model, FindingState.OPEN)
    fits = [
        item.finding.fingerprint
        for item in found
        if item.finding.check == CAMPAIGN_CHECK and item.finding.technique == alert.campaign.technique
    ]
    return fits[0] if fits else None


def observe(tx: Transaction, alert: Alert, cause: str) -> tuple[str, ...]:
    """Write down, for every version concerned, which alerts on it are open now. Gives those versions.

    The newest such observation counts, so each names all open alerts, and one without any ends what they meant.
    """
    versions = [version.digest for version in tx.models.versions(alert.model)]
    concerned = [item for item in versions if item == _version(tx, alert, versions) or _last(tx, alert.model, item)]
    for version in concerned:
        facts = tuple(_facts(tx, alert.model, version, versions))
        last = _last(tx, alert.model, version)
        if last is None or last.observation.facts != facts:
            tx.observations.add(_recorded(alert.model, version, facts, cause, _after(last, tx.now)))
    return tuple(concerned)


def _version(tx: Transaction, alert: Alert, known: Iterable[str]) -> str | None:
    """The version an alert is about: its own where that is one we know, else the one that serves."""
    return alert.version if alert.version in set(known) else tx.models.deployed(alert.model)


def _last(tx: Transaction, model: str, version: str) -> Recorded | None:
    seen = newest(item for item in tx.observations.of(model, version) if item.check == CAMPAIGN_CHECK)
    return seen[0] if seen else None


def _facts(tx: Transaction, model: str, version: str, known: list[str]) -> Iterator[Fact]:
    """A fact per open alert on a version. The technique stands as the member, so that each has a finding of its own."""
    for alert in sorted(tx.alerts.open(model), key=lambda item: item.id):
        if _version(tx, alert, known) != version:
            continue
        technique = alert.campaign.technique
        value = UNPREDICTED if _prediction(tx, alert) is None else PREDICTED
        yield Fact(CAMPAIGN_CHECK, value, member=technique, detail=alert.id)
        yield Fact(f"{CAMPAIGN_CHECK}.technique", technique, detail=alert.id)
        for column in sorted(set(alert.campaign.columns))[:50]:
            yield Fact(f"{CAMPAIGN_CHECK}{COLUMN}", column, detail=alert.id)


def _prediction(tx: Transaction, alert: Alert) -> str | None:
    """The finding an alert was joined to stays its prediction, also when it is closed by now."""
    joined = next((item for item in tx.findings.of(alert.model) if item.finding.fingerprint == alert.finding), None)
    if joined is not None and joined.finding.check != CAMPAIGN_CHECK:
        return alert.finding
    return foreseen(tx, alert) if alert.finding is None else None


def _recorded(model: str, version: str, facts: tuple[Fact, ...], cause: str, at: datetime) -> Recorded:
    said: list[list[str | None]] = [[fact.kind, str(fact.value), fact.member, fact.detail] for fact in facts]
    key = digest([CAMPAIGN_CHECK, CHECK_VERSION, model, version, cause, [list(item) for item in said]])
    return Recorded(key, CAMPAIGN_CHECK, CHECK_VERSION, model, version, Observation.of(facts), at, 0.0)


def _after(last: Recorded | None, now: datetime) -> datetime:
    """Now, or just after the last one where the clock has not moved: the newest must be told apart."""
    return now if last is None else max(now, last.recorded_at + TICK)


def join(tx: Transaction, alert: Alert, fingerprint: str | None) -> Alert:
    """The alert, joined to a finding if there is one and it was not joined before."""
    if fingerprint is None or alert.finding is not None:
        return alert
    tx.alerts.set_finding(alert.id, fingerprint)
    return replace(alert, finding=fingerprint)

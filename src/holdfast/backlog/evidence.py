"""The inputs of the ranking table for one finding, out of what the store knows: alerts, measurements, the manifest."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from holdfast.backlog.ranking import Inputs
from holdfast.backlog.table import Exploitation, Exposure, Utility
from holdfast.core.domain import Finding, Model, Recorded, Tier
from holdfast.core.domain.alert import CAMPAIGN_CHECK, Alert, AlertState
from holdfast.core.store import Transaction

INSIDE: Final = (".internal", ".intranet", ".corp", ".lan", ".local", ".localhost", ".svc", ".home.arpa")
"""Endings of host names that lead nowhere from outside."""
CHEAP_QUERIES: Final = 10_000
"""An attack that needs no more queries than this runs by itself."""
PROGRAMS: Final = {
    "scan": "loading the file is enough",
    "deps": "programs for published advisories are shared",
    "endpoint": "a program can ask an endpoint",
    "watch": "the campaign ran by itself",
}
"""Areas of checks whose findings a program exploits without a person, and why."""


@dataclass
class Evidence:
    """What is known of one model; read once, asked for each of its findings."""

    tx: Transaction
    model: Model
    _seen: dict[str, list[Recorded]] = field(default_factory=dict, repr=False)

    @cached_property
    def version(self) -> str | None:
        """The version that counts: the one in production, else one of `that_count`."""
        serving = self.tx.models.deployed(self.model.name)
        return serving or next(iter(that_count(self.tx, self.model.name)), None)

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What holdfast.yaml said of that version."""
        return (self.tx.models.manifest(self.model.name, self.version) if self.version else None) or {}

    def inputs(self, finding: Finding) -> Inputs:
        """Everything the table asks of a finding."""
        record = self._newest(finding)
        success = _success(record)
        share = 0.0 if success is None else success[1]
        exploitation, exploited = self._exploitation(finding, record, success)
        exposure, exposed = exposure_of(self.manifest)
        utility, used = _utility(finding, record)
        tier: Tier = self.model.tier
        return Inputs(exploitation, exploited, exposure, exposed, utility, used, tier, finding.severity, share)

    def _newest(self, finding: Finding) -> Recorded | None:
        """The newest result of the finding's check, on the version where the finding was seen last."""
        seen = [item.version for item in self.tx.findings.occurrences(finding.fingerprint) if item.present]
        versions = [self.version] if self.version in seen else seen[-1:]
        mine = [one for name in versions if name for one in self.records(name, finding.check)]
        return max(mine, key=lambda one: (one.recorded_at, one.key), default=None)

    def records(self, version: str, check: str) -> list[Recorded]:
        """The results of a check on a version."""
        if version not in self._seen:
            self._seen[version] = self.tx.observations.of(self.model.name, version)
        return [one for one in self._seen[version] if one.check == check]

    def _exploitation(
        self, finding: Finding, record: Recorded | None, success: tuple[str, float] | None
    ) -> tuple[Exploitation, str]:
        live = [alert for alert in alerts_of(self.tx, finding.fingerprint) if alert.state is not AlertState.CLOSED]
        if live:
            return Exploitation.LIVE, f"{len(live)} alert{'s' if len(live) > 1 else ''} joined: {live[-1].id}"
        if finding.check == CAMPAIGN_CHECK:
            return Exploitation.LIVE, "a campaign is running that nothing predicted"
        if success is not None and success[1] > 0:
            return Exploitation.OWN, f"{success[0]} is {success[1]:.3g} in {finding.check}"
        if _blocked(record):
            return Exploitation.OWN, "what runs on loading lies in the file itself"
        if finding.technique is not None:
            return Exploitation.PUBLIC, f"{finding.technique} is described publicly"
        return Exploitation.NONE, "no technique is named and no attack succeeded"


def alerts_of(tx: Transaction, fingerprint: str) -> Sequence[Alert]:
    """The alerts that were joined to a finding."""
    return tx.alerts.of_finding(fingerprint)


def that_count(tx: Transaction, model: str) -> list[str]:
    """The versions that a finding is open or closed by: those that serve anywhere, else the one asked for last."""
    history = sorted(tx.models.history(model), key=lambda one: one.effective_at)
    serving = {one.environment: one.version for one in history}
    return sorted(set(serving.values())) or tx.judgements.current(model)


def exposure_of(manifest: Mapping[str, Any]) -> tuple[Exposure, str]:
    """Who reaches a model, by the endpoint that its manifest declares."""
    endpoint = manifest.get("endpoint")
    if not isinstance(endpoint, Mapping):
        return Exposure.INTERNAL, "no endpoint is declared"
    host = urlsplit(str(endpoint.get("url", ""))).hostname or ""
    if _inside(host):
        return Exposure.INTERNAL, f"the endpoint {host or 'without a host'} is not reached from outside"
    if endpoint.get("auth"):
        return Exposure.PARTNER, f"the endpoint {host} asks for a token"
    return Exposure.PUBLIC, f"the endpoint {host} asks for no token"


def _inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(INSIDE)


def _success(record: Recorded | None) -> tuple[str, float] | None:
    """The largest share of attacks of ours that succeeded, and what it is called."""
    measured = () if record is None else record.observation.measurements
    shares = [(one.name, min(1.0, max(0.0, one.value))) for one in measured if one.name.endswith("success_share")]
    return max(shares, key=lambda pair: (pair[1], pair[0]), default=None)


def _blocked(record: Recorded | None) -> bool:
    facts = () if record is None else record.observation.facts
    return any(fact.kind == "scan.verdict" and fact.value == "blocked" for fact in facts)


def _utility(finding: Finding, record: Recorded | None) -> tuple[Utility, str]:
    """Automatable by what it needs: nothing but the file, or queries cheap enough to be sent by a program."""
    area = finding.check.partition(".")[0]
    if area in PROGRAMS:
        return Utility.AUTOMATABLE, PROGRAMS[area]
    measured = () if record is None else record.observation.measurements
    queries = [one.value for one in measured if one.name.endswith("queries")]
    if queries:
        cost = min(queries)
        found = Utility.AUTOMATABLE if cost <= CHEAP_QUERIES else Utility.MANUAL
        return found, f"{cost:,.0f} queries a success; {CHEAP_QUERIES:,} count as cheap"
    if _success(record) is not None:
        return Utility.AUTOMATABLE, "a program found it from the model file alone"
    return Utility.MANUAL, "no program is known that does it"

"""A bank of few words: one call for each thing that can happen, ledgered as the real rooms do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.core.domain import (
    Fact,
    Finding,
    FrozenClock,
    Judgement,
    Measurement,
    Model,
    ModelVersion,
    Observation,
    People,
    Reason,
    Recorded,
    Severity,
    Task,
    Tier,
    Verdict,
    fingerprint,
)
from holdfast.core.domain.control import Attestation
from holdfast.core.ledger import Ledger
from holdfast.core.sign import SigningKey
from holdfast.core.store import Inputs, Store

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CHECKS = ("scan.artifact", "data.contract", "deps.advisories", "evasion.search", "quality.performance")
KEY = SigningKey(bytes(range(32)))


@dataclass
class Bank:
    """What happens in it. Everything is ledgered as the real rooms do, and settled when asked."""

    store: Store
    clock: FrozenClock
    ledger: Ledger
    count: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    last_seen: list[str] = field(default_factory=list)

    def pass_time(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))

    def settle(self) -> None:
        self.ledger.append_pending()

    def register(self, name: str = "limits", version: str = "sha256:v1", **changes: Any) -> None:
        said = {
            "unit": "cards",
            "region": "eu",
            "owner": "cards@bank.example",
            "tier": Tier.HIGH,
            "purpose": "Decide limit increases.",
            "task": Task("binary"),
            "people": People(True, True, False),
            "use": ("credit",),
        }
        model = Model(name=name, **{**said, **changes})
        with self.store.transaction() as tx:
            tx.models.register(model, ModelVersion(name, version, "ubj"), {"endpoint": None})
        self.versions.setdefault(name, version)

    def audit(
        self,
        name: str = "limits",
        version: str | None = None,
        *,
        broken: str | None = None,
        blind: str | None = None,
        verdict: Verdict | None = None,
        as_of: datetime | None = None,
        days: float = 30,
        rule: str = "rule",
        seen: list[str] | None = None,
    ) -> str:
        """Observe every check and judge: `broken` gives a finding, `blind` could not decide.

        `seen`: judge only, by these observations, as the loop does.
        """
        self.count += 1
        place, now = version or self.versions[name], self.clock()
        keys = seen or [self._observe(name, place, check, check == blind) for check in CHECKS]
        self.last_seen = keys
        findings = () if broken is None else (self._finding(name, broken),)
        stands = verdict or (Verdict.FAILED if broken else Verdict.UNKNOWN if blind else Verdict.PASSED)
        judgement = Judgement(
            key=f"sha256:j{self.count}{name}",
            model=name,
            version=place,
            verdict=stands,
            blocks=stands is not Verdict.PASSED,
            reasons=() if stands is Verdict.PASSED else (Reason(rule, stands, "why it is so", "mend it"),),
            findings=findings,
            policy="baseline",
            policy_digest="sha256:p",
            intel="sha256:i",
            as_of=as_of or now,
            valid_until=(as_of or now) + timedelta(days=days),
        )
        with self.store.transaction() as tx:
            tx.judgements.add(judgement, Inputs(("tree",), tuple(keys)))
            tx.intend("model.judged", {"judgement": judgement.key, "model": name}, about=judgement.key)
        return judgement.key

    def _observe(self, name: str, version: str, check: str, blind: bool) -> str:
        key = f"sha256:o{self.count}{name}{check}"
        seen = Observation.of(
            Measurement(f"{check}.share", self.count / 1000, "share", n=10), Fact("package", f"pkg:pypi/p@{self.count}")
        )
        said = Observation.unknown("it could not be read") if blind else seen
        with self.store.transaction() as tx:
            tx.observations.add(Recorded(key, check, 1, name, version, said, self.clock(), 0.1))
            tx.intend("observation.recorded", {"key": key, "model": name}, about=key)
        return key

    def _finding(self, name: str, check: str) -> Finding:
        mark = fingerprint(name, check, "AML.T0015", "")
        return Finding(mark, "rule", Severity.HIGH, "AML.T0015", name, check, f"{check} is broken ({self.count})")

    def deploy(self, name: str = "limits", version: str | None = None, at: datetime | None = None) -> None:
        with self.store.transaction() as tx:
            tx.models.deploy(name, version or self.versions[name], effective_at=at)

    def attest(self, what: str, **changes: Any) -> Attestation:
        kind, _, theme = what.partition(":")
        self.count += 1
        now = self.clock()
        said = {"by": "A. Person", "statement": "it is so", "effective_at": now, "expires_at": None, **changes}
        with self.store.transaction() as tx:
            return tx.attestations.add(Attestation(f"att_{self.count}", kind, theme, recorded_at=now, **said))

    def tell(self, kind: str, body: dict[str, Any], about: str) -> None:
        """What another room would have written into the ledger."""
        with self.store.transaction() as tx:
            tx.intend(kind, body, about=about)

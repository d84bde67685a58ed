"""What was observed is judged: the one judge's answer is kept, and the ledger told, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.audit.run import Audited
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.observation import Attempt
from holdfast.core.domain.verdict import Judgement
from holdfast.core.policy import Baseline, Policy, Snapshot, Subject, judge, newest
from holdfast.core.store import Store
from holdfast.core.store.transaction import Transaction


@dataclass(frozen=True)
class Court:
    """Judges audited models. `policies` gives the policy of a model by its name in the manifest."""

    store: Store
    policies: Callable[[Audited], Policy]
    intel: Snapshot

    def judge(self, audited: Audited, *, as_of: datetime, baseline: Baseline | None = None) -> Judgement:
        """The verdict on one model at `as_of`, compared with `baseline` or else the deployed version. Kept for ever."""
        subject = self.subject(audited)
        judgement = judge(
            subject,
            self.policies(audited),
            as_of=as_of,
            intel=self.intel,
            baseline=baseline or self._deployed(audited),
        )
        self.store.run(lambda tx: _keep(tx, judgement))
        return judgement

    def subject(self, audited: Audited) -> Subject:
        """What the judge sees of a model: current observations, and why others are missing."""
        recorded = tuple(result.recorded for result in audited.results if result.recorded is not None)
        return Subject(audited.subject.model, audited.version, audited.kinds, recorded, self._attempts(audited))

    def _attempts(self, audited: Audited) -> tuple[Attempt, ...]:
        failed = [result.work.key for result in audited.results if result.recorded is None]
        if not failed:
            return ()
        with self.store.reading() as tx:
            return tuple(tx.attempts.last_of(failed).values())

    def _deployed(self, audited: Audited) -> Baseline | None:
        """The measurements of the version in production, if one is."""
        with self.store.reading() as tx:
            version = tx.models.deployed(audited.version.model)
            if version is None:
                return None
            return Baseline.of(
                f"deployed {version}", version, newest(tx.observations.of(audited.version.model, version))
            )


def _keep(tx: Transaction, judgement: Judgement) -> None:
    if tx.judgements.add(judgement):
        tx.intend("model.judged", _leaf(judgement))


def _leaf(judgement: Judgement) -> Mapping[str, JSONValue]:
    return {
        "judgement": judgement.key,
        "model": judgement.model,
        "version": judgement.version,
        "verdict": judgement.verdict.value,
        "policy": judgement.policy_digest,
        "intel": judgement.intel,
    }

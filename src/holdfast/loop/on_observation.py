"""What was observed is judged: the one judge's answer is kept, and the ledger and the loop told, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from holdfast.audit.run import Audited
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.observation import Attempt, Recorded
from holdfast.core.domain.topics import JUDGED
from holdfast.core.domain.verdict import Judgement
from holdfast.core.policy import Baseline, Policy, Snapshot, Subject, judge, newest
from holdfast.core.store import Inputs, Store, Transaction
from holdfast.loop.docket import LIVE_CHECKS, deployed_baseline, inputs_of


@dataclass(frozen=True)
class Court:
    """Judges audited models. `policies` gives the policy of a model by its name in the manifest."""

    store: Store
    policies: Callable[[Audited], Policy]
    intel: Snapshot

    def judge(self, audited: Audited, *, as_of: datetime, baseline: Baseline | None = None) -> Judgement:
        """The verdict on one model at `as_of`, compared with `baseline` or else the deployed version. Kept for ever."""
        policy = self.policies(audited)
        with self.store.reading() as tx:
            subject = self._subject(tx, audited)
            against = baseline or deployed_baseline(tx, audited.version.model)
        judgement = judge(subject, policy, as_of=as_of, intel=self.intel, baseline=against)
        self.store.run(lambda tx: keep(tx, judgement, policy, inputs_of(subject)))
        return judgement

    def _subject(self, tx: Transaction, audited: Audited) -> Subject:
        """What the judge sees of a model: current observations, what was seen live, and why others are missing."""
        recorded = tuple(result.recorded for result in audited.results if result.recorded is not None)
        seen = (*recorded, *_live(tx, audited))
        return Subject(audited.subject.model, audited.version, audited.kinds, seen, self._attempts(tx, audited))

    def _attempts(self, tx: Transaction, audited: Audited) -> tuple[Attempt, ...]:
        failed = [result.work.key for result in audited.results if result.recorded is None]
        return tuple(tx.attempts.last_of(failed).values()) if failed else ()


def _live(tx: Transaction, audited: Audited) -> tuple[Recorded, ...]:
    history = tx.observations.of(audited.version.model, audited.version.digest)
    return newest(item for item in history if item.check in LIVE_CHECKS)


def keep(tx: Transaction, judgement: Judgement, policy: Policy, inputs: Inputs) -> bool:
    """Keep a judgement with all that is needed to judge again; False, and nothing is told, when it is known."""
    tx.policies.keep(policy.digest, policy.to_json())
    if not tx.judgements.add(judgement, inputs):
        return False
    tx.intend("model.judged", _leaf(judgement), about=judgement.key)
    body = {"model": judgement.model, "version": judgement.version, "verdict": judgement.verdict.value}
    tx.outbox.publish(JUDGED, judgement.key, body)
    return True


def _leaf(judgement: Judgement) -> Mapping[str, JSONValue]:
    return {
        "judgement": judgement.key,
        "model": judgement.model,
        "version": judgement.version,
        "verdict": judgement.verdict.value,
        "policy": judgement.policy_digest,
        "intel": judgement.intel,
    }

"""What was observed is judged: the one judge's answer is kept, and the ledger and the loop told, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.audit.run import Audited
from holdfast.core.domain.ids import JSONValue
from holdfast.core.domain.observation import Attempt, Recorded
from holdfast.core.domain.topics import JUDGED
from holdfast.core.domain.verdict import Judgement
from holdfast.core.policy import Baseline, Policy, Snapshot, Subject, judge, newest
from holdfast.core.store import Inputs, Store, Transaction
from holdfast.loop.docket import LIVE_CHECKS, deployed_baseline, inputs_of
from holdfast.loop.names import Names, by_names, inside


@dataclass(frozen=True)
class Court:
    """Judges audited models. `policies` gives the policy of a model by its name in the manifest, `names` the list."""

    store: Store
    policies: Callable[[Audited], Policy]
    intel: Snapshot
    names: Names = inside

    def judge(self, audited: Audited, *, as_of: datetime, baseline: Baseline | None = None) -> Judgement:
        """The verdict on one model at `as_of`, compared with `baseline` or else the deployed version. Kept for ever."""
        policy = self.policies(audited)
        again = by_names(policy, as_of, self.names)
        with self.store.reading() as tx:
            subject = self._subject(tx, audited)
            subject = replace(subject, observations=again(subject.observations))
            against = baseline or deployed_baseline(tx, audited.version.model, again)
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A judgement with all that is needed to judge again."""

    judgement: Judgement
    policy: Policy
    inputs: Inputs


def keep(tx: Transaction, judgement: Judgement, policy: Policy, inputs: Inputs) -> bool:
    """Keep a judgement with all that is needed to judge again; False, and nothing is told, when it is known."""
    return bool(keep_all(tx, [Kept(judgement, policy, inputs)]))


def keep_all(tx: Transaction, made: Sequence[Kept]) -> list[Judgement]:
    """`keep` for many at once; gives those that were new."""
    for policy in {one.policy.digest: one.policy for one in made}.values():
        tx.policies.keep(policy.digest, policy.to_json())
    new = tx.judgements.add_all([(one.judgement, one.inputs) for one in made])
    tx.intents.add_all([("model.judged", _leaf(one), one.key) for one in new])
    tx.outbox.publish_all(JUDGED, [(one.key, _told(one)) for one in new])
    return new


def _told(judgement: Judgement) -> Mapping[str, JSONValue]:
    return {"model": judgement.model, "version": judgement.version, "verdict": judgement.verdict.value}


def _leaf(judgement: Judgement) -> Mapping[str, JSONValue]:
    return {
        "judgement": judgement.key,
        "model": judgement.model,
        "version": judgement.version,
        "verdict": judgement.verdict.value,
        "policy": judgement.policy_digest,
        "intel": judgement.intel,
    }

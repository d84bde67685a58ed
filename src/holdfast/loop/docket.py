"""What the court needs to judge a version again, out of the store alone: nothing is opened or run."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.core.domain.alert import CAMPAIGN_CHECK
from holdfast.core.domain.model import ModelVersion
from holdfast.core.domain.observation import Recorded
from holdfast.core.policy import Baseline, Policy, Subject, newest
from holdfast.core.store import Inputs, Transaction

LIVE_CHECKS = (CAMPAIGN_CHECK,)
"""Checks that no audit takes: what they see arrives by itself, and the newest counts."""


def subject_of(tx: Transaction, model: str, version: str) -> Subject | None:
    """The subject as it was last judged, with what arrived since; None where that version was never judged."""
    known = tx.models.find(model)
    last = tx.judgements.latest(model, version)
    if known is None or last is None:
        return None
    inputs = tx.judgements.inputs(last.key)
    seen = _seen(tx, model, version, inputs)
    attempts = tuple(tx.attempts.last_of(inputs.attempts).values()) if inputs.attempts else ()
    return Subject(known, ModelVersion(model, version, ""), frozenset(inputs.kinds), seen, attempts)


def _seen(tx: Transaction, model: str, version: str, inputs: Inputs) -> tuple[Recorded, ...]:
    wanted = set(inputs.observations)
    history = tx.observations.of(model, version)
    judged = [item for item in history if item.key in wanted and item.check not in LIVE_CHECKS]
    live = newest(item for item in history if item.check in LIVE_CHECKS)
    return (*judged, *live)


def policy_of(tx: Transaction, digest: str, cache: dict[str, Policy]) -> Policy | None:
    """The policy with this digest as it judged before."""
    if digest not in cache:
        text = tx.policies.text(digest)
        if text is None:
            return None
        cache[digest] = Policy.from_json(text, f"policy {digest}")
    return cache[digest]


def deployed_baseline(tx: Transaction, model: str) -> Baseline | None:
    """The measurements of the version in production, if one is."""
    version = tx.models.deployed(model)
    if version is None:
        return None
    return Baseline.of(f"deployed {version}", version, newest(tx.observations.of(model, version)))


def inputs_of(subject: Subject) -> Inputs:
    """What to keep beside a judgement of this subject."""
    return Inputs(
        tuple(sorted(subject.kinds)), _keys(subject.observations), tuple(sorted({one.key for one in subject.attempts}))
    )


def _keys(records: Iterable[Recorded]) -> tuple[str, ...]:
    return tuple(sorted({item.key for item in records}))

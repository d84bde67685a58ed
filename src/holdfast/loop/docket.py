"""What the court needs to judge versions again, out of the store alone: nothing is opened or run.

Everything is read for many models at once: an advisory that hits a thousand of them is a handful of queries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from holdfast.core.domain.alert import CAMPAIGN_CHECK
from holdfast.core.domain.model import ModelVersion
from holdfast.core.domain.observation import Attempt, Recorded
from holdfast.core.domain.verdict import Judgement
from holdfast.core.policy import Baseline, Policy, Subject, newest
from holdfast.core.store import Inputs, Transaction

LIVE_CHECKS = (CAMPAIGN_CHECK,)
"""Checks that no audit takes: what they see arrives by itself, and the newest counts."""

Place = tuple[str, str]
"""A model and one of its versions."""

Again = Callable[[Iterable[Recorded]], tuple[Recorded, ...]]
"""Records as the list of names and the additions in force judge them (`scan/again.py`)."""


@dataclass(frozen=True, slots=True)
class Case:
    """A version to judge again: the subject, the judgement that stands, and what serves now with its records."""

    subject: Subject
    last: Judgement
    serving: tuple[str, tuple[Recorded, ...]] | None

    @property
    def baseline(self) -> Baseline | None:
        """What it is compared with, as it was recorded."""
        return self.against(tuple)

    def against(self, again: Again) -> Baseline | None:
        """What it is compared with; None where nothing is in production."""
        return None if self.serving is None else _baseline(self.serving[0], again(self.serving[1]))


def cases(tx: Transaction, models: Iterable[str]) -> list[Case]:
    """The current versions of models as they were last judged, with what arrived since; by model and version.

    A version that was never judged, or whose model is not registered, is no case.
    """
    names = sorted(set(models))
    places = {(model, version) for model, versions in tx.judgements.currents(names).items() for version in versions}
    stands, known = tx.judgements.standing_now(places), tx.models.find_many(names)
    serving = tx.models.deployed_many(names)
    seen = tx.observations.of_many(places | {(model, version) for model, version in serving.items()})
    attempts = tx.attempts.last_of({key for _, inputs in stands.values() for key in inputs.attempts})
    found = []
    for place in sorted(stands):
        if (model := known.get(place[0])) is not None:
            last, inputs = stands[place]
            failed = _failed(inputs, attempts)
            kinds = frozenset(inputs.kinds)
            subject = Subject(model, ModelVersion(*place, ""), kinds, _seen(seen[place], inputs), failed)
            version = serving.get(place[0])
            found.append(Case(subject, last, None if version is None else (version, newest(seen[place[0], version]))))
    return found


def _seen(history: Iterable[Recorded], inputs: Inputs) -> tuple[Recorded, ...]:
    """What was judged before, and the newest of what arrives by itself."""
    wanted = set(inputs.observations)
    kept = list(history)
    judged = [item for item in kept if item.key in wanted and item.check not in LIVE_CHECKS]
    return (*judged, *newest(item for item in kept if item.check in LIVE_CHECKS))


def _failed(inputs: Inputs, attempts: Mapping[str, Attempt]) -> tuple[Attempt, ...]:
    return tuple(attempts[key] for key in inputs.attempts if key in attempts)


def policy_of(tx: Transaction, digest: str, cache: dict[str, Policy]) -> Policy | None:
    """The policy with this digest as it judged before."""
    if digest not in cache:
        text = tx.policies.text(digest)
        if text is None:
            return None
        cache[digest] = Policy.from_json(text, f"policy {digest}")
    return cache[digest]


def deployed_baseline(tx: Transaction, model: str, again: Again = tuple) -> Baseline | None:
    """The measurements of the version in production, if one is."""
    version = tx.models.deployed(model)
    return None if version is None else _baseline(version, again(newest(tx.observations.of(model, version))))


def _baseline(version: str, records: Iterable[Recorded]) -> Baseline:
    return Baseline.of(f"deployed {version}", version, records)


def inputs_of(subject: Subject) -> Inputs:
    """What to keep beside a judgement of this subject."""
    return Inputs(
        tuple(sorted(subject.kinds)), _keys(subject.observations), tuple(sorted({one.key for one in subject.attempts}))
    )


def _keys(records: Iterable[Recorded]) -> tuple[str, ...]:
    return tuple(sorted({item.key for item in records}))

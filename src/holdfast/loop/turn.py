"""One message's turn: the transaction all its effects share, and what reactions do in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from holdfast.core.domain import Judgement
from holdfast.core.policy import Policy, Snapshot, judge
from holdfast.core.store import Transaction
from holdfast.loop.docket import deployed_baseline, inputs_of, policy_of, subject_of
from holdfast.loop.on_observation import keep
from holdfast.respond.config import Response, observing


@dataclass
class Surroundings:
    """What outlives a turn. `intel` gives the snapshot in force, read in the turn's own transaction.

    `response` gives what is configured to be done about alerts; without one the built-in playbooks observe.
    """

    home: Path
    intel: Callable[[Transaction], Snapshot]
    policies: dict[str, Policy] = field(default_factory=dict)
    response: Callable[[], Response] = observing


@dataclass
class Turn:
    """What a reaction is handed. Everything it does happens in `tx`, and with the acknowledgement, or not at all."""

    tx: Transaction
    surroundings: Surroundings
    cause: str

    @cached_property
    def now(self) -> datetime:
        """The moment of the turn: the same for everything in it."""
        return self.tx.now

    @cached_property
    def intel(self) -> Snapshot:
        """What is known, as of this turn."""
        return self.surroundings.intel(self.tx)

    def publish(self, topic: str, cause: str, body: Mapping[str, Any]) -> bool:
        """Tell other reactions, once per cause."""
        return self.tx.outbox.publish(topic, cause, body)

    def rejudge(self, models: Iterable[str]) -> list[Judgement]:
        """Judge the current versions of models again, as of now; keeps and gives only what came out differently."""
        found = (self._rejudge(model, version) for model in models for version in self.tx.judgements.current(model))
        return [item for item in found if item is not None]

    def _rejudge(self, model: str, version: str) -> Judgement | None:
        last = self.tx.judgements.latest(model, version)
        subject = subject_of(self.tx, model, version)
        if last is None or subject is None:
            return None
        policy = policy_of(self.tx, last.policy_digest, self.surroundings.policies)
        if policy is None:
            return None
        baseline = deployed_baseline(self.tx, model)
        judgement = judge(subject, policy, as_of=self.now, intel=self.intel, baseline=baseline)
        if _same(last, judgement):
            return None
        keep(self.tx, judgement, policy, inputs_of(subject))
        return judgement


def _same(one: Judgement, other: Judgement) -> bool:
    """Whether two judgements say the same, whenever and from whatever they were made."""
    return replace(one, key="", as_of=other.as_of, intel="") == replace(other, key="", intel="")

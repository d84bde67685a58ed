"""One message's turn: the transaction all its effects share, and what reactions do in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.domain import Judgement
from holdfast.core.policy import Policy, Snapshot, judge
from holdfast.core.store import Transaction
from holdfast.loop.docket import Case, cases, inputs_of, policy_of
from holdfast.loop.names import Names, by_names, inside
from holdfast.loop.on_observation import Kept, keep_all

if TYPE_CHECKING:
    from holdfast.respond.config import Response


def _observing() -> Response:
    # Most turns answer no alert; those that do pay for reading playbooks.
    from holdfast.respond.config import observing

    return observing()


@dataclass
class Surroundings:
    """What outlives a turn. `intel` gives the snapshot in force, read in the turn's own transaction.

    `response` gives what is configured to be done about alerts; without one the built-in playbooks observe. `names`
    gives the list of names in force.
    """

    home: Path
    intel: Callable[[Transaction], Snapshot]
    policies: dict[str, Policy] = field(default_factory=dict)
    response: Callable[[], Response] = _observing
    names: Names = inside


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
        made = [self._judge(case) for case in cases(self.tx, models)]
        return keep_all(self.tx, [one for one in made if one is not None])

    def _judge(self, case: Case) -> Kept | None:
        """The judgement to keep; None where it says the same, or the policy is no longer known."""
        policy = policy_of(self.tx, case.last.policy_digest, self.surroundings.policies)
        if policy is None:
            return None
        again = by_names(policy, self.now, self.surroundings.names)
        subject = replace(case.subject, observations=again(case.subject.observations))
        judgement = judge(subject, policy, as_of=self.now, intel=self.intel, baseline=case.against(again))
        if _same(case.last, judgement):
            return None
        return Kept(judgement, policy, replace(inputs_of(case.subject), asked=False))


def _same(one: Judgement, other: Judgement) -> bool:
    """Whether two judgements say the same, whenever and from whatever they were made."""
    return replace(one, key="", as_of=other.as_of, intel="") == replace(other, key="", intel="")

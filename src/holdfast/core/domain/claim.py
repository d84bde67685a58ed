"""Effects are claims: each has a cause, a ceiling and an end, and the state is derived from those in force.

Nothing ever undoes an effect by hand: a cause is withdrawn, its claims end, and the state is derived again. So causes
that overlap, and people who decide otherwise, cannot break an undo.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.severity import Scale

ALLOW = "allow"
"""The effect by which a person, and only a person, keeps automatic effects from a target."""

NAME = "name"
"""The effect of a policy that adds a name to the list of those that a pickle may use."""

PERSON = "person"


class Ceiling(Scale):
    """How far an automatic effect may go, in order."""

    OBSERVE = "observe"
    RETEST = "re-test"
    WARN = "warn"
    BLOCK_NEW = "block-new"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something happened: `kind` is intel, alert, finding, person, policy or expiry, `id` what of that kind."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cause:
        """Read what `str` wrote. Raises ValueError without a kind."""
        kind, colon, name = text.partition(":")
        if not (kind and colon and name):
            raise ValueError(f"{text!r} is no cause; a cause is written kind:id")
        return cls(kind, name)


@dataclass(frozen=True, slots=True)
class Claim:
    """One effect that one cause has on one target.

    `target` is `kind:id`: package:<purl or name>, model:<name>, version:<model>@<digest>, client:<model>/<client>,
    technique:<id>, import:<name>. `effect` is a word that the reader of the target knows: advisory, deny, allow,
    retest, watch, throttle, coarsen, step-up, shadow, block, quarantine, freeze, name.
    """

    cause: Cause
    effect: str
    target: str
    ceiling: Ceiling
    since: datetime
    until: datetime | None = None
    withdrawn_at: datetime | None = None
    body: Mapping[str, JSONValue] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The same cause, effect and target are the same claim, however often they are made."""
        return "clm_" + digest([str(self.cause), self.effect, self.target]).removeprefix("sha256:")[:32]

    def active(self, at: datetime) -> bool:
        """Whether the claim is in force at a moment."""
        ended = any(end is not None and at >= end for end in (self.until, self.withdrawn_at))
        return self.since <= at and not ended


@dataclass(frozen=True, slots=True)
class Effect:
    """What the claims on one target amount to: the highest ceiling among them, its body, and every cause."""

    effect: str
    target: str
    ceiling: Ceiling
    causes: tuple[str, ...]
    until: datetime | None
    body: Mapping[str, JSONValue]


def derive(claims: Iterable[Claim], at: datetime) -> tuple[Effect, ...]:
    """The state that the claims in force at `at` amount to, by effect and target. Their order is nothing."""
    groups: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        if claim.active(at) and (claim.effect != ALLOW or claim.cause.kind == PERSON):
            groups.setdefault((claim.effect, claim.target), []).append(claim)
    allowed = {target for (effect, target), _ in groups.items() if effect == ALLOW}
    effects = (_combine(key, group, held=key[1] in allowed) for key, group in sorted(groups.items()))
    return tuple(effect for effect in effects if effect is not None)


def _combine(key: tuple[str, str], group: list[Claim], *, held: bool) -> Effect | None:
    """One effect out of the claims on it; only people's own count where a person allows the target (`held`)."""
    counted = [claim for claim in group if claim.cause.kind == PERSON or not held]
    if not counted:
        return None
    lead = min(counted, key=lambda claim: (-claim.ceiling.rank, claim.id))
    ends = [claim.until for claim in counted]
    until = None if None in ends else max(end for end in ends if end is not None)
    return Effect(*key, lead.ceiling, tuple(sorted(str(claim.cause) for claim in counted)), until, lead.body)


def state_digest(effects: Iterable[Effect]) -> str:
    """One digest for one state: equal before a cause came and after it went."""
    return digest(
        [[item.effect, item.target, item.ceiling.value, list(item.causes), dict(item.body)] for item in effects]
    )

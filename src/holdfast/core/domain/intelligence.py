"""Threat intelligence as nouns: where it comes from, what it says, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.ids import digest
from holdfast.core.domain.severity import Scale, Severity


class Tlp(Scale):
    """Traffic Light Protocol 2.0: who may be told. Unknown counts as the most restrictive."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of intelligence, how far it is trusted, and what it may cause without a person.

    `trust` is 0 to 100. `max_age` is how long silence is normal; a feed silent for longer is stale.
    """

    id: str
    kind: str
    location: str
    trust: int
    ceiling: Ceiling
    tlp: Tlp
    max_age: timedelta


@dataclass(frozen=True, slots=True)
class Indicator:
    """Something to look for: `type` is pickle-global, sha256, package, prompt, caller ...; `value` is normalised."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class IntelItem:
    """What one feed says of one thing. `revision` is the digest of the content, so that a re-read changes nothing."""

    feed: str
    native_id: str
    revision: str
    kind: str
    key: str
    title: str
    severity: Severity
    tlp: Tlp
    modified_at: datetime
    withdrawn_at: datetime | None
    body: Advisory | Technique | Indicator

    @property
    def uid(self) -> str:
        """The same thing has one uid whoever speaks of it. Never made of a feed's own ids, which change."""
        return "itl_" + digest([self.kind, self.key]).removeprefix("sha256:")[:32]

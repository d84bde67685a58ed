"""Threat intelligence as nouns: where it comes from, what it says, and what is known of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.claim import Cause, Ceiling
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.severity import Scale, Severity

ADVISORY: Final = "advisory"
TECHNIQUE: Final = "technique"
INDICATOR: Final = "indicator"
KINDS: Final = (ADVISORY, TECHNIQUE, INDICATOR)
MALWARE: Final = "malware"
"""An advisory in force that says a package is malware: it counts by way of what is denied."""

INTEL: Final = "intel"
"""The kind of cause that intelligence is, and the kind of target that one item is."""


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

    `trust` is 0 to 100. `max_age` is how long silence is normal; a feed silent for longer is stale. `key` is the
    public key (PEM) that has to have signed what it says; None where nobody signs.
    """

    id: str
    kind: str
    location: str
    trust: int
    ceiling: Ceiling
    tlp: Tlp
    max_age: timedelta
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Indicator:
    """Something to look for; `value` is normalised.

    `type`: pickle-global (`module.name`, or `module.*`), sha256 (of an artifact), exploited (a CVE seen in attacks).
    """

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
        return uid_of(self.kind, self.key)

    @property
    def scope(self) -> str:
        """What one native id may speak of several of: the package of an advisory; empty for the rest."""
        return self.body.package if isinstance(self.body, Advisory) else ""


def uid_of(kind: str, key: str) -> str:
    """The id of a thing by what it is and its canonical key."""
    return "itl_" + digest([kind, key]).removeprefix("sha256:")[:32]


def revision_of(body: Advisory | Technique | Indicator, *, withdrawn: bool) -> str:
    """The digest of what is said. Dates and the feed's own numbering are no content: they change by themselves."""
    return digest([type(body).__name__, cast("JSONValue", asdict(body)), withdrawn])


def item_cause(uid: str, feed: str) -> Cause:
    """What one feed says of one thing, as a cause: another feed that says the same is another one."""
    return Cause(INTEL, f"{uid}@{feed}")


def item_target(uid: str) -> str:
    """The thing itself as a target, for what holds or frees it."""
    return f"{INTEL}:{uid}"

"""The ranking table and the days each rank may take: data, with every row written out.

The shape is SSVC's deployer tree (four inputs, four outcomes); the inputs are those of models instead of software.
Rows: what is known of exploitation, how exposed the model is, whether an attack can run by itself.
Columns: the model's tier, low to critical. d defer, s scheduled, o out of cycle, i immediate.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.domain.backlog import Urgency
from holdfast.core.domain.severity import Scale, Tier


class Exploitation(Scale):
    """How far it is known that somebody can do it."""

    NONE = "none known"
    PUBLIC = "public technique"
    OWN = "our own attack succeeded"
    LIVE = "seen live"


class Exposure(Scale):
    """Who reaches the model."""

    INTERNAL = "internal"
    PARTNER = "partner"
    PUBLIC = "public"


class Utility(Scale):
    """Whether an attacker needs hands or only a program."""

    MANUAL = "manual"
    AUTOMATABLE = "automatable"


ROWS: Final = """\
none known               internal manual      d d d s
none known               internal automatable d d s s
none known               partner  manual      d d s s
none known               partner  automatable d s s s
none known               public   manual      d d s s
none known               public   automatable d s s o
public technique         internal manual      d d s s
public technique         internal automatable d s s s
public technique         partner  manual      d s s o
public technique         partner  automatable d s s o
public technique         public   manual      d s s o
public technique         public   automatable s s o o
our own attack succeeded internal manual      d s s o
our own attack succeeded internal automatable d s o o
our own attack succeeded partner  manual      d s o o
our own attack succeeded partner  automatable s s o o
our own attack succeeded public   manual      s s o o
our own attack succeeded public   automatable s o o i
seen live                internal manual      s s o o
seen live                internal automatable s o o i
seen live                partner  manual      s o o i
seen live                partner  automatable s o i i
seen live                public   manual      s o i i
seen live                public   automatable o i i i
"""

Row = tuple[Exploitation, Exposure, Utility, Tier]

_LETTERS: Final = {urgency.value[0]: urgency for urgency in Urgency}


def _read(rows: str) -> dict[Row, Urgency]:
    """Each cell of the table by its four inputs."""
    table: dict[Row, Urgency] = {}
    for line in rows.splitlines():
        *words, low, medium, high, critical = line.split()
        place = (Exploitation(" ".join(words[:-2])), Exposure(words[-2]), Utility(words[-1]))
        for tier, letter in zip(Tier, (low, medium, high, critical), strict=True):
            table[(*place, tier)] = _LETTERS[letter]
    return table


TABLE: Final = _read(ROWS)

DAYS: Final = {
    Urgency.IMMEDIATE: {Tier.LOW: 7, Tier.MEDIUM: 3, Tier.HIGH: 2, Tier.CRITICAL: 1},
    Urgency.OUT_OF_CYCLE: {Tier.LOW: 30, Tier.MEDIUM: 21, Tier.HIGH: 14, Tier.CRITICAL: 7},
    Urgency.SCHEDULED: {Tier.LOW: 90, Tier.MEDIUM: 60, Tier.HIGH: 45, Tier.CRITICAL: 30},
    Urgency.DEFER: {Tier.LOW: 365, Tier.MEDIUM: 270, Tier.HIGH: 180, Tier.CRITICAL: 120},
}
"""Days from the start of the clock until an item is due."""

ACCEPT_DAYS: Final = {Tier.LOW: 365, Tier.MEDIUM: 180, Tier.HIGH: 90, Tier.CRITICAL: 30}
"""The longest that a risk may be accepted for, in days."""

POINTS: Final = {
    "scan": 3,
    "deps": 2,
    "data": 3,
    "quality": 5,
    "evasion": 8,
    "extraction": 5,
    "inference": 8,
    "poisoning": 13,
    "llm": 5,
    "endpoint": 3,
    "watch": 8,
}
"""How much work a finding usually is, by the area of its check; a first guess that planning needs."""

OTHER_POINTS: Final = 5

"""What a check saw: facts and measurements, never a judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Fact:
    """Something true of bytes or configuration. `offset` in bytes within `member` (or the file itself)."""

    kind: str
    value: str | int | float | bool
    offset: int | None = None
    member: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A number with its unit, the point it was taken at (`at`, e.g. {"linf": 0.005}) and its sample size."""

    name: str
    value: float
    unit: str
    at: Mapping[str, float] = field(default_factory=dict)
    n: int | None = None
    seed: int | None = None


class Status(StrEnum):
    """Whether a check could see what it looked for."""

    MEASURED = "measured"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one check saw on one target. Unknown carries the reason; it is an answer, not a failure to answer."""

    status: Status
    facts: tuple[Fact, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    reason: str | None = None
    coverage: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, *seen: Fact | Measurement | Iterable[Fact | Measurement]) -> Observation:
        """Collect facts and measurements, in order, into a measured observation."""
        flat: list[Fact | Measurement] = []
        for item in seen:
            flat.extend([item] if isinstance(item, Fact | Measurement) else item)
        return cls(
            Status.MEASURED,
            tuple(item for item in flat if isinstance(item, Fact)),
            tuple(item for item in flat if isinstance(item, Measurement)),
        )

    @classmethod
    def unknown(cls, reason: str, *facts: Fact) -> Observation:
        """The check could not decide, and why."""
        return cls(Status.UNKNOWN, facts=facts, reason=reason)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An observation as the store keeps it. `key` covers check, code, parameters, seed, inputs and libraries."""

    key: str
    check: str
    check_version: int
    model: str
    version: str
    observation: Observation
    recorded_at: datetime
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that gave no observation (crash, kill, time). Never cached as a result; retried after `retry_at`."""

    key: str
    check: str
    model: str
    reason: str
    started_at: datetime
    retry_at: datetime | None
    number: int

"""What is judged: one version of a model and everything seen of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import msgspec

from holdfast.core.domain import Attempt, Fact, JSONValue, Measurement, Model, ModelVersion, Recorded, Status, digest
from holdfast.core.domain.alert import CAMPAIGN_CHECK

SKEW = timedelta(minutes=5)
"""How far the clocks of two machines may differ before a record counts as written after the moment of judgement."""

ARRIVING: Final = frozenset({CAMPAIGN_CHECK})
"""Checks that nobody takes: what they see arrives by itself, so it cannot be missing and does not grow old."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A model version, the kinds it is of (`tree`, `endpoint`), and what current checks saw or failed to see.

    Every observation handed in counts, the worst wins: hand in those under the current keys, or `newest(history)`.
    """

    model: Model
    version: ModelVersion
    kinds: frozenset[str]
    observations: tuple[Recorded, ...]
    attempts: tuple[Attempt, ...] = ()


def newest(history: Iterable[Recorded]) -> tuple[Recorded, ...]:
    """The last observation of each check, in check order."""
    found: dict[str, Recorded] = {}
    for item in sorted(history, key=lambda item: (item.recorded_at, item.key)):
        found[item.check] = item
    return tuple(found[check] for check in sorted(found))


class _Measured(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    value: float
    unit: str
    at: dict[str, float]
    n: int | None
    seed: int | None


class _Body(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: str
    measurements: tuple[_Measured, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The measurements a new version is compared with, and where they come from (`deployed sha256:…`, a file)."""

    source: str
    version: str
    measurements: tuple[Measurement, ...]

    @classmethod
    def of(cls, source: str, version: str, observations: Iterable[Recorded]) -> Baseline:
        """All that was measured of a version and is a number."""
        seen = (one for item in observations for one in item.observation.measurements if math.isfinite(one.value))
        return cls(source, version, tuple(sorted(seen, key=lambda one: (one.name, sorted(one.at.items()), one.value))))

    @property
    def digest(self) -> str:
        """Of the version and its numbers, wherever they were kept."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, JSONValue]:
        """The body that `from_json` reads; `source` is where it is kept and stays outside."""
        return {"version": self.version, "measurements": [measurement_json(one) for one in self.measurements]}

    @classmethod
    def from_json(cls, source: str, body: Mapping[str, Any]) -> Baseline:
        """Read `to_json`'s body. Raises ValueError when it is not one."""
        read = msgspec.convert(body, _Body)  # its ValidationError is a ValueError
        measurements = tuple(
            Measurement(one.name, one.value, one.unit, one.at, one.n, one.seed) for one in read.measurements
        )
        return cls(source, read.version, measurements)


def measurement_json(one: Measurement) -> dict[str, JSONValue]:
    """A measurement as its own fields, in their order; whole numbers as the same text that they read back as."""
    at: dict[str, JSONValue] = {name: float(value) for name, value in one.at.items()}
    return {"name": one.name, "value": float(one.value), "unit": one.unit, "at": at, "n": one.n, "seed": one.seed}


@dataclass(frozen=True)
class Evidence:
    """A subject's records as rules read them, at a moment: what was recorded later is not there."""

    subject: Subject
    as_of: datetime

    @cached_property
    def records(self) -> tuple[Recorded, ...]:
        """Each once, in a fixed order, so that the order they came in changes nothing."""
        known = (item for item in self.subject.observations if self._known(item.recorded_at))
        seen = {(item.key, item.check, item.recorded_at): item for item in known}
        return tuple(seen[key] for key in sorted(seen))

    @property
    def taken(self) -> tuple[Recorded, ...]:
        """The records of checks that somebody takes, and can take again."""
        return tuple(item for item in self.records if item.check not in ARRIVING)

    @cached_property
    def later(self) -> tuple[Recorded, ...]:
        """What was recorded after the moment of judgement."""
        return tuple(item for item in self.subject.observations if not self._known(item.recorded_at))

    def _known(self, recorded_at: datetime) -> bool:
        return recorded_at <= self.as_of + SKEW

    @cached_property
    def failures(self) -> tuple[Attempt, ...]:
        """The last attempt under each key that gave no observation."""
        done = {item.key for item in self.records}
        last = {item.key: item for item in sorted(self.subject.attempts, key=lambda item: (item.number, item.reason))}
        return tuple(last[key] for key in sorted(last) if key not in done)

    def of_check(self, check: str) -> tuple[Recorded, ...]:
        """The records of one check."""
        return tuple(item for item in self.records if item.check == check)

    def measured(self, check: str) -> bool:
        """Whether a check was taken, and each time could see what it looked for."""
        records = self.of_check(check)
        return bool(records) and all(item.observation.status is Status.MEASURED for item in records)

    def facts(self, kind: str, check: str | None = None) -> Iterator[tuple[Recorded, Fact]]:
        """Facts of a kind with the record that states them."""
        return (pair for pair in self._facts.get(kind, ()) if check is None or pair[0].check == check)

    @cached_property
    def _facts(self) -> dict[str, list[tuple[Recorded, Fact]]]:
        found: dict[str, list[tuple[Recorded, Fact]]] = {}
        for item in self.records:
            for fact in item.observation.facts:
                found.setdefault(fact.kind, []).append((item, fact))
        return found

    def measurements(self, name: str, at: Mapping[str, float]) -> Iterator[tuple[Recorded, Measurement]]:
        """Measurements of a name at a point; coordinates that `at` leaves out are free."""
        for item in self.records:
            yield from ((item, one) for one in item.observation.measurements if one.name == name and lies(one.at, at))


def lies(point: Mapping[str, float], at: Mapping[str, float]) -> bool:
    """Whether a point has every coordinate of `at`; a point written by hand is the same number to nine digits."""
    return all(name in point and abs(point[name] - value) <= 1e-9 * max(1.0, abs(value)) for name, value in at.items())

"""What checks saw, kept once by key and shared by every model version whose inputs are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from holdfast.core.domain import Observation, Recorded
from holdfast.core.store.codec import decode, encode_observation
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import observation_targets, observations
from holdfast.core.store.tables.loop import fact_index
from holdfast.core.store.types import storable

INDEXED: Final = frozenset({"package", "package.unpinned", "import"})
"""The kinds of facts by which intelligence asks: which models hold this package, this global?"""


def stem_of(kind: str, value: str) -> str:
    """What values of one kind share when they are about the same thing: of a package, its name in canonical form."""
    if not kind.startswith("package"):
        return storable(value)
    name = re.split(r"[@=<>!~;\[ ]", value.removeprefix("pkg:pypi/"), maxsplit=1)[0]
    return storable(re.sub(r"[-_.]+", "-", name).lower())


class Observations:
    """The cache of the audit and the evidence of the judge. Rows are added and never changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, recorded: Recorded) -> bool:
        """Keep an observation; True if its key is new. A known key keeps its first body and gains a target."""
        row = {
            "key": recorded.key,
            "check_id": recorded.check,
            "check_version": recorded.check_version,
            "model": recorded.model,
            "version": recorded.version,
            "status": recorded.observation.status.value,
            "body": encode_observation(recorded.observation),
            "elapsed_s": recorded.elapsed_s,
            "recorded_at": recorded.recorded_at,
        }
        new = self._session.insert_new(observations, row)
        if new:
            self._index(recorded)
        self.link(recorded.key, recorded.model, recorded.version)
        return new

    def link(self, key: str, model: str, version: str) -> None:
        """Say that a kept observation also tells about this model version. Idempotent."""
        self._session.insert_new(observation_targets, {"key": key, "model": model, "version": version})

    def find(self, keys: Iterable[str]) -> dict[str, Recorded]:
        """The kept observations among `keys`, by key, under the model they were first seen on."""
        found: dict[str, Recorded] = {}
        for chunk in chunks(keys):
            query = select(observations).where(observations.c.key.in_(chunk))
            found.update((row.key, _recorded(row, row.model, row.version)) for row in self._sql.execute(query))
        return found

    def of(self, model: str, version: str) -> list[Recorded]:
        """Everything seen on a model version, by check and then by time."""
        query = (
            select(observations)
            .join(observation_targets, observation_targets.c.key == observations.c.key)
            .where(observation_targets.c.model == model, observation_targets.c.version == version)
            .order_by(observations.c.check_id, observations.c.recorded_at, observations.c.key)
        )
        return [_recorded(row, model, version) for row in self._sql.execute(query)]

    def with_fact(self, kind: str, stem: str) -> list[tuple[str, str, str]]:
        """(model, version, value) wherever a fact of an indexed kind was seen with this stem (see `stem_of`)."""
        query = (
            select(observation_targets.c.model, observation_targets.c.version, fact_index.c.value)
            .join(fact_index, fact_index.c.key == observation_targets.c.key)
            .where(fact_index.c.kind == kind, fact_index.c.stem == stem)
            .distinct()
            .order_by(observation_targets.c.model, observation_targets.c.version, fact_index.c.value)
        )
        return [(row.model, row.version, row.value) for row in self._sql.execute(query)]

    def with_facts(self, kind: str, stems: Iterable[str]) -> dict[str, list[tuple[str, str, str]]]:
        """`with_fact` for many stems at once, by stem. A stem `name.*` asks for all that begins with `name.`."""
        found: dict[str, list[tuple[str, str, str]]] = {}
        exact = sorted(stem for stem in stems if not stem.endswith(".*"))
        for chunk in chunks(exact):
            for row in self._sql.execute(_holders(kind).where(fact_index.c.stem.in_(chunk))):
                found.setdefault(row.stem, []).append((row.model, row.version, row.value))
        for stem in sorted(set(stems) - set(exact)):
            begins = fact_index.c.stem.startswith(stem.removesuffix("*"), autoescape=True)
            rows = self._sql.execute(_holders(kind).where(begins))
            found[stem] = [(row.model, row.version, row.value) for row in rows]
        return found

    def of_many(self, versions: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Recorded]]:
        """`of` for many model versions at once; what several share is read once."""
        wanted = set(versions)
        keys: dict[tuple[str, str], list[str]] = {place: [] for place in wanted}
        for chunk in chunks(sorted({model for model, _ in wanted})):
            query = select(observation_targets).where(observation_targets.c.model.in_(chunk))
            for row in self._sql.execute(query):
                if (row.model, row.version) in keys:
                    keys[row.model, row.version].append(row.key)
        known = self.find(sorted({key for listed in keys.values() for key in listed}))
        return {place: _ordered(place, (known[key] for key in listed)) for place, listed in keys.items()}

    def _index(self, recorded: Recorded) -> None:
        found = {(fact.kind, str(fact.value)) for fact in recorded.observation.facts if fact.kind in INDEXED}
        rows = [
            {"kind": kind, "stem": stem_of(kind, value), "value": storable(value), "key": recorded.key}
            for kind, value in sorted(found)
        ]
        for chunk in chunks(rows):
            statement = self._session.insert(fact_index).on_conflict_do_nothing()
            self._sql.execute(statement, list(chunk))

    def count(self) -> int:
        """How many observations are kept."""
        return self._sql.scalar(select(func.count()).select_from(observations)) or 0


def _holders(kind: str) -> Select[Any]:
    """Who holds a fact of this kind."""
    return (
        select(observation_targets.c.model, observation_targets.c.version, fact_index.c.value, fact_index.c.stem)
        .join(fact_index, fact_index.c.key == observation_targets.c.key)
        .where(fact_index.c.kind == kind)
        .distinct()
        .order_by(observation_targets.c.model, observation_targets.c.version, fact_index.c.value)
    )


def _ordered(place: tuple[str, str], seen: Iterable[Recorded]) -> list[Recorded]:
    model, version = place
    own = (one if (one.model, one.version) == place else replace(one, model=model, version=version) for one in seen)
    return sorted(own, key=lambda one: (one.check, one.recorded_at, one.key))


def _recorded(row: Row[Any], model: str, version: str) -> Recorded:
    return Recorded(
        key=row.key,
        check=row.check_id,
        check_version=row.check_version,
        model=model,
        version=version,
        observation=decode(row.body, Observation),
        recorded_at=row.recorded_at,
        elapsed_s=row.elapsed_s,
    )

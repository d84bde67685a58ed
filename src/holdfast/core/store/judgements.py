"""The journal of judgements: what was decided, of which moment, and when we came to know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select

from holdfast.core.domain import Judgement, Status, Verdict
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.inputs import Inputs
from holdfast.core.store.projections import Entry, asked_last, project_judgements, serving_at
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import deployed, judgements, observation_targets, observations, standings


@dataclass(frozen=True, slots=True)
class Standing:
    """A judgement without its reasons."""

    verdict: Verdict
    blocks: bool
    as_of: datetime
    valid_until: datetime | None


class Judgements:
    """Append-only. A judgement is effective at its `as_of`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, judgement: Judgement, inputs: Inputs | None = None) -> bool:
        """Append a judgement and what it was made from; True if its key is new.

        Raises StoreError when its model is not registered.
        """
        return bool(self.add_all([(judgement, inputs or Inputs())]))

    def add_all(self, made: Sequence[tuple[Judgement, Inputs]]) -> list[Judgement]:
        """`add` for many at once; gives those that are new, in order. A model's own keep their order."""
        self._session.hold_models(judgement.model for judgement, _ in made)
        known: set[str] = set()
        for chunk in chunks([judgement.key for judgement, _ in made]):
            known.update(self._sql.scalars(select(judgements.c.key).where(judgements.c.key.in_(chunk))))
        new = {judgement.key: (judgement, inputs) for judgement, inputs in made if judgement.key not in known}
        waiting = list(new.values())
        while waiting:
            first: dict[str, tuple[Judgement, Inputs]] = {}
            for one in waiting:
                first.setdefault(one[0].model, one)
            self._append(list(first.values()))
            waiting = [one for one in waiting if first[one[0].model] is not one]
        return [judgement for judgement, _ in new.values()]

    def _append(self, made: Sequence[tuple[Judgement, Inputs]]) -> None:
        """Journal and projections; at most one judgement per model."""
        now, measured = self._session.now, self._measured([judgement for judgement, _ in made])
        sequences = self._session.append_all("judgement", [judgement.model for judgement, _ in made])
        entries = []
        rows = []
        for sequence, (judgement, inputs) in zip(sequences, made, strict=True):
            checks = measured.get((judgement.model, judgement.version), frozenset())
            entries.append(Entry(sequence, judgement, checks, now, inputs.asked))
            rows.append(_row(entries[-1], inputs))
        for chunk in chunks(rows):
            self._sql.execute(insert(judgements), list(chunk))
        project_judgements(self._session, entries)

    def latest(self, model: str, version: str | None = None) -> Judgement | None:
        """The newest judgement of a model, or of one version of it."""
        return self._newest(_of(model, version))

    def inputs(self, key: str) -> Inputs:
        """What the judgement with this key was made from; empty for one of before that was kept."""
        body = self._sql.scalar(select(judgements.c.inputs).where(judgements.c.key == key))
        return Inputs() if body is None else decode(body, Inputs)

    def current(self, model: str) -> list[str]:
        """The versions that matter: those deployed anywhere, and the one asked for last."""
        return sorted(self.currents([model]).get(model, ()))

    def currents(self, models: Iterable[str] | None = None) -> dict[str, frozenset[str]]:
        """`current` of all models that were judged or serve, or of the given ones, by name."""
        wanted = None if models is None else sorted(set(models))
        found: dict[str, set[str]] = {}
        for row in self._places(select(deployed.c.model, deployed.c.version), deployed.c.model, wanted):
            found.setdefault(row.model, set()).add(row.version)
        for model, version in asked_last(self._places(select(standings), standings.c.model, wanted)).items():
            found.setdefault(model, set()).add(version)
        return {model: frozenset(versions) for model, versions in found.items()}

    def _places(self, query: Select[Any], column: Any, wanted: Sequence[str] | None) -> Iterator[Row[Any]]:
        if wanted is None:
            yield from self._sql.execute(query)
            return
        for chunk in chunks(wanted):
            yield from self._sql.execute(query.where(column.in_(chunk)))

    def standing_now(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[Judgement, Inputs]]:
        """The judgement by which each of these versions stands, and what it was made from."""
        wanted = set(places)
        query = select(standings.c.model, standings.c.version, judgements.c.body, judgements.c.inputs).join(
            judgements, judgements.c.sequence == standings.c.sequence
        )
        found = {}
        for row in self._places(query, standings.c.model, sorted({model for model, _ in wanted})):
            if (row.model, row.version) in wanted:
                found[row.model, row.version] = decode(row.body, Judgement), decode(row.inputs, Inputs)
        return found

    def waning(self, now: datetime) -> list[str]:
        """Models with a standing that is undecided, or more than half of whose time is over, by name."""
        columns = (standings.c.model, standings.c.verdict, standings.c.effective_at, standings.c.valid_until)
        rows = self._sql.execute(select(*columns))
        return sorted(
            {
                model
                for model, verdict, since, until in rows
                if verdict == Verdict.UNKNOWN.value or (until is not None and now >= since + (until - since) / 2)
            }
        )

    def expiring(self, since: datetime, until: datetime) -> list[tuple[str, str, str]]:
        """(model, version, judgement key) of standings whose time ended after `since` and no later than `until`."""
        query = (
            select(standings.c.model, standings.c.version, judgements.c.key)
            .join(judgements, judgements.c.sequence == standings.c.sequence)
            .where(standings.c.valid_until > since, standings.c.valid_until <= until)
            .order_by(standings.c.model, standings.c.version)
        )
        return [(row.model, row.version, row.key) for row in self._sql.execute(query)]

    def as_of(
        self, model: str, moment: datetime, version: str | None = None, *, known_at: datetime | None = None
    ) -> Judgement | None:
        """What held at `moment`, as far as was recorded until `known_at` (default: all we know now)."""
        query = _of(model, version).where(judgements.c.effective_at <= moment)
        if known_at is not None:
            query = query.where(judgements.c.recorded_at <= known_at)
        return self._newest(query)

    def held(self, model: str, moment: datetime) -> list[Judgement]:
        """The judgements by which a model stood at `moment`: of what served, and of the version asked for last."""
        query = (
            select(judgements.c.version, judgements.c.inputs)
            .where(judgements.c.model == model, judgements.c.effective_at <= moment)
            .order_by(judgements.c.effective_at, judgements.c.sequence)
        )
        asked = [row.version for row in self._sql.execute(query) if decode(row.inputs, Inputs).asked]
        versions = {*asked[-1:], *serving_at(self._session, model, moment)}
        found = [self.as_of(model, moment, version) for version in sorted(versions)]
        return [item for item in found if item is not None]

    def history(self, model: str) -> list[Judgement]:
        """Every judgement of a model, in the order they were recorded."""
        query = select(judgements.c.body).where(judgements.c.model == model).order_by(judgements.c.sequence)
        return [decode(body, Judgement) for body in self._sql.scalars(query)]

    def standing(self, model: str, version: str) -> Standing | None:
        """Where a version stands: the newest judgement of it, in short."""
        return self.standings(model).get(version)

    def standings(self, model: str) -> dict[str, Standing]:
        """Where each judged version of a model stands."""
        query = select(standings).where(standings.c.model == model).order_by(standings.c.effective_at)
        return {
            row.version: Standing(Verdict(row.verdict), row.blocks, row.effective_at, row.valid_until)
            for row in self._sql.execute(query)
        }

    def _measured(self, made: Sequence[Judgement]) -> dict[tuple[str, str], frozenset[str]]:
        """The checks that had been measured on each version; a finding closes only by its own check."""
        query = (
            select(observation_targets.c.model, observation_targets.c.version, observations.c.check_id)
            .join(observations, observation_targets.c.key == observations.c.key)
            .where(observations.c.status == Status.MEASURED.value)
            .distinct()
        )
        found: dict[tuple[str, str], set[str]] = {}
        for row in self._places(query, observation_targets.c.model, [judgement.model for judgement in made]):
            found.setdefault((row.model, row.version), set()).add(row.check_id)
        return {place: frozenset(checks) for place, checks in found.items()}

    def _newest(self, query: Select[Any]) -> Judgement | None:
        body = self._sql.scalar(query.order_by(judgements.c.effective_at.desc(), judgements.c.sequence.desc()).limit(1))
        return None if body is None else decode(body, Judgement)


def _row(entry: Entry, inputs: Inputs) -> dict[str, Any]:
    judgement = entry.judgement
    return {
        "sequence": entry.sequence,
        "key": judgement.key,
        "model": judgement.model,
        "version": judgement.version,
        "verdict": judgement.verdict.value,
        "blocks": judgement.blocks,
        "body": encode(judgement),
        "effective_at": judgement.as_of,
        "valid_until": judgement.valid_until,
        "recorded_at": entry.recorded_at,
        "measured": encode(sorted(entry.measured)),
        "inputs": encode(inputs),
    }


def _of(model: str, version: str | None) -> Select[Any]:
    query = select(judgements.c.body).where(judgements.c.model == model)
    return query if version is None else query.where(judgements.c.version == version)

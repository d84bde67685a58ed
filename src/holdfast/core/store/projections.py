"""What the journals amount to, kept up row by row: deployed versions, standings, findings, occurrences.

Each function takes one journal row and what the projections say so far. `rebuild` empties them and takes every row
again in order, by the same functions, so it must come to the same; a test holds it to that.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, select, update

from holdfast.core.domain import Finding, Judgement, Verdict
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.findings import FindingState
from holdfast.core.store.inputs import Inputs
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import deployed, deployments, findings, judgements, models, occurrences, standings


@dataclass(frozen=True, slots=True)
class _Sight:
    """What the newest judgement of one version shows."""

    present: frozenset[str]
    undecided: frozenset[str]
    measured: frozenset[str]

    def clears(self, row: Row[Any]) -> bool:
        """Whether the check behind a finding was measured, its rule decided, and the finding not minted again."""
        return row.fingerprint not in self.present and row.rule not in self.undecided and row.check_id in self.measured


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `judgements` on its way into the projections: the judgement, and what the row says besides."""

    sequence: int
    judgement: Judgement
    measured: frozenset[str]
    recorded_at: datetime
    asked: bool = True

    @property
    def place(self) -> tuple[str, str]:
        return self.judgement.model, self.judgement.version

    @property
    def sight(self) -> _Sight:
        return _sight_of(self.judgement, self.measured)

    @classmethod
    def of(cls, row: Row[Any]) -> Entry:
        """Read a row."""
        measured = frozenset(decode(row.measured, list[str]))
        asked = decode(row.inputs, Inputs).asked
        return cls(row.sequence, decode(row.body, Judgement), measured, row.recorded_at, asked)


EVER = datetime.min.replace(tzinfo=UTC)


def project_deployment(session: Session, row: Row[Any]) -> None:
    """Take a row of `deployments`: it counts where it is effective no earlier than what we know."""
    place = (deployed.c.model == row.model, deployed.c.environment == row.environment)
    since = session.connection.scalar(select(deployed.c.effective_at).where(*place))
    if since is not None and since > row.effective_at:
        return
    values = {
        "model": row.model,
        "environment": row.environment,
        "version": row.version,
        "effective_at": row.effective_at,
        "sequence": row.sequence,
    }
    session.put(deployed, values)
    _derive(session, {row.model: row.recorded_at}, {})


def project_judgements(session: Session, entries: Sequence[Entry]) -> None:
    """Take rows of `judgements`, one per model: each counts where it is of no earlier moment than its version had."""
    assert len({entry.judgement.model for entry in entries}) == len(entries), "a model's rows follow one another"
    since = _since(session, entries)
    counted = [one for one in entries if one.place not in since or since[one.place].effective_at <= one.judgement.as_of]
    _stand(session, counted, since)
    _occur(session, counted)
    _derive(session, {one.judgement.model: one.recorded_at for one in counted}, {one.sequence: one for one in counted})


def _since(session: Session, entries: Sequence[Entry]) -> dict[tuple[str, str], Any]:
    """Since when versions of these models stand as they do, and when they were asked for last."""
    found: dict[tuple[str, str], Any] = {}
    for chunk in chunks(entry.judgement.model for entry in entries):
        query = select(standings.c.model, standings.c.version, standings.c.effective_at, standings.c.asked_at)
        for row in session.connection.execute(query.where(standings.c.model.in_(chunk))):
            found[row.model, row.version] = row
    return found


def _stand(session: Session, entries: Sequence[Entry], before: Mapping[tuple[str, str], Any]) -> None:
    rows = (
        {
            "model": entry.judgement.model,
            "version": entry.judgement.version,
            "sequence": entry.sequence,
            "verdict": entry.judgement.verdict.value,
            "blocks": entry.judgement.blocks,
            "effective_at": entry.judgement.as_of,
            "valid_until": entry.judgement.valid_until,
            "asked_at": entry.judgement.as_of if entry.asked else getattr(before.get(entry.place), "asked_at", None),
        }
        for entry in entries
    )
    session.put_all(standings, rows)


def asked_last(rows: Iterable[Row[Any]]) -> dict[str, str]:
    """Of rows of `standings`, per model, the version that somebody asked for last."""
    newest: dict[str, tuple[datetime, datetime, int, str]] = {}
    for row in rows:
        mine = (row.asked_at or EVER, row.effective_at, row.sequence, row.version)
        newest[row.model] = max(newest.get(row.model, mine), mine)
    return {model: version for model, (_, _, _, version) in newest.items()}


def serving_at(session: Session, model: str, moment: datetime) -> list[str]:
    """The versions that served at a moment, in whichever environment."""
    query = (
        select(deployments.c.environment, deployments.c.version)
        .where(deployments.c.model == model, deployments.c.effective_at <= moment)
        .order_by(deployments.c.effective_at, deployments.c.sequence)
    )
    return sorted({row.environment: row.version for row in session.connection.execute(query)}.values())


def rebuild(session: Session) -> int:
    """Derive all projections again; gives the number of models. Writers of a model wait while it is its turn."""
    names = list(session.connection.scalars(select(models.c.name).order_by(models.c.name)))
    for model in names:
        session.hold_model(model)
        for table in (deployed, standings, findings, occurrences):
            session.connection.execute(delete(table).where(table.c.model == model))
        for row in _journal(session, model):
            if "environment" in row._fields:
                project_deployment(session, row)
            else:
                project_judgements(session, [Entry.of(row)])
    return len(names)


def _journal(session: Session, model: str) -> Iterable[Row[Any]]:
    """The rows of both journals of a model, in the order they were recorded."""
    rows = (
        session.connection.execute(select(table).where(table.c.model == model).order_by(table.c.sequence)).all()
        for table in (deployments, judgements)
    )
    return heapq.merge(*rows, key=lambda row: row.sequence)


def _occur(session: Session, entries: Sequence[Entry]) -> None:
    """Note on which version the findings of a judgement are present, and which are there no longer."""
    gone = (
        update(occurrences)
        .where(
            occurrences.c.model == bindparam("at_model"),
            occurrences.c.version == bindparam("at_version"),
            occurrences.c.present.is_(True),
        )
        .values(present=False)
    )
    places = [{"at_model": entry.judgement.model, "at_version": entry.judgement.version} for entry in entries]
    for chunk in chunks(places):
        session.connection.execute(gone, list(chunk))
    seen = [(entry, finding) for entry in entries for finding in entry.judgement.findings]
    session.put_all(findings, (_worded(*one) for one in seen), changing=_SAID)
    session.put_all(occurrences, (_sighted(*one) for one in seen), changing=("present", "last_at"))


_SAID = ("rule", "severity", "check_id", "body", "seen_at")
"""A finding is as it was worded last; whether it is open is for `_derive`."""


def _worded(entry: Entry, finding: Finding) -> dict[str, Any]:
    return {
        "fingerprint": finding.fingerprint,
        "model": entry.judgement.model,
        "state": FindingState.ELSEWHERE.value,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "check_id": finding.check,
        "body": encode(finding),
        "seen_at": entry.recorded_at,
    }


def _sighted(entry: Entry, finding: Finding) -> dict[str, Any]:
    """Its first sight on a version is kept."""
    return {
        "fingerprint": finding.fingerprint,
        "version": entry.judgement.version,
        "model": entry.judgement.model,
        "present": True,
        "first_at": entry.recorded_at,
        "last_at": entry.recorded_at,
    }


def _derive(session: Session, moments: Mapping[str, datetime], known: Mapping[int, Entry]) -> None:
    """Open, close and reopen the findings of models by what their deployed versions show; `known` spares reading."""
    rows: dict[str, list[Row[Any]]] = {}
    for chunk in chunks(moments):
        for row in session.connection.execute(select(findings).where(findings.c.model.in_(chunk))):
            rows.setdefault(row.model, []).append(row)
    if not rows:
        return
    relevant = _relevant(session, rows)
    sights = _sights(session, relevant, known)
    for model, found in rows.items():
        seen = [sights.get((model, version)) for version in relevant[model]]
        for row in found:
            state = _state(row, seen)
            if state is not FindingState(row.state):
                _turn(session, row, state, moments[model])


def _turn(session: Session, row: Row[Any], state: FindingState, at: datetime) -> None:
    opened = state is FindingState.OPEN
    values = {"state": state.value, "closed_at": None if opened else at}
    if opened:
        values["opened_at"] = at
    session.connection.execute(update(findings).where(findings.c.fingerprint == row.fingerprint).values(**values))


def _state(row: Row[Any], sights: list[_Sight | None]) -> FindingState:
    """A version that was never judged shows nothing: it neither opens nor closes."""
    if any(sight is not None and row.fingerprint in sight.present for sight in sights):
        return FindingState.OPEN
    if row.opened_at is not None and all(sight is not None and sight.clears(row) for sight in sights):
        return FindingState.CLOSED
    return FindingState(row.state)


def _relevant(session: Session, models: Iterable[str]) -> dict[str, list[str]]:
    """The deployed versions of each model; where there is none, the version asked for last."""
    found: dict[str, set[str]] = {}
    last: dict[str, str] = {}
    for chunk in chunks(models):
        serving = select(deployed.c.model, deployed.c.version).where(deployed.c.model.in_(chunk))
        for row in session.connection.execute(serving):
            found.setdefault(row.model, set()).add(row.version)
        last.update(asked_last(session.connection.execute(select(standings).where(standings.c.model.in_(chunk)))))
    return {model: sorted(found.get(model, {last[model]} if model in last else set())) for model in models}


def _sights(
    session: Session, relevant: Mapping[str, Iterable[str]], known: Mapping[int, Entry]
) -> dict[tuple[str, str], _Sight]:
    """What the newest judgement of each relevant version shows; of versions never judged nothing."""
    wanted = {(model, version) for model, versions in relevant.items() for version in versions}
    places: dict[int, tuple[str, str]] = {}
    for chunk in chunks(relevant):
        query = select(standings.c.model, standings.c.version, standings.c.sequence)
        for row in session.connection.execute(query.where(standings.c.model.in_(chunk))):
            if (row.model, row.version) in wanted:
                places[row.sequence] = (row.model, row.version)
    found = {place: known[sequence].sight for sequence, place in places.items() if sequence in known}
    for part in chunks(sorted(set(places) - set(known))):
        for entry in map(Entry.of, session.connection.execute(_bodies().where(judgements.c.sequence.in_(part)))):
            found[places[entry.sequence]] = entry.sight
    return found


def _bodies() -> Select[Any]:
    columns = ("sequence", "body", "measured", "recorded_at", "inputs")
    return select(*(judgements.c[name] for name in columns))


def _sight_of(judgement: Judgement, measured: frozenset[str]) -> _Sight:
    return _Sight(
        frozenset(finding.fingerprint for finding in judgement.findings),
        frozenset(reason.rule for reason in judgement.reasons if reason.verdict is Verdict.UNKNOWN),
        measured,
    )

"""What the journals amount to, kept up row by row: deployed versions, standings, findings, occurrences.

Each function takes one journal row and what the projections say so far. `rebuild` empties them and takes every row
again in order, by the same functions, so it must come to the same; a test holds it to that.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from holdfast.core.domain import Finding, Judgement, Verdict
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.findings import FindingState
from holdfast.core.store.session import Session
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
    _derive(session, row.model, row.recorded_at)


def project_judgement(session: Session, row: Row[Any]) -> None:
    """Take a row of `judgements`: it counts where it is of no earlier moment than what its version had."""
    place = (standings.c.model == row.model, standings.c.version == row.version)
    since = session.connection.scalar(select(standings.c.effective_at).where(*place))
    if since is not None and since > row.effective_at:
        return
    names = ("model", "version", "sequence", "verdict", "blocks", "effective_at", "valid_until")
    session.put(standings, {name: getattr(row, name) for name in names})
    _occur(session, row, decode(row.body, Judgement).findings)
    _derive(session, row.model, row.recorded_at)


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
                project_judgement(session, row)
    return len(names)


def _journal(session: Session, model: str) -> Iterable[Row[Any]]:
    """The rows of both journals of a model, in the order they were recorded."""
    rows = (
        session.connection.execute(select(table).where(table.c.model == model).order_by(table.c.sequence)).all()
        for table in (deployments, judgements)
    )
    return heapq.merge(*rows, key=lambda row: row.sequence)


def _occur(session: Session, row: Row[Any], found: Iterable[Finding]) -> None:
    """Note on which version the findings of a judgement are present, and which are there no longer."""
    here = (occurrences.c.model == row.model, occurrences.c.version == row.version)
    session.connection.execute(update(occurrences).where(*here).values(present=False))
    for finding in found:
        _seen(session, row, finding)


def _seen(session: Session, row: Row[Any], finding: Finding) -> None:
    """A finding is as it was worded last; its first sight on a version is kept."""
    said = {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "check_id": finding.check,
        "body": encode(finding),
        "seen_at": row.recorded_at,
    }
    new = {"fingerprint": finding.fingerprint, "model": row.model, "state": FindingState.ELSEWHERE.value}
    keyed = session.insert(findings).values(**new, **said)
    session.connection.execute(keyed.on_conflict_do_update(index_elements=["fingerprint"], set_=said))
    sight = {"present": True, "last_at": row.recorded_at}
    place = {"fingerprint": finding.fingerprint, "version": row.version, "model": row.model}
    placed = session.insert(occurrences).values(**place, first_at=row.recorded_at, **sight)
    session.connection.execute(placed.on_conflict_do_update(index_elements=["fingerprint", "version"], set_=sight))


def _derive(session: Session, model: str, at: datetime) -> None:
    """Open, close and reopen the findings of a model by what its deployed versions show."""
    rows = session.connection.execute(select(findings).where(findings.c.model == model)).all()
    if not rows:
        return
    sights = [_sight(session, model, version) for version in _relevant(session, model)]
    for row in rows:
        state = _state(row, sights)
        if state is not FindingState(row.state):
            _turn(session, row, state, at)


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


def _relevant(session: Session, model: str) -> list[str]:
    """The deployed versions; where there is none, the version judged last."""
    serving = list(session.connection.scalars(select(deployed.c.version).where(deployed.c.model == model).distinct()))
    if serving:
        return serving
    newest = (
        select(standings.c.version)
        .where(standings.c.model == model)
        .order_by(standings.c.effective_at.desc(), standings.c.sequence.desc())
        .limit(1)
    )
    return list(session.connection.scalars(newest))


def _sight(session: Session, model: str, version: str) -> _Sight | None:
    query = (
        select(judgements.c.body, judgements.c.measured)
        .join(standings, standings.c.sequence == judgements.c.sequence)
        .where(standings.c.model == model, standings.c.version == version)
    )
    row = session.connection.execute(query).one_or_none()
    if row is None:
        return None
    judgement = decode(row.body, Judgement)
    return _Sight(
        frozenset(finding.fingerprint for finding in judgement.findings),
        frozenset(reason.rule for reason in judgement.reasons if reason.verdict is Verdict.UNKNOWN),
        frozenset(decode(row.measured, list[str])),
    )

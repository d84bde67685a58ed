"""Findings and where they occur: what the judgements and deployments so far amount to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Select, select

from holdfast.core.domain import Finding
from holdfast.core.store.codec import decode
from holdfast.core.store.session import Session
from holdfast.core.store.tables import findings, occurrences


class FindingState(StrEnum):
    """OPEN: on what is deployed (or, where nothing is, on what was judged last). ELSEWHERE: only on other versions.

    CLOSED: was open, and the same check has since been measured on the deployed version without giving it again.
    """

    OPEN = "open"
    ELSEWHERE = "elsewhere"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TrackedFinding:
    """A finding as last worded, and its life so far."""

    finding: Finding
    state: FindingState
    seen_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A finding on one version. `present`: in the newest judgement of that version."""

    fingerprint: str
    version: str
    present: bool
    first_at: datetime
    last_at: datetime


class Findings:
    """Reads the projection that `projections` keeps."""

    def __init__(self, session: Session) -> None:
        self._sql = session.connection

    def of(self, model: str, state: FindingState | None = None) -> list[TrackedFinding]:
        """The findings of a model, by fingerprint."""
        return self._select(select(findings).where(findings.c.model == model), state)

    def all(self, state: FindingState | None = None) -> list[TrackedFinding]:
        """The findings of every model, by fingerprint."""
        return self._select(select(findings), state)

    def occurrences(self, fingerprint: str) -> list[Occurrence]:
        """The versions a finding was seen on, in the order it was."""
        query = (
            select(
                occurrences.c.fingerprint,
                occurrences.c.version,
                occurrences.c.present,
                occurrences.c.first_at,
                occurrences.c.last_at,
            )
            .where(occurrences.c.fingerprint == fingerprint)
            .order_by(occurrences.c.first_at, occurrences.c.version)
        )
        return [Occurrence(*row) for row in self._sql.execute(query)]

    def _select(self, query: Select[Any], state: FindingState | None) -> list[TrackedFinding]:
        wanted = query if state is None else query.where(findings.c.state == state.value)
        return [_tracked(row) for row in self._sql.execute(wanted.order_by(findings.c.fingerprint))]


def _tracked(row: Row[Any]) -> TrackedFinding:
    return TrackedFinding(decode(row.body, Finding), FindingState(row.state), row.seen_at, row.opened_at, row.closed_at)

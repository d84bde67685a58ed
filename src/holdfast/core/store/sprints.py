"""Sprints: spans of days with a capacity. Which items are in one is said by the items' own journal."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from holdfast.core.domain.backlog import Sprint
from holdfast.core.store.session import Session
from holdfast.core.store.tables.backlog import sprints


class Sprints:
    """Rows are added, and closed once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, sprint: Sprint) -> Sprint:
        """Keep a new sprint."""
        values = {"starts": sprint.starts.isoformat(), "ends": sprint.ends.isoformat(), "capacity": sprint.capacity}
        self._sql.execute(
            insert(sprints).values(id=sprint.id, name=sprint.name, created_at=self._session.now, **values)
        )
        found = self.find(sprint.id)
        assert found is not None
        return found

    def find(self, sprint: str) -> Sprint | None:
        """A sprint by its id or its name."""
        query = select(sprints).where(or_(sprints.c.id == sprint, sprints.c.name == sprint)).order_by(sprints.c.id)
        row = self._sql.execute(query.limit(1)).one_or_none()
        return None if row is None else _sprint(row)

    def all(self, as_of: datetime | None = None) -> list[Sprint]:
        """Every sprint that existed at a moment (default: now), by start."""
        query = select(sprints).order_by(sprints.c.starts, sprints.c.id)
        if as_of is not None:
            query = query.where(sprints.c.created_at <= as_of)
        return [_sprint(row) for row in self._sql.execute(query)]

    def close(self, sprint: str) -> bool:
        """Close a sprint as of now; False where it was closed before."""
        statement = update(sprints).where(sprints.c.id == sprint, sprints.c.closed_at.is_(None))
        return self._session.changed(statement.values(closed_at=self._session.now)) == 1


def _sprint(row: Row[Any]) -> Sprint:
    starts, ends = date.fromisoformat(row.starts), date.fromisoformat(row.ends)
    return Sprint(row.id, row.name, starts, ends, row.capacity, row.created_at, row.closed_at)

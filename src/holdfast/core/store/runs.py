"""Runs of playbooks: what was ordered for which cause, who approved it, whether it was taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, text, update

from holdfast.core.domain.claim import Cause
from holdfast.core.domain.response import Approval, Run
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.respond import run_approvals, runs


class Runs:
    """A run is written once; approvals and its end are added beside it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def hold(self) -> None:
        """Make others who decide about any run wait until this transaction ends. Call it before reading.

        Caps count over all runs, and the claims of a cause follow from all of its runs: both need one order.
        """
        if self._sql.dialect.name == "postgresql":
            self._sql.execute(text("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE"))

    def add(self, run: Run) -> bool:
        """Keep a run with the approvals it comes with; False, and nothing changes, where it is known."""
        row = {
            "id": run.id,
            "playbook": run.playbook,
            "cause": str(run.cause),
            "model": run.model,
            "body": encode(replace(run, approvals=())),
            "started_at": run.started_at,
        }
        if not self._session.insert_new(runs, row):
            return False
        for approval in run.approvals:
            self.approve(run.id, approval)
        return True

    def find(self, run_id: str) -> Run | None:
        """The run with this id."""
        found = self._select(select(runs).where(runs.c.id == run_id))
        return found[0] if found else None

    def of_cause(self, cause: Cause) -> list[Run]:
        """Every run for a cause, oldest first."""
        return self._select(select(runs).where(runs.c.cause == str(cause)).order_by(runs.c.sequence))

    def recent(self, limit: int = 100) -> list[Run]:
        """The newest runs, newest first."""
        return self._select(select(runs).order_by(runs.c.sequence.desc()).limit(limit))

    def approve(self, run_id: str, approval: Approval) -> bool:
        """Write down a person's consent; False where that person has given it before."""
        row = {"run": run_id, "person": approval.person, "approved_at": approval.at}
        return self._session.insert_new(run_approvals, row)

    def undo(self, run_id: str, by: str, reason: str) -> bool:
        """Write down that a run was taken back; False where it was before."""
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.undone_at.is_(None))
            .values(undone_at=self._session.now, undone_by=by, reason=reason)
        )
        return self._session.changed(statement) == 1

    def _select(self, query: Select[Any]) -> list[Run]:
        rows = list(self._sql.execute(query))
        given = self._approvals([row.id for row in rows])
        return [_run(row, given.get(row.id, ())) for row in rows]

    def _approvals(self, ids: Iterable[str]) -> dict[str, tuple[Approval, ...]]:
        found: dict[str, tuple[Approval, ...]] = {}
        for chunk in chunks(ids):
            query = select(run_approvals).where(run_approvals.c.run.in_(chunk))
            for row in self._sql.execute(query.order_by(run_approvals.c.approved_at, run_approvals.c.person)):
                found[row.run] = (*found.get(row.run, ()), Approval(row.person, row.approved_at))
        return found


def _run(row: Row[Any], approvals: tuple[Approval, ...]) -> Run:
    ended: datetime | None = row.undone_at
    return replace(
        decode(row.body, Run), approvals=approvals, undone_at=ended, undone_by=row.undone_by, reason=row.reason
    )

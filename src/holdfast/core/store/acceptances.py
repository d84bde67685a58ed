"""Risks taken for a while: asked for by one person, approved by another, ended once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from holdfast.core.domain.backlog import Acceptance
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.backlog import acceptances


class Acceptances:
    """Every acceptance that was ever asked for; none is deleted."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def put(self, acceptance: Acceptance) -> Acceptance:
        """Keep an acceptance, or what has become of it."""
        moments = ("requested_at", "approved_at", "expires_at", "ended_at")
        values = {name: getattr(acceptance, name) for name in ("id", "item", "model", *moments)}
        self._session.put(acceptances, {**values, "body": encode(acceptance)})
        return acceptance

    def find(self, acceptance: str) -> Acceptance | None:
        """The acceptance with this id."""
        found = self._select(acceptances.c.id == acceptance)
        return found[0] if found else None

    def of_item(self, item: str) -> list[Acceptance]:
        """Every acceptance of an item, oldest first."""
        return self._select(acceptances.c.item == item)

    def open_of(self, item: str) -> Acceptance | None:
        """The acceptance of an item that is asked for or in force."""
        found = self._select(acceptances.c.item == item, acceptances.c.ended_at.is_(None))
        return found[-1] if found else None

    def in_force(self, model: str | None = None) -> list[Acceptance]:
        """The approved acceptances that nothing has ended, of a model or of all."""
        conditions = [] if model is None else [acceptances.c.model == model]
        return self._select(acceptances.c.approved_at.is_not(None), acceptances.c.ended_at.is_(None), *conditions)

    def expiring(self, now: datetime) -> list[Acceptance]:
        """The approved acceptances whose time is over and that nobody has ended yet."""
        approved = (acceptances.c.approved_at.is_not(None), acceptances.c.ended_at.is_(None))
        return self._select(acceptances.c.expires_at <= now, *approved)

    def end(self, acceptance: Acceptance, why: str, at: datetime) -> Acceptance:
        """Write down that an acceptance has ended, and why."""
        return self.put(replace(acceptance, ended_at=at, end=why))

    def _select(self, *conditions: Any) -> list[Acceptance]:
        query = select(acceptances.c.body).where(*conditions).order_by(acceptances.c.requested_at, acceptances.c.id)
        return [decode(body, Acceptance) for body in self._sql.scalars(query)]

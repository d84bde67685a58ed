"""The journal of judgements: what was decided, of which moment, and when we came to know it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select

from holdfast.core.domain import Judgement
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables import judgements


class Judgements:
    """Append-only. A judgement is effective at its `as_of`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, judgement: Judgement) -> bool:
        """Append a judgement; True if its key is new. Raises StoreError when its model is not registered."""
        self._session.hold_model(judgement.model)
        if self._sql.scalar(select(judgements.c.key).where(judgements.c.key == judgement.key)) is not None:
            return False
        sequence = self._session.append("judgement", judgement.model)
        self._sql.execute(
            insert(judgements).values(
                sequence=sequence,
                key=judgement.key,
                model=judgement.model,
                version=judgement.version,
                verdict=judgement.verdict.value,
                blocks=judgement.blocks,
                body=encode(judgement),
                effective_at=judgement.as_of,
                valid_until=judgement.valid_until,
                recorded_at=self._session.now,
            )
        )
        return True

    def latest(self, model: str, version: str | None = None) -> Judgement | None:
        """The newest judgement of a model, or of one version of it."""
        return self._newest(_of(model, version))

    def as_of(
        self, model: str, moment: datetime, version: str | None = None, *, known_at: datetime | None = None
    ) -> Judgement | None:
        """What held at `moment`, as far as was recorded until `known_at` (default: all we know now)."""
        query = _of(model, version).where(judgements.c.effective_at <= moment)
        if known_at is not None:
            query = query.where(judgements.c.recorded_at <= known_at)
        return self._newest(query)

    def history(self, model: str) -> list[Judgement]:
        """Every judgement of a model, in the order they were recorded."""
        query = select(judgements.c.body).where(judgements.c.model == model).order_by(judgements.c.sequence)
        return [decode(body, Judgement) for body in self._sql.scalars(query)]

    def _newest(self, query: Select[Any]) -> Judgement | None:
        body = self._sql.scalar(query.order_by(judgements.c.effective_at.desc(), judgements.c.sequence.desc()).limit(1))
        return None if body is None else decode(body, Judgement)


def _of(model: str, version: str | None) -> Select[Any]:
    query = select(judgements.c.body).where(judgements.c.model == model)
    return query if version is None else query.where(judgements.c.version == version)

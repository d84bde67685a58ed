"""What the ratchet compares with: the measured properties saved for a model, newest last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select

from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables import baselines


class Baselines:
    """Append-only; the body is the policy room's own document."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, model: str, version: str, body: Mapping[str, Any]) -> None:
        """Save a baseline; it becomes the newest."""
        self._sql.execute(
            insert(baselines).values(model=model, version=version, body=encode(body), recorded_at=self._session.now)
        )

    def latest(self, model: str, version: str | None = None) -> dict[str, Any] | None:
        """The newest baseline of a model, or of one version of it."""
        query = select(baselines.c.body).where(baselines.c.model == model)
        if version is not None:
            query = query.where(baselines.c.version == version)
        text = self._sql.scalar(query.order_by(baselines.c.sequence.desc()).limit(1))
        return None if text is None else decode(text, dict[str, Any])

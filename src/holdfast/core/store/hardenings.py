"""Hardening runs, each kept with the ledger intent that tells of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from holdfast.core.domain.hardening import Hardening
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session
from holdfast.core.store.tables.harden import hardenings


class Hardenings:
    """What was tried on models to harden them, newest first."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._intents = Intents(session)

    def add(self, run: Hardening) -> bool:
        """Keep a run; False where the same run is kept already. A kept version is told to the ledger."""
        row = {
            "id": run.id,
            "model": run.model,
            "source": run.source,
            "version": run.version,
            "body": encode(run),
            "recorded_at": run.recorded_at,
        }
        if not self._session.insert_new(hardenings, row):
            return False
        self._intents.add("model.hardened", _said(run), about=run.id)
        return True

    def find(self, run_id: str) -> Hardening | None:
        """The run with this id."""
        body = self._sql.scalar(select(hardenings.c.body).where(hardenings.c.id == run_id))
        return None if body is None else decode(body, Hardening)

    def of_version(self, version: str) -> Hardening | None:
        """The run that made a version."""
        query = select(hardenings.c.body).where(hardenings.c.version == version)
        body = self._sql.scalar(query.order_by(hardenings.c.recorded_at.desc()).limit(1))
        return None if body is None else decode(body, Hardening)

    def recent(self, limit: int, *, model: str | None = None) -> list[Hardening]:
        """The newest runs, of one model or of all."""
        query = select(hardenings.c.body).order_by(hardenings.c.recorded_at.desc(), hardenings.c.id).limit(limit)
        query = query if model is None else query.where(hardenings.c.model == model)
        return [decode(body, Hardening) for body in self._sql.scalars(query)]


def _said(run: Hardening) -> dict[str, Any]:
    after = run.after
    return {
        "run": run.id,
        "model": run.model,
        "source": run.source,
        "version": run.version,
        "seed": run.seed,
        "linf": run.linf,
        "robust_recall": [run.before.at(run.linf).robust_recall, after and after.at(run.linf).robust_recall],
        "auc": [run.before.auc, after and after.auc],
    }

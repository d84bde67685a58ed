"""The text of every policy that has judged, by its digest, so that the same policy can judge again."""

from __future__ import annotations

from sqlalchemy import select

from holdfast.core.store.session import Session
from holdfast.core.store.tables.loop import policies


class Policies:
    """Rows are added and never changed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, digest: str, body: str) -> bool:
        """Keep a policy's text; True if it is new."""
        return self._session.insert_new(policies, {"digest": digest, "body": body, "recorded_at": self._session.now})

    def text(self, digest: str) -> str | None:
        """The text of the policy with this digest."""
        return self._session.connection.scalar(select(policies.c.body).where(policies.c.digest == digest))

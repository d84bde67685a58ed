"""Which reaction has answered which message, so that none answers the same cause twice."""

from __future__ import annotations

from sqlalchemy import func, select

from holdfast.core.store.session import Session
from holdfast.core.store.tables.loop import reactions


class Reactions:
    """One row per reaction, topic and cause, written in the transaction of the reaction's own effects."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def first_time(self, reaction: str, topic: str, cause: str) -> bool:
        """Write down that a reaction answers a cause now; False where it has done so before."""
        row = {"reaction": reaction, "topic": topic, "cause": cause, "done_at": self._session.now}
        return self._session.insert_new(reactions, row)

    def count(self, topic: str, cause: str) -> int:
        """How many reactions have answered a cause."""
        query = select(func.count()).where(reactions.c.topic == topic, reactions.c.cause == cause)
        return self._session.connection.scalar(query) or 0

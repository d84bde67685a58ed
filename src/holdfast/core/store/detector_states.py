"""How far detection has read each model's events, and what its detectors remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from holdfast.core.domain.ids import JSONValue
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session
from holdfast.core.store.tables.watch import detector_states


@dataclass(frozen=True, slots=True)
class DetectorState:
    """`offset`: the last segment whose findings are kept. `saved`: the last one that `state` has seen.

    They differ because a state of megabytes is not written at every step: what lies between is read again, silently.
    """

    model: str
    offset: int
    saved: int
    events: int
    body: Mapping[str, JSONValue]
    updated_at: datetime


class DetectorStates:
    """One row per model."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def find(self, model: str) -> DetectorState | None:
        """Where detection on `model` stands."""
        rows = self._select(detector_states.c.model == model)
        return rows[0] if rows else None

    def all(self) -> list[DetectorState]:
        """Every model that detection has begun on, by name."""
        return self._select()

    def state(self, model: str) -> bytes | None:
        """What the detectors remembered when `saved` was reached."""
        found = self._sql.scalar(select(detector_states.c.state).where(detector_states.c.model == model))
        return None if found is None else bytes(found)

    def advance(self, model: str, was: int, offset: int, events: int, body: Mapping[str, JSONValue]) -> bool:
        """Move a model from the offset `was` to `offset`; False, and nothing is changed, if it stands elsewhere."""
        now = self._session.now
        said = encode(body)
        if was == 0:
            row = {"model": model, "offset": 0, "saved": 0, "events": 0, "body": "{}", "updated_at": now}
            self._session.insert_new(detector_states, row)
        statement = (
            update(detector_states)
            .where(detector_states.c.model == model, detector_states.c.offset == was)
            .values(offset=offset, events=detector_states.c.events + events, body=said, updated_at=now)
        )
        return self._session.changed(statement) == 1

    def save(self, model: str, offset: int, state: bytes) -> bool:
        """Keep what the detectors remember at `offset`, unless something newer is kept."""
        statement = (
            update(detector_states)
            .where(detector_states.c.model == model, detector_states.c.saved <= offset)
            .values(saved=offset, state=state, updated_at=self._session.now)
        )
        return self._session.changed(statement) == 1

    def _select(self, *conditions: Any) -> list[DetectorState]:
        columns = [column for column in detector_states.c if column.name != "state"]
        query = select(*columns).where(*conditions).order_by(detector_states.c.model)
        return [_state(row) for row in self._sql.execute(query)]


def _state(row: Row[Any]) -> DetectorState:
    return DetectorState(row.model, row.offset, row.saved, row.events, decode(row.body, dict[str, Any]), row.updated_at)

"""Claims: made by causes, ended by time or by withdrawal, never deleted. Every change is a ledger intent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select

from holdfast.core.domain import JSONValue, to_iso
from holdfast.core.domain.claim import Cause, Ceiling, Claim, Effect, derive
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.loop import claims


class Claims:
    """The causes of automatic effects, and by `effects` the state they amount to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._intents = Intents(session)

    def make(self, claim: Claim) -> bool:
        """Keep a claim; False where the same one already stands. One that had ended or differs stands anew."""
        known = self.find(claim.id)
        if known is not None and replace(known, since=claim.since) == claim:
            return False
        self._put(claim)
        self._intents.add("claim.made", _said(claim), about=claim.id)
        return True

    def withdraw(self, cause: Cause, *, target: str | None = None) -> list[Claim]:
        """End the claims of a cause that are in force (all, or those on one target), as of now. Gives those ended."""
        now = self._session.now
        ended = [item for item in self.of_cause(cause) if item.active(now) and target in (None, item.target)]
        for item in ended:
            self._put(replace(item, withdrawn_at=now))
            self._intents.add("claim.withdrawn", _said(item), about=item.id)
        return ended

    def find(self, claim_id: str) -> Claim | None:
        """The claim with this id, in force or not."""
        row = self._sql.execute(select(claims).where(claims.c.id == claim_id)).one_or_none()
        return None if row is None else _claim(row)

    def of_cause(self, cause: Cause) -> list[Claim]:
        """Every claim that a cause ever made."""
        return self._select(claims.c.cause == str(cause))

    def of_causes(self, causes: Iterable[Cause]) -> list[Claim]:
        """Every claim of these causes."""
        return [item for chunk in chunks(map(str, causes)) for item in self._select(claims.c.cause.in_(chunk))]

    def active(
        self, at: datetime | None = None, *, effect: str | None = None, target: str | None = None
    ) -> list[Claim]:
        """The claims in force at a moment (default: now), by id."""
        moment = at or self._session.now
        conditions: list[Any] = [
            claims.c.since <= moment,
            or_(claims.c.until.is_(None), claims.c.until > moment),
            or_(claims.c.withdrawn_at.is_(None), claims.c.withdrawn_at > moment),
        ]
        conditions += [] if effect is None else [claims.c.effect == effect]
        conditions += [] if target is None else [claims.c.target == target]
        return self._select(*conditions)

    def ended_by(self, at: datetime, since: datetime) -> list[Claim]:
        """The claims whose own end fell after `since` and no later than `at`."""
        return self._select(claims.c.until > since, claims.c.until <= at, claims.c.withdrawn_at.is_(None))

    def effects(self, at: datetime | None = None) -> tuple[Effect, ...]:
        """The derived state: what is in force, from which causes."""
        moment = at or self._session.now
        return derive(self.active(moment), moment)

    def all(self) -> list[Claim]:
        """Every claim ever made, by id."""
        return self._select()

    def _put(self, claim: Claim) -> None:
        self._session.put(
            claims,
            {
                "id": claim.id,
                "cause": str(claim.cause),
                "effect": claim.effect,
                "target": claim.target,
                "ceiling": claim.ceiling.value,
                "body": encode(claim.body),
                "since": claim.since,
                "until": claim.until,
                "withdrawn_at": claim.withdrawn_at,
                "recorded_at": self._session.now,
            },
        )

    def _select(self, *conditions: Any) -> list[Claim]:
        return [_claim(row) for row in self._sql.execute(select(claims).where(*conditions).order_by(claims.c.id))]


def _claim(row: Row[Any]) -> Claim:
    return Claim(
        cause=Cause.parse(row.cause),
        effect=row.effect,
        target=row.target,
        ceiling=Ceiling(row.ceiling),
        since=row.since,
        until=row.until,
        withdrawn_at=row.withdrawn_at,
        body=decode(row.body, dict[str, Any]),
    )


def _said(claim: Claim) -> dict[str, JSONValue]:
    return {
        "claim": claim.id,
        "cause": str(claim.cause),
        "effect": claim.effect,
        "target": claim.target,
        "ceiling": claim.ceiling.value,
        "until": None if claim.until is None else to_iso(claim.until),
    }

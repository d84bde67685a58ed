"""Claims: made by causes, ended by time or by withdrawal, never deleted. Every change is a ledger intent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, or_, select

from holdfast.core.domain import JSONValue, to_iso
from holdfast.core.domain.claim import ALLOW, Cause, Ceiling, Claim, Effect, derive
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intel import touch
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.loop import claims

INTELLIGENCE: Final = frozenset({ALLOW, "deny"})
"""Effects that are part of the intelligence in force; whoever has read it has to look again when one changes."""


class Claims:
    """The causes of automatic effects, and by `effects` the state they amount to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection
        self._intents = Intents(session)

    def make(self, claim: Claim) -> bool:
        """Keep a claim; False where the same one already stands. One that had ended or differs stands anew."""
        return bool(self.make_all([claim]))

    def make_all(self, made: Sequence[Claim]) -> list[Claim]:
        """`make` for many at once; gives those that are new."""
        known: dict[str, Claim] = {}
        for chunk in chunks([claim.id for claim in made]):
            known.update((item.id, item) for item in self._select(claims.c.id.in_(chunk)))
        new = {claim.id: claim for claim in made if not _same(known.get(claim.id), claim)}
        self._put(*new.values())
        self._intents.add_all([("claim.made", _said(claim), claim.id) for claim in new.values()])
        return list(new.values())

    def withdraw(self, cause: Cause, *, target: str | None = None, effect: str | None = None) -> list[Claim]:
        """End the claims of a cause that are in force (all, or those on one target, of one effect), as of now.

        Gives those ended.
        """
        now = self._session.now
        meant = (item for item in self.of_cause(cause) if target in (None, item.target))
        ended = [item for item in meant if item.active(now) and effect in (None, item.effect)]
        self.end(ended)
        return ended

    def end(self, ended: Sequence[Claim]) -> None:
        """End these claims, as of now."""
        now = self._session.now
        self._put(*(replace(item, withdrawn_at=now) for item in ended))
        self._intents.add_all([("claim.withdrawn", _said(item), item.id) for item in ended])

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

    def on_target(self, target: str) -> list[Claim]:
        """Every claim ever made on a target."""
        return self._select(claims.c.target == target)

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

    def _put(self, *changed: Claim) -> None:
        if any(claim.effect in INTELLIGENCE for claim in changed):
            touch(self._session)
        rows = [_row(claim, self._session.now) for claim in changed]
        statement = self._session.insert(claims)
        others = {column.name: statement.excluded[column.name] for column in claims.c if column.name != "id"}
        for chunk in chunks(rows):
            self._sql.execute(statement.on_conflict_do_update(index_elements=["id"], set_=others), list(chunk))

    def _select(self, *conditions: Any) -> list[Claim]:
        return [_claim(row) for row in self._sql.execute(select(claims).where(*conditions).order_by(claims.c.id))]


def _same(known: Claim | None, claim: Claim) -> bool:
    return known is not None and replace(known, since=claim.since) == claim


def _row(claim: Claim, now: datetime) -> dict[str, Any]:
    return {
        "id": claim.id,
        "cause": str(claim.cause),
        "effect": claim.effect,
        "target": claim.target,
        "ceiling": claim.ceiling.value,
        "body": encode(claim.body),
        "since": claim.since,
        "until": claim.until,
        "withdrawn_at": claim.withdrawn_at,
        "recorded_at": now,
    }


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

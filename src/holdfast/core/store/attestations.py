"""What people attested: appended and never changed; saying otherwise is a newer attestation. All of it is ledgered."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select

from holdfast.core.domain import JSONValue, to_iso
from holdfast.core.domain.control import Attestation
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.intents import Intents
from holdfast.core.store.session import Session
from holdfast.core.store.tables.comply import attestations
from holdfast.core.store.types import storable


class Attestations:
    """Bitemporal: `effective_at` is from when it holds in the world, `recorded_at` when we were told."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def add(self, said: Attestation) -> Attestation:
        """Keep an attestation as recorded now. The ledger learns its digests and dates, never a person's name."""
        kept = replace(said, recorded_at=self._session.now)
        self._sql.execute(
            insert(attestations).values(
                id=kept.id,
                kind=kept.kind,
                theme=kept.theme,
                model=kept.model,
                by_whom=storable(kept.by),
                statement=storable(kept.statement),
                clauses=encode(kept.clauses),
                holds=kept.holds,
                digest=kept.digest,
                document=None if kept.document is None else storable(kept.document),
                effective_at=kept.effective_at,
                expires_at=kept.expires_at,
                recorded_at=kept.recorded_at,
            )
        )
        Intents(self._session).add("evidence.attested", _leaf(kept), about=kept.id)
        return kept

    def until(self, as_of: datetime, known_at: datetime | None = None) -> list[Attestation]:
        """What was in force or had been by `as_of`, as far as was recorded until `known_at`, in that order."""
        query = select(attestations).where(attestations.c.effective_at <= as_of)
        if known_at is not None:
            query = query.where(attestations.c.recorded_at <= known_at)
        ordered = query.order_by(attestations.c.effective_at, attestations.c.sequence)
        return [_attestation(row) for row in self._sql.execute(ordered)]

    def find(self, attestation_id: str) -> Attestation | None:
        """The attestation with this id."""
        row = self._sql.execute(select(attestations).where(attestations.c.id == attestation_id)).one_or_none()
        return None if row is None else _attestation(row)


def _attestation(row: Row[Any]) -> Attestation:
    return Attestation(
        id=row.id,
        kind=row.kind,
        theme=row.theme,
        by=row.by_whom,
        statement=row.statement,
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        recorded_at=row.recorded_at,
        model=row.model,
        clauses=decode(row.clauses, tuple[str, ...]),
        holds=row.holds,
        digest=row.digest,
        document=row.document,
    )


def _leaf(said: Attestation) -> dict[str, JSONValue]:
    return {
        "attestation": said.id,
        "evidence": f"{said.kind}:{said.theme}",
        "model": said.model,
        "clauses": list(said.clauses),
        "holds": said.holds,
        "digest": said.digest,
        "effective_at": to_iso(said.effective_at),
        "expires_at": None if said.expires_at is None else to_iso(said.expires_at),
    }

"""Who works on what: a lease is held by one owner until it expires, is released, or its holder is gone.

Leases spread work; they guard nothing that must not happen twice. A holder that slept past its end is harmless
because results are idempotent by key, and the ledger's order is fixed by a row lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, or_, select, update

from holdfast.core.store.owners import gone
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables import leases


class Leases:
    """Claims by key. Time is the store's clock; machines that share a store keep theirs within seconds (NTP)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    def claim(self, key: str, owner: str, ttl_s: float) -> bool:
        """Take the lease if it is free, expired, already `owner`'s, or of a process that is gone. True if held now."""
        if self._take(key, owner, ttl_s):
            return True
        holder = self.holder(key)
        return holder is not None and gone(holder) and self.release(key, holder) and self._take(key, owner, ttl_s)

    def _take(self, key: str, owner: str, ttl_s: float) -> bool:
        now = self._session.now
        statement = self._session.insert(leases).values(key=key, owner=owner, expires_at=now + timedelta(seconds=ttl_s))
        taken = statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"owner": statement.excluded.owner, "expires_at": statement.excluded.expires_at},
            where=or_(leases.c.expires_at <= now, leases.c.owner == owner),
        )
        return self._session.changed(taken) == 1

    def renew(self, key: str, owner: str, ttl_s: float) -> bool:
        """Hold on for another `ttl_s`. False if the lease has expired or is another's by now."""
        now = self._session.now
        statement = (
            update(leases)
            .where(leases.c.key == key, leases.c.owner == owner, leases.c.expires_at > now)
            .values(expires_at=now + timedelta(seconds=ttl_s))
        )
        return self._session.changed(statement) == 1

    def release(self, key: str, owner: str) -> bool:
        """Give the lease back. False if it was not `owner`'s."""
        statement = delete(leases).where(leases.c.key == key, leases.c.owner == owner)
        return self._session.changed(statement) == 1

    def holder(self, key: str) -> str | None:
        """Who holds the lease now."""
        return self.holders([key]).get(key)

    def holders(self, keys: Iterable[str]) -> dict[str, str]:
        """Who holds which of `keys` now."""
        found: dict[str, str] = {}
        for chunk in chunks(keys):
            held = select(leases.c.key, leases.c.owner).where(
                leases.c.key.in_(chunk), leases.c.expires_at > self._session.now
            )
            found.update((key, owner) for key, owner in self._sql.execute(held))
        return found

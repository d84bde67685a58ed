"""Intelligence in the store: feeds and their health, what each said, and what it amounts to.

Who writes takes the one row of `intel_state` first, so that what two feeds say of one thing is weighed in order.
`token` is new with every change of what counts: equal tokens mean equal state, also across transactions undone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Table, and_, bindparam, delete, func, select, update

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.clock import from_iso
from holdfast.core.domain.intelligence import ADVISORY, INDICATOR, MALWARE, TECHNIQUE, Feed, Indicator, IntelItem, Tlp
from holdfast.core.domain.severity import Severity
from holdfast.core.store.codec import decode, encode
from holdfast.core.store.session import Session, chunks
from holdfast.core.store.tables.intel import intel_aliases, intel_effective, intel_feeds, intel_items, intel_state

BODIES: Final[Mapping[str, type[Advisory] | type[Technique] | type[Indicator]]] = {
    ADVISORY: Advisory,
    MALWARE: Advisory,
    TECHNIQUE: Technique,
    INDICATOR: Indicator,
}

Place = tuple[str, str, str]
"""Feed, native id and scope: where something was said."""
Alias = tuple[str, str]
"""A name and the scope it is a name in."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """A feed and how it fares. `cursor` is the reader's own note of where it stands (ETag, chain, digest)."""

    feed: Feed
    added_at: datetime
    last_try: datetime | None
    last_ok: datetime | None
    fault: str | None
    cursor: Mapping[str, Any]

    @property
    def gives(self) -> frozenset[str]:
        """The kinds of items it has given."""
        return frozenset(self.cursor.get("gives", ()))

    @property
    def known_at(self) -> datetime | None:
        """As of when it tells the world: its last answer, or where that says when it was made (a bundle), that."""
        made = self.cursor.get("made_at")
        if self.last_ok is None or made is None:
            return self.last_ok
        return min(self.last_ok, from_iso(made))

    def stale(self, now: datetime) -> bool:
        """Whether the feed has been silent for longer than is normal. One that never answered is."""
        return self.known_at is None or now >= self.known_at + self.feed.max_age


@dataclass(frozen=True, slots=True)
class Said:
    """An item as kept: when, how often it has changed, and the digest of the document it was read from."""

    item: IntelItem
    recorded_at: datetime
    changes: int
    raw: str | None = None

    @property
    def place(self) -> Place:
        return self.item.feed, self.item.native_id, self.item.scope

    @property
    def active(self) -> bool:
        return self.item.withdrawn_at is None


@dataclass(frozen=True, slots=True)
class InForce:
    """One thing that counts, as all who speak of it amount to."""

    uid: str
    kind: str
    digest: str
    body: Advisory | Technique | Indicator
    since: datetime


class Intel:
    """Feeds, items and the state in force."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sql = session.connection

    # Feeds.

    def put_feed(self, feed: Feed) -> bool:
        """Register a feed, or change how it is treated; True if it is new. What it said stays."""
        known = self.feed(feed.id)
        if known is not None:
            self._sql.execute(update(intel_feeds).where(intel_feeds.c.id == feed.id).values(body=encode(feed)))
            return False
        self.touch()
        row = {"id": feed.id, "body": encode(feed), "cursor": "{}", "added_at": self._session.now}
        return self._session.insert_new(intel_feeds, row)

    def feed(self, feed_id: str) -> FeedState | None:
        """One feed."""
        row = self._sql.execute(select(intel_feeds).where(intel_feeds.c.id == feed_id)).one_or_none()
        return None if row is None else _feed(row)

    def feeds(self) -> list[FeedState]:
        """Every feed, by id."""
        return [_feed(row) for row in self._sql.execute(select(intel_feeds).order_by(intel_feeds.c.id))]

    def tried(self, feed_id: str, fault: str | None, cursor: Mapping[str, Any] | None = None) -> None:
        """Note that a feed was asked just now, and (fault None) that it answered."""
        now = self._session.now
        values: dict[str, Any] = {"last_try": now, "fault": fault}
        values |= {"last_ok": now} if fault is None else {}
        values |= {} if cursor is None else {"cursor": encode(cursor)}
        self._sql.execute(update(intel_feeds).where(intel_feeds.c.id == feed_id).values(**values))

    def counts(self) -> dict[str, tuple[int, int, frozenset[str]]]:
        """By feed: how many items it says, how many it has withdrawn, and of which kinds."""
        query = select(
            intel_items.c.feed, intel_items.c.kind, func.count(), func.count(intel_items.c.withdrawn_at)
        ).group_by(intel_items.c.feed, intel_items.c.kind)
        found: dict[str, tuple[int, int, frozenset[str]]] = {}
        for feed, kind, total, withdrawn in self._sql.execute(query):
            said, gone, kinds = found.get(feed, (0, 0, frozenset()))
            found[feed] = said + total - withdrawn, gone + withdrawn, kinds | {kind}
        return found

    # What was said.

    def known(self, feed_id: str) -> dict[tuple[str, str], tuple[str, bool]]:
        """By native id and scope: revision, and whether it stands, of everything a feed ever said."""
        query = select(
            intel_items.c.native_id, intel_items.c.scope, intel_items.c.revision, intel_items.c.withdrawn_at
        ).where(intel_items.c.feed == feed_id)
        return {
            (native, scope): (revision, withdrawn is None)
            for native, scope, revision, withdrawn in self._sql.execute(query)
        }

    def write(self, items: Sequence[IntelItem], raw: str | None = None) -> list[Said]:
        """Keep what is said now, each under its place, and the names it is known by. Gives them as kept."""
        before = {said.place: said for said in self.at((one.feed, one.native_id, one.scope) for one in items)}
        kept = [
            _said_again(item, before.get((item.feed, item.native_id, item.scope)), self._session.now, raw)
            for item in items
        ]
        self._upsert(intel_items, [_row(said) for said in kept])
        self._name(kept)
        return kept

    def at(self, places: Iterable[Place]) -> list[Said]:
        """What was said at these places."""
        wanted = set(places)
        found: list[Said] = []
        for feed in sorted({place[0] for place in wanted}):
            natives = sorted({place[1] for place in wanted if place[0] == feed})
            for chunk in chunks(natives):
                query = select(intel_items).where(intel_items.c.feed == feed, intel_items.c.native_id.in_(chunk))
                found += [said for said in map(_said, self._sql.execute(query)) if said.place in wanted]
        return sorted(found, key=lambda said: said.place)

    def of(self, uids: Iterable[str]) -> dict[str, list[Said]]:
        """What is said of these things, withdrawn or not, in the order of places."""
        found: dict[str, list[Said]] = {uid: [] for uid in uids}
        for chunk in chunks(sorted(found)):
            query = select(intel_items).where(intel_items.c.uid.in_(chunk))
            order = (intel_items.c.feed, intel_items.c.native_id, intel_items.c.scope)
            for said in map(_said, self._sql.execute(query.order_by(*order))):
                found[said.item.uid].append(said)
        return found

    def of_feed(self, feed_id: str) -> list[Said]:
        """Everything a feed says, withdrawn or not, in the order of native ids."""
        query = select(intel_items).where(intel_items.c.feed == feed_id)
        return [_said(row) for row in self._sql.execute(query.order_by(intel_items.c.native_id, intel_items.c.scope))]

    def recent(self, limit: int, kind: str | None = None) -> list[str]:
        """The uids of what changed last, newest first."""
        latest = func.max(intel_items.c.recorded_at)
        query = select(intel_items.c.uid).group_by(intel_items.c.uid).order_by(latest.desc(), intel_items.c.uid)
        wanted = query if kind is None else query.where(intel_items.c.kind == kind)
        return list(self._sql.scalars(wanted.limit(limit)))

    def uids_named(self, names: Iterable[str]) -> dict[str, set[str]]:
        """By name (any alias): the things known by it."""
        found: dict[str, set[str]] = {}
        on = and_(
            intel_aliases.c.feed == intel_items.c.feed,
            intel_aliases.c.native_id == intel_items.c.native_id,
            intel_aliases.c.scope == intel_items.c.scope,
        )
        for chunk in chunks(names):
            query = select(intel_aliases.c.alias, intel_items.c.uid).join(intel_items, on)
            for alias, uid in self._sql.execute(query.where(intel_aliases.c.alias.in_(chunk))):
                found.setdefault(alias, set()).add(uid)
        return found

    def with_keys(self, keys: Iterable[str]) -> set[str]:
        """The uids of the things with one of these canonical keys."""
        query = select(intel_items.c.uid).where(intel_items.c.key.in_(sorted(set(keys)))).distinct()
        return set(self._sql.scalars(query))

    # Names.

    def named(self, aliases: Iterable[Alias]) -> set[Place]:
        """The places that use any of these names."""
        wanted = set(aliases)
        found: set[Place] = set()
        for chunk in chunks(sorted({alias for alias, _ in wanted})):
            query = select(intel_aliases).where(intel_aliases.c.alias.in_(chunk))
            found |= {
                (row.feed, row.native_id, row.scope)
                for row in self._sql.execute(query)
                if (row.alias, row.scope) in wanted
            }
        return found

    def rekey(self, keys: Mapping[Place, tuple[str, str]]) -> None:
        """Give places another key and uid, where more is known of what they speak of."""
        statement = (
            update(intel_items)
            .where(
                intel_items.c.feed == bindparam("at_feed"),
                intel_items.c.native_id == bindparam("at_native"),
                intel_items.c.scope == bindparam("at_scope"),
            )
            .values(key=bindparam("new_key"), uid=bindparam("new_uid"))
        )
        rows = [
            {"at_feed": place[0], "at_native": place[1], "at_scope": place[2], "new_key": key, "new_uid": uid}
            for place, (key, uid) in keys.items()
        ]
        if rows:
            self._sql.execute(statement, rows)

    # What it amounts to.

    def hold(self) -> None:
        """Make other writers of intelligence wait until this transaction ends."""
        self._sql.execute(select(intel_state.c.id).with_for_update())

    def touch(self) -> None:
        """Say that what counts has changed."""
        touch(self._session)

    def token(self) -> str | None:
        """The mark of the present state; None where nothing ever counted."""
        return self._sql.scalar(select(intel_state.c.token))

    def in_force(self, uids: Iterable[str] | None = None, *, kind: str | None = None) -> list[InForce]:
        """What counts: all of it, or of these things, by uid."""
        query = select(intel_effective)
        wanted = query if kind is None else query.where(intel_effective.c.kind == kind)
        if uids is None:
            return [_in_force(row) for row in self._sql.execute(wanted.order_by(intel_effective.c.uid))]
        found: list[InForce] = []
        for chunk in chunks(sorted(set(uids))):
            found += [_in_force(row) for row in self._sql.execute(wanted.where(intel_effective.c.uid.in_(chunk)))]
        return sorted(found, key=lambda one: one.uid)

    def digests_in_force(self) -> list[tuple[str, str]]:
        """Uid and digest of everything that counts, by uid; what can be told without reading bodies."""
        query = select(intel_effective.c.uid, intel_effective.c.digest).order_by(intel_effective.c.uid)
        return [(uid, digest) for uid, digest in self._sql.execute(query)]

    def enforce(self, things: Sequence[InForce]) -> None:
        """Let things count from now on, as given."""
        rows = [
            {"uid": one.uid, "kind": one.kind, "digest": one.digest, "body": encode(one.body), "since": one.since}
            for one in things
        ]
        self._upsert(intel_effective, rows)

    def repeal(self, uids: Iterable[str]) -> None:
        """Let things count no longer."""
        for chunk in chunks(uids):
            self._sql.execute(delete(intel_effective).where(intel_effective.c.uid.in_(chunk)))

    def _name(self, kept: Sequence[Said]) -> None:
        rows = [
            {"alias": name, "scope": said.item.scope, "feed": said.item.feed, "native_id": said.item.native_id}
            for said in kept
            if isinstance(said.item.body, Advisory)
            for name in sorted(said.item.body.names)
        ]
        for said in kept:
            if said.changes > 1:
                feed, native, scope = said.place
                self._sql.execute(
                    delete(intel_aliases).where(
                        intel_aliases.c.feed == feed,
                        intel_aliases.c.native_id == native,
                        intel_aliases.c.scope == scope,
                    )
                )
        self._upsert(intel_aliases, rows)

    def _upsert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        keys = [column.name for column in table.primary_key]
        statement = self._session.insert(table)
        others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
        wanted = (
            statement.on_conflict_do_update(index_elements=keys, set_=others)
            if others
            else statement.on_conflict_do_nothing()
        )
        for chunk in chunks(rows):
            self._sql.execute(wanted, list(chunk))


def touch(session: Session) -> None:
    """Give what counts a new mark; also for claims, which are part of what counts."""
    session.put(intel_state, {"id": 1, "token": os.urandom(16).hex()})


def _said_again(item: IntelItem, before: Said | None, now: datetime, raw: str | None) -> Said:
    return Said(item, now, 1 if before is None else before.changes + 1, raw)


def _feed(row: Row[Any]) -> FeedState:
    return FeedState(
        decode(row.body, Feed), row.added_at, row.last_try, row.last_ok, row.fault, decode(row.cursor, dict[str, Any])
    )


def _row(said: Said) -> dict[str, Any]:
    item = said.item
    return {
        "feed": item.feed,
        "native_id": item.native_id,
        "scope": item.scope,
        "uid": item.uid,
        "kind": item.kind,
        "key": item.key,
        "revision": item.revision,
        "title": item.title,
        "severity": item.severity.value,
        "tlp": item.tlp.value,
        "modified_at": item.modified_at,
        "withdrawn_at": item.withdrawn_at,
        "recorded_at": said.recorded_at,
        "changes": said.changes,
        "body": encode(item.body),
        "raw": said.raw,
    }


def _said(row: Row[Any]) -> Said:
    item = IntelItem(
        row.feed,
        row.native_id,
        row.revision,
        row.kind,
        row.key,
        row.title,
        Severity(row.severity),
        Tlp(row.tlp),
        row.modified_at,
        row.withdrawn_at,
        decode(row.body, BODIES[row.kind]),
    )
    return Said(item, row.recorded_at, row.changes, row.raw)


def _in_force(row: Row[Any]) -> InForce:
    return InForce(row.uid, row.kind, row.digest, decode(row.body, BODIES[row.kind]), row.since)

"""Reading a feed into the store: bounded, in batches that stand by themselves, and harmless to repeat.

Each batch is one transaction with the messages that tell of it. A run that is killed leaves whole batches; the next
run finds them unchanged and does the rest, so the end is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import JSONValue, digest
from holdfast.core.domain.intelligence import Feed, IntelItem, revision_of
from holdfast.core.domain.topics import INTEL, REFRESHED, WITHDRAWN
from holdfast.core.errors import HoldfastError
from holdfast.core.store import Store, Transaction
from holdfast.core.store.intel import FeedState, Place, Said
from holdfast.core.store.types import storable
from holdfast.intel.faults import malformed, no_feed, shrunk, too_large
from holdfast.intel.identity import join, key_of
from holdfast.intel.interface import FEEDS, MAX_ID, MAX_STATEMENTS, MAX_TITLE, Context, Statement, Unreadable
from holdfast.intel.source import Source, evidence, noted, open_source

BATCH: Final = 200
MESSAGE_UIDS: Final = 500
SHRINK_SHARE: Final = 0.20
SHRINK_ITEMS: Final = 10
UNREADABLE_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to; `fault` is why it did not. `unreadable` records were named and left as they were."""

    feed: str
    said: int = 0
    new: int = 0
    changed: int = 0
    withdrawn: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    unchanged: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A feed as it was read, whole."""

    statements: Mapping[Place, IntelItem]
    unreadable: tuple[Unreadable, ...]
    complete: bool
    cursor: Mapping[str, Any]
    raw: bytes


def run_import(store: Store, feed_id: str, *, accept_removals: bool = False, dry: bool = False) -> Imported:
    """Read a feed now. Raises UsageError HF-INT-008 for an unknown one; other faults are noted on it and given.

    `dry` says what would change and writes nothing.
    """
    state = _state(store, feed_id)
    try:
        source = open_source(state.feed.location, state.cursor)
        if source.unchanged:
            if not dry:
                store.run(lambda tx: _finish(tx, state, dict(state.cursor)))
            return Imported(feed_id, unchanged=True)
        read = _read(source, state, store.clock())
        known = _known(store, feed_id)
        gone = _gone(read, known, state.feed, accept=accept_removals)
    except HoldfastError as fault:
        words = f"{fault.code}: {fault.message} ({fault.cause})"
        if not dry:
            store.run(lambda tx: tx.intel.tried(feed_id, words[:500]))
        return Imported(feed_id, fault=words)
    news = [item for place, item in read.statements.items() if known.get(place, ("", True))[0] != item.revision]
    if not dry:
        _take(store, state, read, news, gone)
    fresh = sum(1 for item in news if (item.feed, item.native_id, item.scope) not in known)
    withdrawn = sum(1 for item in news if item.withdrawn_at is not None) + len(gone)
    return Imported(feed_id, len(read.statements), fresh, len(news) - fresh, withdrawn, read.unreadable)


def _take(store: Store, state: FeedState, read: _Read, news: Sequence[IntelItem], gone: Sequence[Place]) -> None:
    """Write what changed in batches, and then that the feed has answered."""
    raw = store.blobs.put(read.raw)
    for batch in _batches(iter(news)):
        store.run(lambda tx, batch=batch: _write(tx, batch, raw))  # type: ignore[misc]
    for places in _batches(iter(gone)):
        store.run(lambda tx, places=places: _withdraw_gone(tx, places, raw))  # type: ignore[misc]
    cursor = {**state.cursor, **read.cursor, "gives": _gives(state, read), "raw": raw}
    store.run(lambda tx: _finish(tx, state, cursor))


def _state(store: Store, feed_id: str) -> FeedState:
    with store.reading() as tx:
        state = tx.intel.feed(feed_id)
        if state is None:
            raise no_feed(feed_id, [one.feed.id for one in tx.intel.feeds()])
    return state


def _known(store: Store, feed_id: str) -> dict[Place, tuple[str, bool]]:
    with store.reading() as tx:
        return {(feed_id, *place): said for place, said in tx.intel.known(feed_id).items()}


def _read(source: Source, state: FeedState, now: datetime) -> _Read:
    """Everything the feed says, before anything of it is written."""
    seen: dict[str, str] = {}
    kind = FEEDS.get(state.feed.kind)
    reading = kind.read(noted(source.documents, seen), Context(state.feed, state.cursor, now))
    statements: dict[Place, IntelItem] = {}
    unreadable: list[Unreadable] = []
    for one in reading.statements:
        if isinstance(one, Unreadable):
            unreadable.append(one)
            continue
        item = _item(one, state.feed)
        statements[item.feed, item.native_id, item.scope] = item
        if len(statements) > MAX_STATEMENTS:
            raise too_large(state.feed.location, f"more than {MAX_STATEMENTS:,} items")
    _judge_readability(state.feed, len(statements), unreadable)
    cursor = {**source.cursor, **reading.cursor}
    whole = reading.complete and not unreadable
    return _Read(statements, tuple(unreadable), whole, cursor, evidence(source, seen))


def _judge_readability(feed: Feed, read: int, unreadable: Sequence[Unreadable]) -> None:
    """An empty feed says nothing rather than that all is well, and one that is mostly noise is not what it claims."""
    if read == 0:
        why = f"none of {len(unreadable)} records can be read" if unreadable else "it says nothing at all"
        raise malformed(feed.location, why + (f"; {unreadable[0].name}: {unreadable[0].why}" if unreadable else ""))
    if len(unreadable) > UNREADABLE_SHARE * (read + len(unreadable)) and len(unreadable) > 1:
        first = unreadable[0]
        raise malformed(feed.location, f"{len(unreadable)} records cannot be read; {first.name}: {first.why}")


def _item(said: Statement, feed: Feed) -> IntelItem:
    kind, key = key_of(said.body)
    return IntelItem(
        feed.id,
        storable(said.native_id)[:MAX_ID],
        revision_of(said.body, withdrawn=said.withdrawn_at is not None),
        kind,
        key,
        storable(said.title)[:MAX_TITLE],
        said.severity,
        feed.tlp,
        said.modified_at,
        said.withdrawn_at,
        said.body,
    )


def _gone(read: _Read, known: Mapping[Place, tuple[str, bool]], feed: Feed, *, accept: bool) -> list[Place]:
    """What the feed said and says no longer. Raises DataError HF-INT-006 where that is suspiciously much."""
    standing = [place for place, (_, stands) in known.items() if stands]
    gone = [place for place in standing if place not in read.statements] if read.complete else []
    if not accept and len(gone) > SHRINK_ITEMS and len(gone) > SHRINK_SHARE * len(standing):
        raise shrunk(feed.id, len(gone), len(standing))
    return sorted(gone)


def _gives(state: FeedState, read: _Read) -> list[str]:
    return sorted(state.gives | {item.kind for item in read.statements.values()})


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(items, BATCH)):
        yield batch


def _write(tx: Transaction, items: Sequence[IntelItem], raw: str | None) -> list[str]:
    """Keep a batch and tell of it; gives the uids touched."""
    tx.intel.hold()
    before = {said.place: said.item.uid for said in tx.intel.at((i.feed, i.native_id, i.scope) for i in items)}
    kept = tx.intel.write(items, raw)
    touched = join(tx.intel, kept, before)
    _tell(tx, kept, touched)
    return sorted(touched)


def _withdraw_gone(tx: Transaction, places: Sequence[Place], raw: str | None) -> list[str]:
    """What a feed no longer lists counts as taken back by it, as of now."""
    now = tx.now
    items = [replace(said.item, withdrawn_at=now) for said in tx.intel.at(places) if said.active]
    return _write(tx, [replace(item, revision=revision_of(item.body, withdrawn=True)) for item in items], raw)


def _tell(tx: Transaction, kept: Sequence[Said], touched: Mapping[str, Sequence[Said]]) -> None:
    """Publish what changed, once per change: what was taken back by somebody apart from what is only new."""
    back = {uid for uid, items in touched.items() if not items}
    places = {said.place for said in kept if not said.active}
    back |= {uid for uid, items in touched.items() if any(said.place in places for said in items)}
    change: list[JSONValue] = [[*said.place, said.item.revision, said.changes] for said in kept]
    for topic, uids in ((INTEL, sorted(touched.keys() - back)), (WITHDRAWN, sorted(back))):
        for start in range(0, len(uids), MESSAGE_UIDS):
            part = uids[start : start + MESSAGE_UIDS]
            tx.outbox.publish(topic, digest([change, *part]), {"items": part})


def _finish(tx: Transaction, state: FeedState, cursor: Mapping[str, Any]) -> None:
    """The feed has answered: its health, the ledger, and who waits for fresh intelligence."""
    feed = state.feed.id
    tx.intel.tried(feed, None, cursor)
    moment = to_iso(tx.now)
    counted = tx.intel.counts().get(feed, (0, 0, frozenset()))
    body = {"feed": feed, "at": moment, "items": counted[0], "withdrawn": counted[1], "raw": cursor.get("raw")}
    if tx.outbox.publish(REFRESHED, f"{feed}@{moment}", {"feed": feed}):
        tx.intend("intel.imported", body, about=f"feed:{feed}")


def stale_feeds(tx: Transaction, now: datetime) -> list[FeedState]:
    """Feeds that have been silent for longer than is normal."""
    return [state for state in tx.intel.feeds() if state.stale(now)]

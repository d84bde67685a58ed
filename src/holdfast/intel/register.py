"""Registering a feed: what is checked before anything is read from it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import digest
from holdfast.core.domain.intelligence import Feed
from holdfast.core.domain.topics import INTEL
from holdfast.core.store import Transaction
from holdfast.intel.faults import wrong_feed
from holdfast.intel.importer import MESSAGE_UIDS
from holdfast.intel.interface import FEEDS
from holdfast.intel.source import check_location

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST: Final = timedelta(days=366)


def _weigh_again(tx: Transaction, feed_id: str) -> None:
    """How far a feed may go has changed: everything it says is weighed anew."""
    uids = sorted({said.item.uid for said in tx.intel.of_feed(feed_id)})
    for start in range(0, len(uids), MESSAGE_UIDS):
        part = uids[start : start + MESSAGE_UIDS]
        tx.outbox.publish(INTEL, digest([feed_id, to_iso(tx.now), *part]), {"items": part})


def register(tx: Transaction, feed: Feed) -> bool:
    """Keep a feed, or change how it is treated; True if it is new. Raises UsageError HF-INT-010 or HF-USE-002."""
    FEEDS.get(feed.kind)
    check_location(feed.location)
    if not NAME.fullmatch(feed.id):
        raise wrong_feed(f"'{feed.id[:80]}' is no id: small letters, digits, '.', '_' and '-', at most 64")
    if not 0 <= feed.trust <= 100:
        raise wrong_feed(f"trust {feed.trust}; it is a number from 0 to 100")
    if not timedelta(0) < feed.max_age <= LONGEST:
        raise wrong_feed("the age after which a feed is stale lies between nothing and a year")
    before = tx.intel.feed(feed.id)
    new = tx.intel.put_feed(feed)
    if before is not None and (before.feed.ceiling, before.feed.trust) != (feed.ceiling, feed.trust):
        _weigh_again(tx, feed.id)
    body = {"feed": feed.id, "kind": feed.kind, "trust": feed.trust, "ceiling": feed.ceiling.value, "new": new}
    tx.intend("intel.feed", body, about=f"feed:{feed.id}")
    return new

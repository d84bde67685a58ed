"""Registering a feed: what is checked before anything is read from it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from holdfast.core.domain.intelligence import Feed
from holdfast.core.store import Transaction
from holdfast.intel.faults import wrong_feed
from holdfast.intel.interface import FEEDS
from holdfast.intel.source import check_location

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST: Final = timedelta(days=366)


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
    new = tx.intel.put_feed(feed)
    body = {"feed": feed.id, "kind": feed.kind, "trust": feed.trust, "ceiling": feed.ceiling.value, "new": new}
    tx.intend("intel.feed", body, about=f"feed:{feed.id}")
    return new

"""Feeds, what they said, and under which names the same thing is known.

`intel_items` is what was said, one row per feed, native id and scope (the package of an advisory); `intel_effective`
is what it amounts to, one row per thing in force, written only when it is weighed together with its effects.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from holdfast.core.store.tables.columns import metadata, moment, words
from holdfast.core.store.types import Words

intel_feeds = Table(
    "intel_feeds",
    metadata,
    words("id", primary_key=True),
    words("body"),
    words("cursor"),
    moment("added_at"),
    moment("last_try", nullable=True),
    moment("last_ok", nullable=True),
    Column("fault", Words),
)

intel_items = Table(
    "intel_items",
    metadata,
    Column("feed", Text, ForeignKey("intel_feeds.id"), primary_key=True),
    words("native_id", primary_key=True),
    words("scope", primary_key=True),
    words("uid"),
    words("kind"),
    words("key"),
    words("revision"),
    Column("title", Words, nullable=False),
    words("severity"),
    words("tlp"),
    moment("modified_at"),
    moment("withdrawn_at", nullable=True),
    moment("recorded_at"),
    Column("changes", Integer, nullable=False),
    words("body"),
    Column("raw", Text),
    Index("ix_intel_items_uid", "uid"),
    Index("ix_intel_items_recorded", "recorded_at"),
)

intel_aliases = Table(
    "intel_aliases",
    metadata,
    words("alias", primary_key=True),
    words("scope", primary_key=True),
    words("feed", primary_key=True),
    words("native_id", primary_key=True),
    Index("ix_intel_aliases_item", "feed", "native_id", "scope"),
)

intel_effective = Table(
    "intel_effective",
    metadata,
    words("uid", primary_key=True),
    words("kind"),
    words("digest"),
    words("body"),
    moment("since"),
    Index("ix_intel_effective_kind", "kind"),
)

intel_state = Table(
    "intel_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    words("token"),
)

"""Items as their journal amounts to them, the journal itself, sprints, acceptances, and tickets elsewhere."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from holdfast.core.store.tables.columns import counted, metadata, moment, words

backlog_items = Table(
    "backlog_items",
    metadata,
    words("id", primary_key=True),
    words("model"),
    words("state"),
    words("body"),
    Index("ix_backlog_items_model", "model", "state"),
)

backlog_journal = Table(
    "backlog_journal",
    metadata,
    counted(),
    words("item"),
    words("step"),
    words("actor"),
    words("why"),
    words("body"),
    moment("effective_at"),
    moment("recorded_at"),
    Index("ix_backlog_journal_item", "item", "sequence"),
    Index("ix_backlog_journal_when", "effective_at", "sequence"),
    sqlite_autoincrement=True,
)

sprints = Table(
    "sprints",
    metadata,
    words("id", primary_key=True),
    words("name", unique=True),
    words("starts"),
    words("ends"),
    Column("capacity", Integer, nullable=False),
    moment("created_at"),
    moment("closed_at", nullable=True),
)

acceptances = Table(
    "acceptances",
    metadata,
    words("id", primary_key=True),
    words("item"),
    words("model"),
    words("body"),
    moment("requested_at"),
    moment("approved_at", nullable=True),
    moment("expires_at"),
    moment("ended_at", nullable=True),
    Index("ix_acceptances_item", "item"),
    Index("ix_acceptances_model", "model"),
    Index("ix_acceptances_end", "expires_at"),
)

trackers = Table(
    "trackers",
    metadata,
    words("name", primary_key=True),
    words("body"),
    Column("cursor", Text),
    moment("recorded_at"),
)

tickets = Table(
    "tickets",
    metadata,
    words("tracker", primary_key=True),
    words("item", primary_key=True),
    words("number"),
    Column("version", Text),
    Column("url", Text),
    Column("closed", Boolean, nullable=False),
    moment("recorded_at"),
    Index("ix_tickets_number", "tracker", "number"),
)

"""Event segments, producers, detector states, campaigns, alerts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from holdfast.core.store.tables.columns import counted, metadata, moment, words
from holdfast.core.store.types import Moment

event_log = Table(
    "event_log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("newest", BigInteger, nullable=False),
    Column("sealed", BigInteger, nullable=False),
    moment("sealed_at"),
)
"""One row. Who holds it appends: so sequences have no holes, and their order is the order in which they appear."""

segments = Table(
    "event_segments",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    words("model"),
    Column("quarantined", Boolean, nullable=False),
    words("pack"),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("raw", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    words("sha256"),
    moment("first_at"),
    moment("last_at"),
    moment("recorded_at"),
    moment("removed_at", nullable=True),
    Index("ix_event_segments_model", "model", "sequence"),
    Index("ix_event_segments_pack", "pack", "sequence"),
)

event_seals = Table(
    "event_seals",
    metadata,
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    words("root"),
    words("intent"),
    moment("recorded_at"),
)

producers = Table(
    "event_producers",
    metadata,
    words("producer", primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    words("missing"),
    moment("first_at"),
    moment("last_at"),
    Index("ix_event_producers_when", "last_at"),
)

detector_states = Table(
    "detector_states",
    metadata,
    words("model", primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("state", LargeBinary),
    words("body"),
    moment("updated_at"),
)

traffic = Table(
    "traffic",
    metadata,
    words("model", primary_key=True),
    Column("hour", Moment, primary_key=True),
    Column("events", BigInteger, nullable=False),
    words("body"),
    Index("ix_traffic_hour", "hour"),
)

campaigns = Table(
    "campaigns",
    metadata,
    words("id", primary_key=True),
    words("model"),
    words("technique"),
    words("entity"),
    words("state"),
    words("body"),
    moment("started_at"),
    moment("last_at"),
    Index("ix_campaigns_model", "model", "state", "last_at"),
)

alerts = Table(
    "alerts",
    metadata,
    counted(),
    words("id", unique=True),
    words("campaign"),
    words("model"),
    words("technique"),
    Column("version", Text),
    words("severity"),
    words("title"),
    words("state"),
    Column("finding", Text),
    words("answers"),
    moment("raised_at"),
    moment("changed_at"),
    Index("ix_alerts_model", "model", "state", "sequence"),
    Index("ix_alerts_finding", "finding"),
    sqlite_autoincrement=True,
)

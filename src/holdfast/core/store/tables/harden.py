"""Hardening runs: one row each, the run itself as JSON."""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from holdfast.core.store.tables.columns import metadata, moment, words

hardenings = Table(
    "hardenings",
    metadata,
    words("id", primary_key=True),
    words("model"),
    words("source"),
    Column("version", Text),
    words("body"),
    moment("recorded_at"),
    Index("ix_hardenings_model", "model", "recorded_at"),
    Index("ix_hardenings_version", "version"),
)

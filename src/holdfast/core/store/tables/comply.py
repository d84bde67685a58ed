"""What people attested: documents, sign-offs, registers; and as what models were declared, from when on."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Table, Text

from holdfast.core.store.tables.columns import counted, metadata, moment, words

attestations = Table(
    "attestations",
    metadata,
    counted(),
    words("id", unique=True),
    words("kind"),
    words("theme"),
    Column("model", Text),
    words("by_whom"),
    words("statement"),
    words("clauses"),
    Column("holds", Boolean, nullable=False),
    Column("digest", Text),
    Column("document", Text),
    moment("effective_at"),
    moment("expires_at", nullable=True),
    moment("recorded_at"),
    Index("ix_attestations_what", "kind", "theme", "recorded_at"),
    sqlite_autoincrement=True,
)

declarations = Table(
    "declarations",
    metadata,
    counted(),
    words("model"),
    words("body"),
    words("manifest"),
    moment("recorded_at"),
    Index("ix_declarations_model", "model", "sequence"),
    sqlite_autoincrement=True,
)

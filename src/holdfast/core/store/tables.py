"""The schema at its newest version; `migrations/` leads older stores here, and a test holds the two together.

Journals (deployments, judgements) are append-only and bitemporal: `effective_at` is when it held in the world,
`recorded_at` when we learned it. They take their sequence from one spine, `journal`, so that replaying them in
order gives the projections (deployed, standings, findings, occurrences) again. JSON bodies are text written by `codec`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from holdfast.core.store.types import Moment, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only in a column of type INTEGER."""


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def _moment(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Moment, nullable=nullable)


models = Table("models", metadata, _text("name", primary_key=True), _text("body"), _moment("recorded_at"))

model_versions = Table(
    "model_versions",
    metadata,
    _text("model", primary_key=True),
    _text("digest", primary_key=True),
    _text("format"),
    _text("manifest"),
    _moment("recorded_at"),
    ForeignKeyConstraint(["model"], ["models.name"]),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _text("noun"),
    _text("model"),
    _moment("recorded_at"),
    Index("ix_journal_model", "model", "sequence"),
    sqlite_autoincrement=True,
)

deployments = Table(
    "deployments",
    metadata,
    Column("sequence", Sequence, ForeignKey("journal.sequence"), primary_key=True, autoincrement=False),
    _text("model"),
    _text("version"),
    _text("environment"),
    _moment("effective_at"),
    _moment("recorded_at"),
    ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.digest"]),
    Index("ix_deployments_when", "model", "environment", "effective_at", "sequence"),
)

deployed = Table(
    "deployed",
    metadata,
    _text("model", primary_key=True),
    _text("environment", primary_key=True),
    _text("version"),
    _moment("effective_at"),
    Column("sequence", Sequence, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    _text("key", primary_key=True),
    _text("check_id"),
    Column("check_version", Integer, nullable=False),
    _text("model"),
    _text("version"),
    _text("status"),
    _text("body"),
    Column("elapsed_s", Float, nullable=False),
    _moment("recorded_at"),
)

observation_targets = Table(
    "observation_targets",
    metadata,
    _text("model", primary_key=True),
    _text("version", primary_key=True),
    Column("key", Text, ForeignKey("observations.key"), primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _text("key"),
    _text("check_id"),
    _text("model"),
    Column("reason", Words, nullable=False),
    _moment("started_at"),
    _moment("retry_at", nullable=True),
    Column("number", Integer, nullable=False),
    Index("ix_attempts_key", "key", "sequence"),
)

leases = Table(
    "leases",
    metadata,
    _text("key", primary_key=True),
    _text("owner"),
    _moment("expires_at"),
)

judgements = Table(
    "judgements",
    metadata,
    Column("sequence", Sequence, ForeignKey("journal.sequence"), primary_key=True, autoincrement=False),
    _text("key", unique=True),
    _text("model"),
    _text("version"),
    _text("verdict"),
    Column("blocks", Boolean, nullable=False),
    _text("body"),
    _moment("effective_at"),
    _moment("valid_until", nullable=True),
    _moment("recorded_at"),
    _text("measured", server_default="[]"),
    Index("ix_judgements_when", "model", "effective_at", "sequence"),
)

standings = Table(
    "standings",
    metadata,
    _text("model", primary_key=True),
    _text("version", primary_key=True),
    Column("sequence", Sequence, nullable=False),
    _text("verdict"),
    Column("blocks", Boolean, nullable=False),
    _moment("effective_at"),
    _moment("valid_until", nullable=True),
)

findings = Table(
    "findings",
    metadata,
    _text("fingerprint", primary_key=True),
    _text("model"),
    _text("rule"),
    _text("severity"),
    _text("check_id"),
    _text("body"),
    _text("state"),
    _moment("seen_at"),
    _moment("opened_at", nullable=True),
    _moment("closed_at", nullable=True),
    Index("ix_findings_model", "model", "state"),
)

occurrences = Table(
    "occurrences",
    metadata,
    _text("fingerprint", primary_key=True),
    _text("version", primary_key=True),
    _text("model"),
    Column("present", Boolean, nullable=False),
    _moment("first_at"),
    _moment("last_at"),
    Index("ix_occurrences_model", "model", "version"),
)

baselines = Table(
    "baselines",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _text("model"),
    _text("version"),
    _text("body"),
    _moment("recorded_at"),
    Index("ix_baselines_model", "model", "sequence"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _text("topic"),
    _text("cause"),
    _text("body"),
    _moment("published_at"),
    Column("owner", Text),
    _moment("claimed_until", nullable=True),
    _moment("acked_at", nullable=True),
    Column("deliveries", Integer, nullable=False),
    UniqueConstraint("topic", "cause"),
    Index("ix_outbox_open", "acked_at", "topic", "sequence"),
    sqlite_autoincrement=True,
)

ledger_intents = Table(
    "ledger_intents",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    _text("id", unique=True),
    _text("kind"),
    Column("entry", LargeBinary, nullable=False),
    _moment("recorded_at"),
    Column("leaf", BigInteger, unique=True),
    sqlite_autoincrement=True,
)

ledger_hashes = Table(
    "ledger_hashes",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

ledger_state = Table(
    "ledger_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("published_size", BigInteger, nullable=False),
    Column("published_root", Text),
)

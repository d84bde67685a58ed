"""The schema at its newest version; `migrations/` leads older stores here, and a test holds the two together.

Journals (deployments, judgements) are append-only and bitemporal: `effective_at` is when it held in the world,
`recorded_at` when we learned it. They take their sequence from one spine, `journal`, so that replaying them in
order gives the projections (deployed, standings, findings, occurrences) again. JSON bodies are text written by `codec`.
"""

from __future__ import annotations

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
    Table,
    Text,
    UniqueConstraint,
)

from holdfast.core.store.tables.columns import Sequence, metadata, moment, words
from holdfast.core.store.types import Words

models = Table("models", metadata, words("name", primary_key=True), words("body"), moment("recorded_at"))

model_versions = Table(
    "model_versions",
    metadata,
    words("model", primary_key=True),
    words("digest", primary_key=True),
    words("format"),
    words("manifest"),
    moment("recorded_at"),
    ForeignKeyConstraint(["model"], ["models.name"]),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    words("noun"),
    words("model"),
    moment("recorded_at"),
    Index("ix_journal_model", "model", "sequence"),
    sqlite_autoincrement=True,
)

deployments = Table(
    "deployments",
    metadata,
    Column("sequence", Sequence, ForeignKey("journal.sequence"), primary_key=True, autoincrement=False),
    words("model"),
    words("version"),
    words("environment"),
    moment("effective_at"),
    moment("recorded_at"),
    ForeignKeyConstraint(["model", "version"], ["model_versions.model", "model_versions.digest"]),
    Index("ix_deployments_when", "model", "environment", "effective_at", "sequence"),
)

deployed = Table(
    "deployed",
    metadata,
    words("model", primary_key=True),
    words("environment", primary_key=True),
    words("version"),
    moment("effective_at"),
    Column("sequence", Sequence, nullable=False),
)

observations = Table(
    "observations",
    metadata,
    words("key", primary_key=True),
    words("check_id"),
    Column("check_version", Integer, nullable=False),
    words("model"),
    words("version"),
    words("status"),
    words("body"),
    Column("elapsed_s", Float, nullable=False),
    moment("recorded_at"),
)

observation_targets = Table(
    "observation_targets",
    metadata,
    words("model", primary_key=True),
    words("version", primary_key=True),
    Column("key", Text, ForeignKey("observations.key"), primary_key=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    words("key"),
    words("check_id"),
    words("model"),
    Column("reason", Words, nullable=False),
    moment("started_at"),
    moment("retry_at", nullable=True),
    Column("number", Integer, nullable=False),
    Index("ix_attempts_key", "key", "sequence"),
)

leases = Table(
    "leases",
    metadata,
    words("key", primary_key=True),
    words("owner"),
    moment("expires_at"),
)

judgements = Table(
    "judgements",
    metadata,
    Column("sequence", Sequence, ForeignKey("journal.sequence"), primary_key=True, autoincrement=False),
    words("key", unique=True),
    words("model"),
    words("version"),
    words("verdict"),
    Column("blocks", Boolean, nullable=False),
    words("body"),
    moment("effective_at"),
    moment("valid_until", nullable=True),
    moment("recorded_at"),
    words("measured", server_default="[]"),
    words("inputs", server_default="{}"),
    Index("ix_judgements_when", "model", "effective_at", "sequence"),
)

standings = Table(
    "standings",
    metadata,
    words("model", primary_key=True),
    words("version", primary_key=True),
    Column("sequence", Sequence, nullable=False),
    words("verdict"),
    Column("blocks", Boolean, nullable=False),
    moment("effective_at"),
    moment("valid_until", nullable=True),
    moment("asked_at", nullable=True),
)

findings = Table(
    "findings",
    metadata,
    words("fingerprint", primary_key=True),
    words("model"),
    words("rule"),
    words("severity"),
    words("check_id"),
    words("body"),
    words("state"),
    moment("seen_at"),
    moment("opened_at", nullable=True),
    moment("closed_at", nullable=True),
    Index("ix_findings_model", "model", "state"),
)

occurrences = Table(
    "occurrences",
    metadata,
    words("fingerprint", primary_key=True),
    words("version", primary_key=True),
    words("model"),
    Column("present", Boolean, nullable=False),
    moment("first_at"),
    moment("last_at"),
    Index("ix_occurrences_model", "model", "version"),
)

baselines = Table(
    "baselines",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    words("model"),
    words("version"),
    words("body"),
    moment("recorded_at"),
    Index("ix_baselines_model", "model", "sequence"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    words("topic"),
    words("cause"),
    words("body"),
    moment("published_at"),
    Column("owner", Text),
    moment("claimed_until", nullable=True),
    moment("acked_at", nullable=True),
    Column("deliveries", Integer, nullable=False),
    UniqueConstraint("topic", "cause"),
    Index("ix_outbox_open", "acked_at", "topic", "sequence"),
    sqlite_autoincrement=True,
)

ledger_intents = Table(
    "ledger_intents",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=True),
    words("id", unique=True),
    words("kind"),
    Column("entry", LargeBinary, nullable=False),
    moment("recorded_at"),
    Column("leaf", BigInteger, unique=True),
    Column("about", Text),
    Index("ix_ledger_intents_about", "about"),
    Index("ix_ledger_intents_kind", "kind", "recorded_at"),
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

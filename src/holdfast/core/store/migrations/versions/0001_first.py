"""The first schema: estate, observations, work, judgements, outbox, ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.String(27)


def upgrade() -> None:
    """Create every table."""
    _estate()
    _observations()
    _judgements()
    _outbox()
    _ledger()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _when(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, _moment, nullable=nullable)


def _counted() -> sa.Column[int]:
    return sa.Column("sequence", _sequence, autoincrement=True, nullable=False)


def _spined() -> sa.Column[int]:
    return sa.Column("sequence", _sequence, autoincrement=False, nullable=False)


def _estate() -> None:
    op.create_table(
        "models", _text("name"), _text("body"), _when("recorded_at"), sa.PrimaryKeyConstraint("name", name="pk_models")
    )
    op.create_table(
        "model_versions",
        _text("model"),
        _text("digest"),
        _text("format"),
        _text("manifest"),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("model", "digest", name="pk_model_versions"),
        sa.ForeignKeyConstraint(["model"], ["models.name"], name="fk_model_versions_model"),
    )
    op.create_table(
        "journal",
        _counted(),
        _text("noun"),
        _text("model"),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_model", "journal", ["model", "sequence"])
    op.create_table(
        "deployments",
        _spined(),
        _text("model"),
        _text("version"),
        _text("environment"),
        _when("effective_at"),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_deployments"),
        sa.ForeignKeyConstraint(["sequence"], ["journal.sequence"], name="fk_deployments_sequence"),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.digest"],
            name="fk_deployments_model_version",
        ),
    )
    op.create_index("ix_deployments_when", "deployments", ["model", "environment", "effective_at", "sequence"])
    op.create_table(
        "deployed",
        _text("model"),
        _text("environment"),
        _text("version"),
        _when("effective_at"),
        _spined(),
        sa.PrimaryKeyConstraint("model", "environment", name="pk_deployed"),
    )


def _observations() -> None:
    op.create_table(
        "observations",
        _text("key"),
        _text("check_id"),
        sa.Column("check_version", sa.Integer, nullable=False),
        _text("model"),
        _text("version"),
        _text("status"),
        _text("body"),
        sa.Column("elapsed_s", sa.Float, nullable=False),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("key", name="pk_observations"),
    )
    op.create_table(
        "observation_targets",
        _text("model"),
        _text("version"),
        _text("key"),
        sa.PrimaryKeyConstraint("model", "version", "key", name="pk_observation_targets"),
        sa.ForeignKeyConstraint(["key"], ["observations.key"], name="fk_observation_targets_key"),
    )
    op.create_table(
        "attempts",
        _counted(),
        _text("key"),
        _text("check_id"),
        _text("model"),
        _text("reason"),
        _when("started_at"),
        _when("retry_at", nullable=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_attempts"),
    )
    op.create_index("ix_attempts_key", "attempts", ["key", "sequence"])
    op.create_table(
        "leases",
        _text("key"),
        _text("owner"),
        _when("expires_at"),
        sa.PrimaryKeyConstraint("key", name="pk_leases"),
    )


def _judgements() -> None:
    op.create_table(
        "judgements",
        _spined(),
        _text("key"),
        _text("model"),
        _text("version"),
        _text("verdict"),
        sa.Column("blocks", sa.Boolean, nullable=False),
        _text("body"),
        _when("effective_at"),
        _when("valid_until", nullable=True),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_judgements"),
        sa.ForeignKeyConstraint(["sequence"], ["journal.sequence"], name="fk_judgements_sequence"),
        sa.UniqueConstraint("key", name="uq_judgements_key"),
    )
    op.create_index("ix_judgements_when", "judgements", ["model", "effective_at", "sequence"])
    op.create_table(
        "baselines",
        _counted(),
        _text("model"),
        _text("version"),
        _text("body"),
        _when("recorded_at"),
        sa.PrimaryKeyConstraint("sequence", name="pk_baselines"),
    )
    op.create_index("ix_baselines_model", "baselines", ["model", "sequence"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        _counted(),
        _text("topic"),
        _text("cause"),
        _text("body"),
        _when("published_at"),
        sa.Column("owner", sa.Text),
        _when("claimed_until", nullable=True),
        _when("acked_at", nullable=True),
        sa.Column("deliveries", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_outbox"),
        sa.UniqueConstraint("topic", "cause", name="uq_outbox_topic_cause"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_open", "outbox", ["acked_at", "topic", "sequence"])


def _ledger() -> None:
    op.create_table(
        "ledger_intents",
        _counted(),
        _text("id"),
        _text("kind"),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        _when("recorded_at"),
        sa.Column("leaf", sa.BigInteger),
        sa.PrimaryKeyConstraint("sequence", name="pk_ledger_intents"),
        sa.UniqueConstraint("id", name="uq_ledger_intents_id"),
        sa.UniqueConstraint("leaf", name="uq_ledger_intents_leaf"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ledger_hashes",
        sa.Column("level", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_ledger_hashes"),
    )
    state = op.create_table(
        "ledger_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("published_size", sa.BigInteger, nullable=False),
        sa.Column("published_root", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_state"),
    )
    op.bulk_insert(state, [{"id": 1, "size": 0, "published_size": 0}])

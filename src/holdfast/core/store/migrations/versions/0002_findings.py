"""Findings, occurrences and standings as projections; a judgement says which checks had been measured for it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_moment = sa.String(27)


def upgrade() -> None:
    """Add the tables, empty: every upgrade ends with a rebuild of all projections from the journals."""
    op.add_column("judgements", sa.Column("measured", sa.Text, nullable=False, server_default="[]"))
    _measured_so_far(op.get_bind())
    op.create_table(
        "standings",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("blocks", sa.Boolean, nullable=False),
        sa.Column("effective_at", _moment, nullable=False),
        sa.Column("valid_until", _moment),
        sa.PrimaryKeyConstraint("model", "version", name="pk_standings"),
    )
    op.create_table(
        "findings",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("check_id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("seen_at", _moment, nullable=False),
        sa.Column("opened_at", _moment),
        sa.Column("closed_at", _moment),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_findings"),
    )
    op.create_index("ix_findings_model", "findings", ["model", "state"])
    op.create_table(
        "occurrences",
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("first_at", _moment, nullable=False),
        sa.Column("last_at", _moment, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", "version", name="pk_occurrences"),
    )
    op.create_index("ix_occurrences_model", "occurrences", ["model", "version"])


def _measured_so_far(connection: sa.Connection) -> None:
    """Version 1 did not write down what a judgement could see: take what had been recorded by then."""
    seen = sa.text(
        "SELECT j.sequence, o.check_id FROM judgements j"
        " JOIN observation_targets t ON t.model = j.model AND t.version = j.version"
        " JOIN observations o ON o.key = t.key"
        " WHERE o.status = 'measured' AND o.recorded_at <= j.recorded_at"
    )
    checks: dict[int, set[str]] = {}
    for sequence, check in connection.execute(seen):
        checks.setdefault(sequence, set()).add(check)
    for sequence, names in checks.items():
        connection.execute(
            sa.text("UPDATE judgements SET measured = :measured WHERE sequence = :sequence"),
            {"measured": json.dumps(sorted(names), separators=(",", ":")), "sequence": sequence},
        )

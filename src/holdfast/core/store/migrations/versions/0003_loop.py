"""The loop: claims, reactions, intelligence, backlog, events, alerts, users and attested evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns; the columns are empty for what is old."""
    from holdfast.core.store.tables import metadata

    op.add_column("judgements", sa.Column("inputs", sa.Text, nullable=False, server_default="{}"))
    op.add_column("ledger_intents", sa.Column("about", sa.Text))
    op.create_index("ix_ledger_intents_about", "ledger_intents", ["about"])
    metadata.create_all(op.get_bind(), checkfirst=True)

"""What was done about alerts: runs of playbooks, approvals, notices to the outside, the health of sinks, incidents."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from holdfast.core.store.tables.columns import counted, metadata, moment, words
from holdfast.core.store.types import Words

runs = Table(
    "runs",
    metadata,
    counted(),
    words("id", unique=True),
    words("playbook"),
    words("cause"),
    words("model"),
    words("body"),
    moment("started_at"),
    moment("undone_at", nullable=True),
    Column("undone_by", Words),
    Column("reason", Words),
    Index("ix_runs_cause", "cause"),
    sqlite_autoincrement=True,
)

run_approvals = Table(
    "run_approvals",
    metadata,
    Column("run", Text, ForeignKey("runs.id"), primary_key=True),
    words("person", primary_key=True),
    moment("approved_at"),
)

notices = Table(
    "notices",
    metadata,
    words("id", primary_key=True),
    words("sink", primary_key=True),
    words("kind"),
    words("subject"),
    words("state"),
    moment("queued_at"),
    Index("ix_notices_subject", "subject"),
)

sink_health = Table(
    "sink_health",
    metadata,
    words("sink", primary_key=True),
    Column("delivered", Integer, nullable=False),
    Column("withheld", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    moment("delivered_at", nullable=True),
    moment("failed_at", nullable=True),
    Column("last_error", Words),
)

incidents = Table(
    "incidents",
    metadata,
    counted(),
    words("id", unique=True),
    words("model"),
    words("body"),
    moment("occurred_at"),
    moment("aware_at"),
    moment("closed_at", nullable=True),
    Index("ix_incidents_model", "model", "closed_at"),
    sqlite_autoincrement=True,
)

incident_alerts = Table(
    "incident_alerts",
    metadata,
    words("alert", primary_key=True),
    Column("incident", Text, ForeignKey("incidents.id"), nullable=False),
    Index("ix_incident_alerts_incident", "incident"),
)

"""The loop: claims, reactions, intelligence, backlog, events, alerts, responses, users and attested evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add tables and columns; the columns are empty for what is old."""
    _access()
    _backlog()
    _base()
    _comply()
    _harden()
    _intel()
    _loop()
    _respond()
    _watch()


def _access() -> None:
    op.create_table(
        "login_failures",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_failures")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
        sa.Column("password", sa.Text, nullable=True),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("disabled_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "browser_sessions",
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("seen_at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_browser_sessions_user_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_browser_sessions")),
    )
    op.create_index("ix_browser_sessions_user", "browser_sessions", ["user_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=True),
        sa.Column("revoked_at", sa.String(27), nullable=True),
        sa.Column("used_at", sa.String(27), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_index("ix_tokens_user", "tokens", ["user_id"], unique=False)


def _backlog() -> None:
    op.create_table(
        "acceptances",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("requested_at", sa.String(27), nullable=False),
        sa.Column("approved_at", sa.String(27), nullable=True),
        sa.Column("expires_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acceptances")),
    )
    op.create_index("ix_acceptances_end", "acceptances", ["expires_at"], unique=False)
    op.create_index("ix_acceptances_item", "acceptances", ["item"], unique=False)
    op.create_index("ix_acceptances_model", "acceptances", ["model"], unique=False)
    op.create_table(
        "backlog_items",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backlog_items")),
    )
    op.create_index("ix_backlog_items_model", "backlog_items", ["model", "state"], unique=False)
    op.create_table(
        "backlog_journal",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("effective_at", sa.String(27), nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_backlog_journal")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_backlog_journal_item", "backlog_journal", ["item", "sequence"], unique=False)
    op.create_index("ix_backlog_journal_when", "backlog_journal", ["effective_at", "sequence"], unique=False)
    op.create_table(
        "sprints",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("starts", sa.Text, nullable=False),
        sa.Column("ends", sa.Text, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("closed_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sprints")),
        sa.UniqueConstraint("name", name=op.f("uq_sprints_name")),
    )
    op.create_table(
        "tickets",
        sa.Column("tracker", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=True),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("tracker", "item", name=op.f("pk_tickets")),
    )
    op.create_index("ix_tickets_number", "tickets", ["tracker", "number"], unique=False)
    op.create_table(
        "trackers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text, nullable=True),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trackers")),
    )


def _base() -> None:
    op.add_column("judgements", sa.Column("inputs", sa.Text, server_default="{}", nullable=False))
    op.add_column("ledger_intents", sa.Column("about", sa.Text, nullable=True))
    op.create_index("ix_ledger_intents_about", "ledger_intents", ["about"], unique=False)
    op.create_index("ix_ledger_intents_kind", "ledger_intents", ["kind", "recorded_at"], unique=False)
    op.add_column("standings", sa.Column("asked_at", sa.String(27), nullable=True))


def _comply() -> None:
    op.create_table(
        "attestations",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("theme", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=True),
        sa.Column("by_whom", sa.Text, nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("clauses", sa.Text, nullable=False),
        sa.Column("holds", sa.Boolean, nullable=False),
        sa.Column("digest", sa.Text, nullable=True),
        sa.Column("document", sa.Text, nullable=True),
        sa.Column("effective_at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=True),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_attestations")),
        sa.UniqueConstraint("id", name=op.f("uq_attestations_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attestations_what", "attestations", ["kind", "theme", "recorded_at"], unique=False)
    op.create_table(
        "declarations",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_declarations")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_declarations_model", "declarations", ["model", "sequence"], unique=False)


def _harden() -> None:
    op.create_table(
        "hardenings",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardenings")),
    )
    op.create_index("ix_hardenings_model", "hardenings", ["model", "recorded_at"], unique=False)
    op.create_index("ix_hardenings_version", "hardenings", ["version"], unique=False)


def _intel() -> None:
    op.create_table(
        "intel_aliases",
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("native_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alias", "scope", "feed", "native_id", name=op.f("pk_intel_aliases")),
    )
    op.create_index("ix_intel_aliases_item", "intel_aliases", ["feed", "native_id", "scope"], unique=False)
    op.create_table(
        "intel_effective",
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_intel_effective")),
    )
    op.create_index("ix_intel_effective_kind", "intel_effective", ["kind"], unique=False)
    op.create_table(
        "intel_feeds",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("added_at", sa.String(27), nullable=False),
        sa.Column("last_try", sa.String(27), nullable=True),
        sa.Column("last_ok", sa.String(27), nullable=True),
        sa.Column("fault", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intel_feeds")),
    )
    op.create_table(
        "intel_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intel_state")),
    )
    op.create_table(
        "intel_items",
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("native_id", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("uid", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("tlp", sa.Text, nullable=False),
        sa.Column("modified_at", sa.String(27), nullable=False),
        sa.Column("withdrawn_at", sa.String(27), nullable=True),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(["feed"], ["intel_feeds.id"], name=op.f("fk_intel_items_feed")),
        sa.PrimaryKeyConstraint("feed", "native_id", "scope", name=op.f("pk_intel_items")),
    )
    op.create_index("ix_intel_items_recorded", "intel_items", ["recorded_at"], unique=False)
    op.create_index("ix_intel_items_uid", "intel_items", ["uid"], unique=False)


def _loop() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("effect", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("ceiling", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("since", sa.String(27), nullable=False),
        sa.Column("until", sa.String(27), nullable=True),
        sa.Column("withdrawn_at", sa.String(27), nullable=True),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
    )
    op.create_index("ix_claims_cause", "claims", ["cause"], unique=False)
    op.create_index("ix_claims_target", "claims", ["effect", "target"], unique=False)
    op.create_table(
        "policies",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_policies")),
    )
    op.create_table(
        "reactions",
        sa.Column("reaction", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("done_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("reaction", "topic", "cause", name=op.f("pk_reactions")),
    )
    op.create_table(
        "fact_index",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("stem", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["key"], ["observations.key"], name=op.f("fk_fact_index_key")),
        sa.PrimaryKeyConstraint("kind", "stem", "value", "key", name=op.f("pk_fact_index")),
    )


def _respond() -> None:
    op.create_table(
        "incidents",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.String(27), nullable=False),
        sa.Column("aware_at", sa.String(27), nullable=False),
        sa.Column("closed_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_incidents")),
        sa.UniqueConstraint("id", name=op.f("uq_incidents_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incidents_model", "incidents", ["model", "closed_at"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("sink", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("queued_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", "sink", name=op.f("pk_notices")),
    )
    op.create_index("ix_notices_subject", "notices", ["subject"], unique=False)
    op.create_table(
        "runs",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("playbook", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.Column("undone_at", sa.String(27), nullable=True),
        sa.Column("undone_by", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_cause", "runs", ["cause"], unique=False)
    op.create_table(
        "sink_health",
        sa.Column("sink", sa.Text, nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("withheld", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("delivered_at", sa.String(27), nullable=True),
        sa.Column("failed_at", sa.String(27), nullable=True),
        sa.Column("last_error", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_sink_health")),
    )
    op.create_table(
        "incident_alerts",
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incidents.id"], name=op.f("fk_incident_alerts_incident")),
        sa.PrimaryKeyConstraint("alert", name=op.f("pk_incident_alerts")),
    )
    op.create_index("ix_incident_alerts_incident", "incident_alerts", ["incident"], unique=False)
    op.create_table(
        "run_approvals",
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("person", sa.Text, nullable=False),
        sa.Column("approved_at", sa.String(27), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_run_approvals_run")),
        sa.PrimaryKeyConstraint("run", "person", name=op.f("pk_run_approvals")),
    )


def _watch() -> None:
    op.create_table(
        "alerts",
        sa.Column("sequence", _sequence, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("technique", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=True),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("finding", sa.Text, nullable=True),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("raised_at", sa.String(27), nullable=False),
        sa.Column("changed_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_alerts")),
        sa.UniqueConstraint("id", name=op.f("uq_alerts_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alerts_finding", "alerts", ["finding"], unique=False)
    op.create_index("ix_alerts_model", "alerts", ["model", "state", "sequence"], unique=False)
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("technique", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("started_at", sa.String(27), nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index("ix_campaigns_model", "campaigns", ["model", "state", "last_at"], unique=False)
    op.create_table(
        "detector_states",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("saved", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("updated_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_detector_states")),
    )
    op.create_table(
        "event_log",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.BigInteger, nullable=False),
        sa.Column("sealed_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_log")),
    )
    op.create_table(
        "event_producers",
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("epoch", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("missing", sa.Text, nullable=False),
        sa.Column("first_at", sa.String(27), nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("producer", "epoch", name=op.f("pk_event_producers")),
    )
    op.create_index("ix_event_producers_when", "event_producers", ["last_at"], unique=False)
    op.create_table(
        "event_seals",
        sa.Column("last", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("last", name=op.f("pk_event_seals")),
    )
    op.create_table(
        "event_segments",
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("raw", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("first_at", sa.String(27), nullable=False),
        sa.Column("last_at", sa.String(27), nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.Column("removed_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_event_segments")),
    )
    op.create_index("ix_event_segments_model", "event_segments", ["model", "sequence"], unique=False)
    op.create_index("ix_event_segments_pack", "event_segments", ["pack", "sequence"], unique=False)
    op.create_table(
        "traffic",
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("hour", sa.String(27), nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("model", "hour", name=op.f("pk_traffic")),
    )
    op.create_index("ix_traffic_hour", "traffic", ["hour"], unique=False)

"""Users, their tokens and sessions."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from holdfast.core.store.tables.columns import metadata, moment, words

users = Table(
    "users",
    metadata,
    words("id", primary_key=True),
    words("name", unique=True),
    words("role"),
    words("units"),
    Column("password", Text),
    moment("created_at"),
    moment("disabled_at", nullable=True),
)

tokens = Table(
    "tokens",
    metadata,
    words("id", primary_key=True),
    words("hash", unique=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    words("label"),
    words("hint"),
    words("scopes"),
    moment("created_at"),
    moment("expires_at", nullable=True),
    moment("revoked_at", nullable=True),
    moment("used_at", nullable=True),
    Index("ix_tokens_user", "user_id"),
)

browser_sessions = Table(
    "browser_sessions",
    metadata,
    words("hash", primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    moment("created_at"),
    moment("seen_at"),
    moment("expires_at"),
    Index("ix_browser_sessions_user", "user_id"),
)

login_failures = Table(
    "login_failures",
    metadata,
    words("key", primary_key=True),
    Column("count", Integer, nullable=False),
    moment("since"),
)

"""What the joints between rooms stand on: claims, what reacted to what, the facts that can be asked for by value."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Table, Text

from holdfast.core.store.tables.columns import metadata, moment, words

claims = Table(
    "claims",
    metadata,
    words("id", primary_key=True),
    words("cause"),
    words("effect"),
    words("target"),
    words("ceiling"),
    words("body"),
    moment("since"),
    moment("until", nullable=True),
    moment("withdrawn_at", nullable=True),
    moment("recorded_at"),
    Index("ix_claims_cause", "cause"),
    Index("ix_claims_target", "effect", "target"),
)

reactions = Table(
    "reactions",
    metadata,
    words("reaction", primary_key=True),
    words("topic", primary_key=True),
    words("cause", primary_key=True),
    moment("done_at"),
)

fact_index = Table(
    "fact_index",
    metadata,
    words("kind", primary_key=True),
    words("stem", primary_key=True),
    words("value", primary_key=True),
    Column("key", Text, ForeignKey("observations.key"), primary_key=True),
)

policies = Table("policies", metadata, words("digest", primary_key=True), words("body"), moment("recorded_at"))

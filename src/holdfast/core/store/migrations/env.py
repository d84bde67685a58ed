"""Run by Alembic: migrates inside the transaction that `core.store.schema` holds open."""

from __future__ import annotations

from alembic import context

from holdfast.core.store.schema import VERSION_TABLE
from holdfast.core.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the caller's transaction covers all; Alembic must not commit step by step
)
context.run_migrations()

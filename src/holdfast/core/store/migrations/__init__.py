"""Alembic migrations of the store, one file per schema version; run on open by `core.store.schema`."""

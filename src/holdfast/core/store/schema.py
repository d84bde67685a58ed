"""Bringing a store to the newest schema: one query when it is there already, Alembic only when it is older."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from holdfast.core.domain import system_clock
from holdfast.core.errors import StoreError
from holdfast.core.store.engine import begin
from holdfast.core.store.projections import rebuild
from holdfast.core.store.session import Session
from holdfast.core.store.tables import ledger_state, metadata

VERSIONS: Final = ("0001", "0002", "0003")
"""Every schema version this Holdfast knows, oldest first: the file names in `migrations/versions`."""

HEAD: Final = VERSIONS[-1]
VERSION_TABLE: Final = "holdfast_schema"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x686F6C6466617374  # 'holdfast' as a PostgreSQL advisory lock

schema = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


def bring_to_head(engine: Engine) -> None:
    """Create, upgrade, or accept the store behind `engine`. Raises StoreError for a newer or a foreign one."""
    if _quick_version(engine) == HEAD:
        return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        _prepare(connection)


def _quick_version(engine: Engine) -> str | None:
    """The version in one query that waits for no writer; None where there is no such table (yet)."""
    try:
        with begin(engine, reading=True) as connection:
            return connection.scalar(select(schema.c.version_num))
    except ProgrammingError:
        return None
    except OperationalError:
        if engine.dialect.name == "postgresql":
            raise  # no answer from the server; asking again would only take as long again
        return None


def _prepare(connection: Connection) -> None:
    """Runs under a lock: of two processes that open a fresh store, the second finds it ready."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        _upgrade(connection, connection.scalar(select(schema.c.version_num)))
    elif tables:
        raise StoreError(
            "the database belongs to something else",
            cause=f"it holds the table '{tables[0]}' but no '{VERSION_TABLE}'",
            fix="give Holdfast a database of its own in HOLDFAST_DATABASE",
            code="HF-STO-006",
        )
    else:
        create(connection)


def create(connection: Connection) -> None:
    """The newest schema in an empty database; the same as all migrations in a row, which a test shows."""
    metadata.create_all(connection, checkfirst=False)
    schema.create(connection)
    connection.execute(insert(schema).values(version_num=HEAD))
    connection.execute(insert(ledger_state).values(id=1, size=0, published_size=0))


def _upgrade(connection: Connection, version: str | None) -> None:
    if version not in VERSIONS:
        raise StoreError(
            "the store was written by a newer Holdfast",
            cause=f"its schema is '{version}'; this Holdfast knows up to '{HEAD}'",
            fix="upgrade: pip install --upgrade holdfast",
            code="HF-STO-002",
        )
    if version != HEAD:
        migrate(connection, HEAD)
        rebuild(Session(connection, system_clock))


def migrate(connection: Connection, target: str) -> None:
    """Run the migrations up to `target` in the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, target)

"""Connections: SQLite in WAL mode in the state folder, or PostgreSQL; what is acknowledged is on disk.

A writing transaction on SQLite begins IMMEDIATE, so it waits for the one writer at its start and never fails
half-way; a reading one sees one snapshot and blocks nobody. On PostgreSQL writers run at READ COMMITTED with
row locks where order matters, readers at REPEATABLE READ, read only.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from holdfast.core.errors import PrerequisiteError, StoreError

DATABASE_NAME = "holdfast.db"
LOCK_WAIT_S = 30
CONNECT_WAIT_S = 10
READING = "holdfast_reading"


def private_folder(home: Path) -> Path:
    """Make the state folder, for its owner only. Raises StoreError where that cannot be."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
    except OSError as fault:
        raise StoreError(
            f"cannot use the state folder {home}",
            cause=fault.strerror or str(fault),
            fix="make it a folder you own, or name another one in HOLDFAST_HOME",
            code="HF-STO-001",
        ) from fault
    return home


def connect(url: str | None, home: Path) -> Engine:
    """The engine for `url`, or for the SQLite file in `home` when there is none."""
    target = database_url(url, home)
    return _sqlite(target) if target.get_backend_name() == "sqlite" else _postgres(target)


def database_url(url: str | None, home: Path) -> URL:
    """`url` with the driver we use; `postgres://` and `postgresql://` both mean psycopg 3."""
    if url is None:
        return URL.create("sqlite", database=str(home / DATABASE_NAME))
    try:
        target = make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
    except (ArgumentError, ValueError) as fault:
        raise _unusable("it is not a database URL") from fault
    if target.drivername == "postgresql":
        return target.set(drivername="postgresql+psycopg")
    if target.get_backend_name() not in ("sqlite", "postgresql"):
        raise _unusable(f"'{target.drivername}' is neither sqlite nor postgresql")
    if target.database in (None, "", ":memory:"):
        raise _unusable("it names no database that would still be there tomorrow")
    return target


def _unusable(cause: str) -> StoreError:
    return StoreError(
        "HOLDFAST_DATABASE cannot be used",
        cause=cause,
        fix="write postgresql://user@host/database, or leave it out to use SQLite in the state folder",
        code="HF-STO-003",
    )


def _sqlite(url: URL) -> Engine:
    assert url.database
    _create_private(Path(url.database))
    engine = create_engine(url, connect_args={"timeout": LOCK_WAIT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private(database: Path) -> None:
    """Make the file ourselves: SQLite would give it, and its WAL, the permissions of the umask."""
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as fault:
        raise StoreError(
            f"cannot use the database file {database}",
            cause=fault.strerror or str(fault),
            fix="make it readable and writable for you, or name another state folder in HOLDFAST_HOME",
            code="HF-STO-001",
        ) from fault


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions; `_begin_sqlite` does
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    reading = bool(connection.get_execution_options().get(READING))
    connection.exec_driver_sql(f"PRAGMA query_only={int(reading)}")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgres(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_WAIT_S})
    except (ModuleNotFoundError, NoSuchModuleError) as fault:
        raise PrerequisiteError(
            "the PostgreSQL driver is not installed",
            cause=str(fault),
            fix="pip install 'holdfast[postgres]'",
            code="HF-PRE-040",
        ) from fault
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: Any) -> None:
    """A server set to acknowledge before the disk has it must not do so for us."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET synchronous_commit = on; SET lock_timeout = '{LOCK_WAIT_S}s';"
            " SET idle_in_transaction_session_timeout = '10min'"
        )
    connection.commit()


def begin(engine: Engine, *, reading: bool) -> Connection:
    """A connection whose next statement begins a transaction of the wanted kind."""
    connection = engine.connect()
    if not reading:
        return connection
    if engine.dialect.name == "sqlite":
        return connection.execution_options(**{READING: True})
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

"""What a database driver complains about, in the words of the house; and which complaints pass by themselves.

Retry policy: a transaction that lost against another one (SQLite busy or locked; PostgreSQL serialization failure
40001, deadlock 40P01, lock timeout 55P03) changed nothing and may be run again. `Store.run` does so up to
`TRIES` times, after a random wait that doubles from 10 ms; a `with` block cannot be run again, so
`Store.transaction` raises HF-STO-004 and leaves it to the caller.
"""

from __future__ import annotations

import math
import random
import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from holdfast.core.errors import StoreError

TRIES = 6
FIRST_WAIT_S = 0.01
_PASSING_STATES = ("40001", "40P01", "55P03")
_PASSING_SQLITE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def passes(fault: SQLAlchemyError) -> bool:
    """Whether running the whole transaction again may succeed."""
    cause = getattr(fault, "orig", None)
    state = getattr(cause, "sqlstate", None)
    number = getattr(cause, "sqlite_errorcode", None)
    return state in _PASSING_STATES or (number is not None and number & 0xFF in _PASSING_SQLITE)


def wait_s(number: int) -> float:
    """How long to wait before try `number` (from 1): random, so that two losers do not meet again."""
    return math.ldexp(FIRST_WAIT_S, number - 1) * random.uniform(0.5, 1.5)  # noqa: S311  (spreads load; guards no secret)


def translate(fault: SQLAlchemyError) -> StoreError:
    """The StoreError that tells what happened; no SQL, no parameters and no password in it."""
    cause = _cause(fault)
    if passes(fault):
        return StoreError(
            "the database is busy",
            cause=cause,
            fix="run the command again; if it stays so, look for another Holdfast process that hangs",
            code="HF-STO-004",
        )
    if isinstance(fault, IntegrityError):
        return StoreError(
            "the database refused a row that contradicts another one",
            cause=cause,
            fix="register the model and its version first; if they are, report this as a fault of Holdfast",
            code="HF-STO-005",
        )
    return StoreError(
        "the database cannot be used",
        cause=cause,
        fix="check HOLDFAST_DATABASE, the server, free disk space and permissions; `holdfast doctor` tells more",
        code="HF-STO-003",
    )


def _cause(fault: SQLAlchemyError) -> str:
    origin = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    lines = str(origin).strip().splitlines()
    return lines[0][:300] if lines else type(origin).__name__

"""What every table is made of: the one `MetaData`, and columns said often."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text

from holdfast.core.store.types import Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only in a column of type INTEGER."""


def words(name: str, **options: Any) -> Column[str]:
    """A text column that is never null."""
    return Column(name, Text, nullable=False, **options)


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """A UTC moment."""
    return Column(name, Moment, nullable=nullable)


def counted() -> Column[int]:
    """A sequence that the database counts up; the table needs `sqlite_autoincrement=True`."""
    return Column("sequence", Sequence, primary_key=True, autoincrement=True)

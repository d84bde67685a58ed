"""What every repository stands on: the open SQL transaction, the clock, and three statements said often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Executable, Table, select

from holdfast.core.domain import Clock
from holdfast.core.errors import StoreError
from holdfast.core.store.tables import journal, models

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

CHUNK = 500
"""Values per IN list: well under what either database allows."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Session:
    """One open SQL transaction."""

    connection: Connection
    clock: Clock

    @property
    def now(self) -> datetime:
        return self.clock()

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT in the words of this database."""
        # Only the dialect in use is imported: the other one is a tenth of the time an unchanged gate takes.
        if self.connection.dialect.name == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)

    def changed(self, statement: Executable) -> int:
        """Execute, and count the rows it touched; of an INSERT the driver is only asked when told to."""
        result = self.connection.execute(statement, execution_options={"preserve_rowcount": True})
        return result.rowcount

    def insert_new(self, table: Table, values: Mapping[str, Any]) -> bool:
        """Insert unless a row with the same key is there. True if it was new."""
        return self.changed(self.insert(table).values(**values).on_conflict_do_nothing()) == 1

    def put(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert, or replace what the row with the same primary key says."""
        keys = [column.name for column in table.primary_key]
        changed = {name: value for name, value in values.items() if name not in keys}
        statement = self.insert(table).values(**values).on_conflict_do_update(index_elements=keys, set_=changed)
        self.connection.execute(statement)

    def put_all(
        self, table: Table, rows: Iterable[Mapping[str, Any]], *, changing: Sequence[str] | None = None
    ) -> None:
        """`put` for many rows with the same columns; of rows that are there only the columns `changing`, if given."""
        keys = [column.name for column in table.primary_key]
        for chunk in chunks(rows):
            statement = self.insert(table)
            names = [name for name in chunk[0] if name not in keys] if changing is None else changing
            changed = {name: statement.excluded[name] for name in names}
            self.connection.execute(
                statement.on_conflict_do_update(index_elements=keys, set_=changed)
                if changed
                else statement.on_conflict_do_nothing(),
                list(chunk),
            )

    def append(self, noun: str, model: str) -> int:
        """The sequence of a new journal row. Hold the model first, so that its history has one order."""
        result = self.connection.execute(journal.insert().values(noun=noun, model=model, recorded_at=self.now))
        key = result.inserted_primary_key
        assert key is not None
        return int(key[0])

    def append_all(self, noun: str, models: Sequence[str]) -> list[int]:
        """`append` for many, in order."""
        now = self.now
        found: list[int] = []
        for chunk in chunks(models):
            rows = [{"noun": noun, "model": model, "recorded_at": now} for model in chunk]
            statement = journal.insert().returning(journal.c.sequence, sort_by_parameter_order=True)
            found += self.connection.scalars(statement, rows)
        return found

    def hold_models(self, names: Iterable[str]) -> None:
        """`hold_model` for many, in one order for everybody, so that two holders cannot wait for each other."""
        for chunk in chunks(sorted(set(names))):
            rows = select(models.c.name).where(models.c.name.in_(chunk)).order_by(models.c.name)
            held = set(self.connection.scalars(rows.with_for_update(key_share=True)))
            for name in chunk:
                if name not in held:
                    self.hold_model(name)

    def hold_model(self, model: str) -> None:
        """Make other writers of this model wait until this transaction ends. Raises StoreError if there is none."""
        row = select(models.c.name).where(models.c.name == model).with_for_update(key_share=True)
        if self.connection.scalar(row) is None:
            raise StoreError(
                f"there is no model '{model}' in the store",
                cause="it was never registered",
                fix="register it first: holdfast audit registers what holdfast.yaml names",
                code="HF-STO-009",
            )


def chunks(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """`items` in lists that fit into one statement."""
    source = iter(items)
    while chunk := list(islice(source, CHUNK)):
        yield chunk

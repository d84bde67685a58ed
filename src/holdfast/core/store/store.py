"""The store: one database and one blob folder, opened at the newest schema."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from holdfast.core.domain import Clock, system_clock
from holdfast.core.store.blobs import Blobs
from holdfast.core.store.engine import begin, connect, private_folder
from holdfast.core.store.faults import TRIES, passes, translate, wait_s
from holdfast.core.store.schema import bring_to_head
from holdfast.core.store.transaction import Transaction

Result = TypeVar("Result")


class Store:
    """What Holdfast knows. Safe to use from threads, and from processes that open it after the fork."""

    def __init__(self, engine: Engine, home: Path, clock: Clock) -> None:
        self._engine = engine
        self._pid = os.getpid()
        self.home = home
        self.clock = clock
        self.blobs = Blobs(home / "blobs")

    @classmethod
    def open(cls, url: str | None, home: Path, clock: Clock = system_clock) -> Self:
        """Open, create or upgrade the store at `url` (None: SQLite in `home`).

        Raises StoreError when the folder or database cannot be used (HF-STO-001, -003), holds something else
        (HF-STO-006), or was written by a newer Holdfast (HF-STO-002).
        """
        engine = connect(url, private_folder(home))
        try:
            bring_to_head(engine)
        except SQLAlchemyError as fault:
            engine.dispose()
            raise translate(fault) from fault
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, home, clock)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One SQL transaction that may write: committed and on disk at the end, undone on any exception."""
        with self._begin(reading=False) as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One consistent view of the store that blocks no writer; writing through it is refused."""
        with self._begin(reading=True) as tx:
            yield tx

    def run(self, work: Callable[[Transaction], Result]) -> Result:
        """Do `work` in a transaction, again from the start when another one was in the way (see `faults`)."""
        for number in range(1, TRIES):
            try:
                with self._connected(reading=False) as tx:
                    return work(tx)
            except SQLAlchemyError as fault:
                if not passes(fault):
                    raise translate(fault) from fault
                time.sleep(wait_s(number))
        with self.transaction() as tx:
            return work(tx)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _begin(self, *, reading: bool) -> Iterator[Transaction]:
        try:
            with self._connected(reading=reading) as tx:
                yield tx
        except SQLAlchemyError as fault:
            raise translate(fault) from fault

    @contextmanager
    def _connected(self, *, reading: bool) -> Iterator[Transaction]:
        self._leave_parents_connections()
        with begin(self._engine, reading=reading) as connection, connection.begin():
            yield Transaction(connection, self.clock)

    def _leave_parents_connections(self) -> None:
        """A forked child must not speak, nor say goodbye, on its parent's sockets and file locks."""
        if self._pid != os.getpid():
            self._engine.dispose(close=False)
            self._pid = os.getpid()

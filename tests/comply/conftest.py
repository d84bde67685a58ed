"""A store on each engine, a clock that moves when told, and a bank that makes things happen in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.core.domain import FrozenClock
from holdfast.core.ledger import Ledger
from holdfast.core.store import Store
from ledgered_bank import KEY, START, Bank


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def bank(database: str | None, tmp_path: Path, clock: FrozenClock) -> Iterator[Bank]:
    with Store.open(database, tmp_path / "state", clock) as store:
        yield Bank(store, clock, Ledger(store, KEY, "bank"))


@pytest.fixture
def small_bank(tmp_path: Path, clock: FrozenClock) -> Iterator[Bank]:
    """The same on SQLite only, for what does not depend on the engine."""
    with Store.open(None, tmp_path / "state", clock) as store:
        yield Bank(store, clock, Ledger(store, KEY, "bank"))

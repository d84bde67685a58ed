"""Conflicts: what is run again, what is told, and that nothing is done twice."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from holdfast.core.errors import StoreError
from holdfast.core.store import Store, Transaction
from holdfast.core.store.engine import DATABASE_NAME
from holdfast.core.store.faults import FIRST_WAIT_S, TRIES, wait_s


def conflict() -> OperationalError:
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    return OperationalError("SELECT 1", {}, busy)


@pytest.mark.parametrize("losses", [0, 1, TRIES - 1])
def test_work_that_lost_is_run_again_from_the_start(store: Store, losses: int) -> None:
    runs = 0

    def work(tx: Transaction) -> str:
        nonlocal runs
        runs += 1
        told = tx.intend("x", {"run": runs})
        if runs <= losses:
            raise conflict()
        return told

    told = store.run(work)
    assert runs == losses + 1
    with store.reading() as tx:
        assert tx.intents.count_pending() == 1
        assert told.startswith("int_")


def test_work_that_always_loses_is_given_up(store: Store) -> None:
    runs = 0

    def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.intend("x", {})
        raise conflict()

    with pytest.raises(StoreError) as raised:
        store.run(work)
    assert (raised.value.code, runs) == ("HF-STO-004", TRIES)
    with store.reading() as tx:
        assert tx.intents.count_pending() == 0


def test_other_faults_are_not_run_again(store: Store) -> None:
    runs = 0

    def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        tx.observations.link("unknown", "m", "v")

    with pytest.raises(StoreError) as raised:
        store.run(work)
    assert (raised.value.code, runs) == ("HF-STO-005", 1)


def test_waits_double_and_differ() -> None:
    for number in range(1, TRIES):
        waits = {wait_s(number) for _ in range(20)}
        assert len(waits) > 1
        assert all(
            0.5 * FIRST_WAIT_S * 2 ** (number - 1) <= wait <= 1.5 * FIRST_WAIT_S * 2 ** (number - 1) for wait in waits
        )


def test_a_locked_sqlite_is_busy_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.core.store.engine.LOCK_WAIT_S", 0)
    with Store.open(None, tmp_path) as store:
        rival = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as raised, store.transaction():
            pytest.fail("the transaction must not begin")
        assert raised.value.code == "HF-STO-004"
        rival.execute("ROLLBACK")
        rival.close()
        with store.transaction() as tx:
            tx.intend("x", {})


def test_of_two_transactions_that_wait_for_each_other_both_end(store: Store, database: str | None) -> None:
    """PostgreSQL ends one as a deadlock; run again, it succeeds. SQLite has one writer and cannot get there."""
    store.run(lambda tx: [tx.leases.claim(key, "start", 0) for key in "ab"])
    met = threading.Barrier(2, timeout=10)
    runs: list[str] = []

    def work(name: str, first: str, second: str) -> None:
        def claim(tx: Transaction) -> None:
            runs.append(name)
            tx.leases.claim(first, name, 0)
            if database is not None and runs.count(name) == 1:
                met.wait()
            tx.leases.claim(second, name, 0)
            tx.intend("done", {"by": name})

        store.run(claim)

    threads = [threading.Thread(target=work, args=args) for args in (("one", "a", "b"), ("two", "b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as tx:
        assert tx.intents.count_pending() == 2
    assert len(runs) == (2 if database is None else 3)


def test_two_writers_of_one_model_wait_for_each_other(store: Store, nouns: object) -> None:
    """The order in a model's journal is the order of commits, so its projections never miss a row."""
    from typing import Any, cast

    make = cast("Any", nouns)
    with store.transaction() as tx:
        for number in range(8):
            tx.models.register(make.model(), make.version(digest=f"v{number}"), {})

    def work(start: int) -> None:
        for number in range(start, start + 4):
            store.run(lambda tx, number=number: tx.models.deploy("m", f"v{number}"))

    threads = [threading.Thread(target=work, args=(4 * k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as tx:
        history = tx.models.history("m")
        assert len(history) == 8
        assert tx.models.deployed("m") == history[-1].version

"""Opening: private folders, one query when all is well, and refusals that say what to do."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from holdfast.core.domain import FrozenClock
from holdfast.core.errors import PrerequisiteError, StoreError
from holdfast.core.store import Store
from holdfast.core.store.engine import DATABASE_NAME, database_url


def refused(url: str | None, home: Path) -> StoreError:
    with pytest.raises(StoreError) as raised:
        Store.open(url, home)
    return raised.value


def test_the_state_folder_and_database_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "a" / "state"
    before = os.umask(0)
    try:
        with Store.open(None, home) as store, store.transaction() as tx:
            tx.intend("x", {})
            assert (home / f"{DATABASE_NAME}-wal").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / DATABASE_NAME).stat().st_mode & 0o777 == 0o600


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    home = tmp_path / "state"
    home.mkdir(mode=0o755)
    Store.open(None, home).close()
    assert home.stat().st_mode & 0o777 == 0o700


def test_sqlite_acknowledges_what_is_on_disk(tmp_path: Path) -> None:
    with Store.open(None, tmp_path) as store, store._engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


@pytest.mark.postgres
def test_postgres_acknowledges_what_is_on_disk(database: str | None, tmp_path: Path) -> None:
    if database is None:
        return
    with Store.open(database, tmp_path) as store, store._engine.connect() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


def test_opening_never_loads_alembic_when_nothing_is_to_migrate(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from holdfast.core.store import Store\n"
        "for _ in range(2): Store.open(None, pathlib.Path(sys.argv[1])).close()\n"
        "print('alembic' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_opening_at_the_newest_schema_is_one_query(store: Store, tmp_path: Path) -> None:
    from sqlalchemy import event

    from holdfast.core.store.schema import bring_to_head

    said: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    bring_to_head(store._engine)
    assert [line for line in said if not line.startswith(("PRAGMA", "BEGIN"))] == [
        "SELECT holdfast_schema.version_num \nFROM holdfast_schema"
    ]


def test_opening_waits_for_no_writer(store: Store, database: str | None, tmp_path: Path) -> None:
    with store.transaction() as tx:
        tx.intend("x", {})
        tx.intents.state(hold=True)
        Store.open(database, tmp_path / "state").close()


def test_many_openers_of_a_fresh_store_agree(database: str | None, tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def open_and_write() -> None:
        try:
            with Store.open(database, tmp_path) as store, store.transaction() as tx:
                tx.intend("x", {})
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=open_and_write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    with Store.open(database, tmp_path) as store, store.reading() as tx:
        assert tx.intents.count_pending() == 6


def test_a_newer_store_is_refused_and_left_alone(database: str | None, store: Store, tmp_path: Path) -> None:
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE holdfast_schema SET version_num = '9999'"))
    fault = refused(database, tmp_path / "state")
    assert (fault.code, fault.exit_code) == ("HF-STO-002", 3)
    assert "9999" in fault.cause
    with store._engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM holdfast_schema")) == "9999"


def test_a_database_of_something_else_is_refused(database: str | None, tmp_path: Path) -> None:
    from holdfast.core.store.engine import connect

    engine = connect(database, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE experiments (id INTEGER)"))
    engine.dispose()
    fault = refused(database, tmp_path)
    assert fault.code == "HF-STO-006"
    assert "experiments" in fault.cause


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database at all" * 1000)
    assert refused(None, tmp_path).code == "HF-STO-003"


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fault = refused(None, tmp_path / "file")
    assert fault.code == "HF-STO-001"
    assert "HOLDFAST_HOME" in fault.fix


def test_an_unreachable_server_is_told_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    fault = refused("postgresql://someone:geheim@127.0.0.1:9/none", tmp_path)
    assert fault.code == "HF-STO-003"
    assert "geheim" not in str(fault)


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://x/y", "postgresql://h:notaport/x", "sqlite://", "sqlite:///:memory:", "postgresql://h"],
)
def test_a_wrong_url_is_refused(url: str, tmp_path: Path) -> None:
    assert refused(url, tmp_path).code == "HF-STO-003"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_scheme_means_psycopg(scheme: str, tmp_path: Path) -> None:
    url = database_url(f"{scheme}://me:pw@db:5433/bank?sslmode=require", tmp_path)
    assert (url.drivername, url.host, url.port, url.database) == ("postgresql+psycopg", "db", 5433, "bank")
    assert (url.password, url.query["sslmode"]) == ("pw", "require")


def test_a_missing_driver_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PrerequisiteError) as raised:
        Store.open("postgresql://x/y", tmp_path)
    assert "holdfast[postgres]" in raised.value.fix


def test_an_exception_undoes_the_whole_transaction(store: Store) -> None:
    def fail_half_way() -> None:
        with store.transaction() as tx:
            tx.intend("x", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    with store.reading() as tx:
        assert tx.intents.count_pending() == 0


def test_a_reader_cannot_write_and_leaves_the_writer_free(store: Store) -> None:
    with store.reading() as view:
        assert view.intents.count_pending() == 0
        with store.transaction() as tx:
            tx.intend("x", {})
        assert view.intents.count_pending() == 0  # one consistent view, whatever others commit
    with pytest.raises(StoreError) as raised, store.reading() as view:
        view.intend("x", {})
    assert raised.value.code == "HF-STO-003"
    with store.transaction() as tx:
        tx.intend("y", {})
        assert tx.intents.count_pending() == 2


def test_a_forked_child_uses_connections_of_its_own(store: Store) -> None:
    with store.transaction() as tx:
        tx.intend("parent", {})
    child = os.fork()
    if child == 0:
        try:
            with store.transaction() as tx:
                tx.intend("child", {})
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with store.transaction() as tx:
        assert tx.intents.count_pending() == 2


def test_a_full_disk_is_an_error_with_a_code(tmp_path: Path, clock: FrozenClock) -> None:
    def fill(store: Store) -> None:
        with store.transaction() as tx:
            for number in range(100):
                tx.intend("x", {"number": number, "filler": "x" * 5000})

    with Store.open(None, tmp_path, clock) as store:
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
        with pytest.raises(StoreError) as raised:
            fill(store)
        assert raised.value.code == "HF-STO-003"
        assert "full" in raised.value.cause


def test_a_damaged_row_is_an_error_with_a_code(tmp_path: Path, store: Store, database: str | None) -> None:
    if database is not None:
        return
    with store.transaction() as tx:
        tx.baselines.add("m", "v", {"a": 1})
    with sqlite3.connect(tmp_path / "state" / DATABASE_NAME) as raw:
        raw.execute("UPDATE baselines SET body = '{'")
    raw.close()
    with pytest.raises(StoreError) as raised, store.reading() as tx:
        tx.baselines.latest("m")
    assert raised.value.code == "HF-STO-008"

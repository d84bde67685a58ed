"""Upgrades: every migration in a row gives the schema in code, and a stored version 1 comes through whole."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from holdfast.core.domain import FrozenClock, Verdict, fingerprint
from holdfast.core.ledger import Ledger, LedgerStatus, verify_ledger
from holdfast.core.sign import SigningKey
from holdfast.core.store import FindingState, Store
from holdfast.core.store.engine import DATABASE_NAME, connect
from holdfast.core.store.schema import HEAD, MIGRATIONS, VERSION_TABLE, VERSIONS, migrate
from holdfast.core.store.tables import metadata

FIXTURES = Path(__file__).parent / "fixtures"
OLDER = [f"v{version}" for version in VERSIONS[:-1]]
A, B = "sha256:" + "aa" * 32, "sha256:" + "bb" * 32


def load_fixture(name: str, database: str | None, home: Path) -> None:
    """Put a stored dump where `Store.open` will find it."""
    home.mkdir(mode=0o700)
    if database is None:
        with sqlite3.connect(home / DATABASE_NAME) as raw:
            raw.executescript((FIXTURES / f"{name}.sqlite.sql").read_text())
        raw.close()
        return
    engine = connect(database, home)
    with engine.begin() as connection:
        connection.connection.cursor().execute((FIXTURES / f"{name}.postgres.sql").read_text())
    engine.dispose()


def test_the_versions_are_the_migration_files() -> None:
    files = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("*.py"))
    assert tuple(files) == VERSIONS


def test_all_migrations_in_a_row_give_the_schema_in_code(database: str | None, tmp_path: Path) -> None:
    engine = connect(database, tmp_path)
    with engine.begin() as connection:
        migrate(connection, HEAD)
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        migrated = _shape(connection)
        assert connection.scalar(text("SELECT size FROM ledger_state")) == 0
    engine.dispose()
    with Store.open(database, tmp_path) as store, store.transaction() as tx:
        tx.intend("x", {})
    assert migrated


def _shape(connection: object) -> dict[str, object]:
    seen = inspect(connection)
    return {
        table: (
            sorted((column["name"], str(column["type"]), column["nullable"]) for column in seen.get_columns(table)),
            seen.get_pk_constraint(table)["constrained_columns"],
            sorted(str(key["column_names"]) for key in seen.get_unique_constraints(table)),
            sorted(str(key["constrained_columns"]) for key in seen.get_foreign_keys(table)),
            sorted(str(index["column_names"]) for index in seen.get_indexes(table)),
        )
        for table in seen.get_table_names()
        if table != VERSION_TABLE
    }


def test_created_and_migrated_stores_have_one_shape(database: str | None, tmp_path: Path, store: Store) -> None:
    with store._engine.connect() as connection:
        created = _shape(connection)
    if database is not None:
        with store._engine.begin() as connection:
            for table in (*reversed(metadata.sorted_tables),):
                table.drop(connection)
            connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
            migrate(connection, HEAD)
            assert _shape(connection) == created
        return
    engine = connect(None, tmp_path)
    with engine.begin() as connection:
        migrate(connection, HEAD)
        assert _shape(connection) == created
    engine.dispose()


@pytest.mark.parametrize("name", OLDER)
def test_every_older_version_has_a_stored_fixture(name: str) -> None:
    assert {path.name for path in FIXTURES.glob(f"{name}.*")} == {f"{name}.sqlite.sql", f"{name}.postgres.sql"}


@pytest.mark.parametrize("name", OLDER)
def test_an_older_version_comes_through_whole(
    name: str, database: str | None, tmp_path: Path, clock: FrozenClock
) -> None:
    load_fixture(name, database, tmp_path / "state")
    with Store.open(database, tmp_path / "state", clock) as store:
        with store.reading() as tx:
            assert [model.name for model in tx.models.all()] == ["credit-default", "quiet"]
            assert {version.digest for version in tx.models.versions("credit-default")} == {A, B}
            assert tx.models.manifest("credit-default", A) == {"artifact": "model.ubj", "tier": "high"}
            assert tx.models.deployed("credit-default") == B
            assert tx.models.deployed_at("credit-default", datetime(2026, 1, 6, tzinfo=UTC)) == A
            seen = tx.observations.of("credit-default", A)
            assert [item.key for item in seen] == ["k1", "k2"]
            assert seen[0].observation.facts[0].value == "tilde ~ ü \0"
            assert [item.key for item in tx.observations.of("quiet", A)] == ["k1"]
            last = tx.attempts.last("k3")
            assert last is not None
            assert (last.reason, last.number) == ("memory", 1)
            assert [judged.key for judged in tx.judgements.history("credit-default")] == ["j1", "j2"]
            assert tx.baselines.latest("credit-default") == {"robust_recall": 0.25}
            assert tx.outbox.waiting() == 1
            assert tx.intents.count_pending() == 1
            assert tx.intents.state().size == 2
        with store.transaction() as tx:
            assert [message.cause for message in tx.outbox.claim_batch("w")] == ["j2"]
            assert not tx.outbox.publish("judged", "j1", {})


def test_version_1_gains_findings_from_its_journals(database: str | None, tmp_path: Path, clock: FrozenClock) -> None:
    load_fixture("v0001", database, tmp_path / "state")
    first = fingerprint("credit-default", "evasion.search", "AML.T0015", "")
    second = fingerprint("credit-default", "scan.artifact", "AML.T0011", "")
    with Store.open(database, tmp_path / "state", clock) as store, store.reading() as tx:
        found = {item.finding.fingerprint: item for item in tx.findings.of("credit-default")}
        assert found.keys() == {first, second}
        # The deployed version lacks the second, but no scan of it was recorded: nothing has shown that it is gone.
        assert {item.state for item in found.values()} == {FindingState.OPEN}
        assert [(seen.version, seen.present) for seen in tx.findings.occurrences(first)] == [(A, True), (B, True)]
        assert [(seen.version, seen.present) for seen in tx.findings.occurrences(second)] == [(A, True)]
        standing = tx.judgements.standing("credit-default", B)
        assert standing is not None
        assert standing.verdict is Verdict.FAILED
        rows = text("SELECT key, measured FROM judgements ORDER BY key")
        measured = tx._session.connection.execute(rows).all()
    assert [tuple(row) for row in measured] == [("j1", '["evasion.search"]'), ("j2", "[]")]


@pytest.mark.parametrize("name", OLDER)
def test_an_older_version_goes_on_with_its_ledger(
    name: str, database: str | None, tmp_path: Path, clock: FrozenClock
) -> None:
    load_fixture(name, database, tmp_path / "state")
    key = SigningKey(bytes(32))
    with Store.open(database, tmp_path / "state", clock) as store:
        Ledger(store, key, "holdfast/fixture").export(tmp_path / "state" / "ledger")
        ledger = Ledger(store, key, "holdfast/fixture")
        assert ledger.append_pending() == 1
        verified = verify_ledger(ledger.folder, key.public)
        assert (verified.status, verified.size) == (LedgerStatus.OK, 3)


def test_an_upgrade_that_fails_changes_nothing(
    database: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_fixture("v0001", database, tmp_path / "state")

    def fail(_session: object) -> int:
        raise RuntimeError("the power fails")

    monkeypatch.setattr("holdfast.core.store.schema.rebuild", fail)
    with pytest.raises(RuntimeError):
        Store.open(database, tmp_path / "state")
    monkeypatch.undo()
    engine = connect(database, tmp_path / "state")
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == "0001"
        assert "findings" not in inspect(connection).get_table_names()
    engine.dispose()
    Store.open(database, tmp_path / "state").close()

"""kill -9 at random points: a seeded sample of `benchmarks/kills.py`, and that its checks can fail."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.store.engine import DATABASE_NAME

REPO = Path(__file__).resolve().parents[3]
KILLS = 6


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.kills

    return benchmarks.kills


def test_a_killed_process_loses_and_doubles_nothing(kills: Any, database: str | None, tmp_path: Path) -> None:
    score = kills.run_kills(database, tmp_path / "state", KILLS, seed=20260105)
    assert score.clean, score.notes
    assert score.kills == KILLS
    assert score.acknowledged > 0
    assert score.leaves >= score.acknowledged


def worked(kills: Any, home: Path) -> Any:
    """The promises of a child that nobody disturbed."""
    promises = kills.Promises()
    for line in kills.run_child(None, home, 1, "call", 10**9).said:
        promises.hear(line)
    score = kills.Score()
    kills.check(None, home, promises, score)
    assert score.clean, score.notes
    return promises


def faults(kills: Any, home: Path, promises: Any) -> set[str]:
    score = kills.Score()
    kills.check(None, home, promises, score)
    return {name for name in ("lost", "doubled", "torn", "unverified", "stuck") if getattr(score, name)}


def test_the_checks_notice_what_is_missing_or_wrong(kills: Any, tmp_path: Path) -> None:
    promises = worked(kills, tmp_path / "whole")

    def damaged(*statements: str) -> set[str]:
        home = tmp_path / "damaged"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", home)
        with sqlite3.connect(home / DATABASE_NAME) as raw:
            for statement in statements:
                raw.execute(statement)
        raw.close()
        return faults(kills, home, promises)

    first = "(SELECT MIN(key) FROM observations WHERE key NOT LIKE 'effect-%')"
    assert damaged(f"DELETE FROM observations WHERE key = {first}") == {"lost", "torn"}
    assert damaged("DELETE FROM observations WHERE key LIKE 'effect-%'") == {"lost"}
    assert damaged("DELETE FROM outbox WHERE sequence = 1") == {"lost", "torn"}
    assert damaged("UPDATE outbox SET acked_at = NULL") == {"lost"}
    assert damaged("UPDATE ledger_hashes SET hash = zeroblob(32) WHERE level = 0") == {"stuck"}
    assert damaged("UPDATE ledger_intents SET leaf = NULL WHERE leaf = 0") == {"stuck"}
    assert damaged("DELETE FROM ledger_intents WHERE leaf = 0") == {"doubled"}
    assert damaged("UPDATE ledger_state SET size = 0, published_size = 0") == {"stuck"}
    assert damaged() == set()


def test_the_checks_notice_a_damaged_folder(kills: Any, tmp_path: Path) -> None:
    home = tmp_path / "state"
    promises = worked(kills, home)
    tile = next((home / "ledger" / "tile" / "0").rglob("*.p/*"))
    data = bytearray(tile.read_bytes())
    data[0] ^= 1
    tile.write_bytes(bytes(data))
    assert "unverified" in faults(kills, home, promises)

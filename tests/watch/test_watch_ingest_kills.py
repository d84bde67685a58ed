"""kill -9 of a server under load: a seeded sample of `benchmarks/kills_ingest.py`, and that its checks can fail."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.store.engine import DATABASE_NAME

REPO = Path(__file__).resolve().parents[2]
KILLS = 2


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.kills_ingest

    return benchmarks.kills_ingest


def test_a_killed_server_loses_and_doubles_nothing(kills: Any, database: str | None, tmp_path: Path) -> None:
    score = kills.run_kills(database, tmp_path / "state", KILLS, seed=20260105)
    assert score.clean, score.notes
    assert score.kills == KILLS
    assert score.kept >= score.acknowledged


def test_the_checks_notice_what_is_missing_or_wrong(kills: Any, tmp_path: Path) -> None:
    home = tmp_path / "state"
    clients = [kills.Client("p0", random.Random(1))]
    killed, _ = kills.run_server(None, home, clients, "call", 10**9)
    assert not killed

    def wrong() -> set[str]:
        score = kills.Score()
        kills.check(None, home, clients, score)
        assert score.acknowledged > 0
        return {name for name in kills.WRONG if getattr(score, name)}

    def change(statement: str) -> None:
        with sqlite3.connect(home / DATABASE_NAME) as raw:
            raw.execute(statement)

    assert wrong() == set()
    change("UPDATE event_producers SET last = last + 1")
    assert wrong() == {"torn"}
    change("UPDATE event_producers SET last = last - 1")
    change("UPDATE event_segments SET sha256 = 'x' WHERE sequence = 1")
    assert wrong() == {"lost", "torn"}
    change("DELETE FROM event_segments WHERE sequence = 1")
    assert wrong() == {"lost", "torn"}
    change(
        'INSERT INTO event_segments SELECT sequence + 10000, model, quarantined, pack, "offset", length, raw, rows,'
        " sha256, first_at, last_at, recorded_at, removed_at FROM event_segments WHERE sequence = 2"
    )
    assert "doubled" in wrong()
    clients[0].renewed = 1
    assert "renewed" in wrong()

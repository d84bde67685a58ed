"""`holdfast watch` on a real folder: in, out, gaps, verification, expiry."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import happenings
from holdfast.cli.main import run
from holdfast.core.store import Store
from holdfast.watch.segments import Segments

MANIFEST = """\
version: 1
models:
  - name: m
    unit: cards
    region: eu
    owner: o@bank.example
    tier: low
    purpose: Test.
    artifact: model.ubj
"""


@pytest.fixture
def bank(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose store knows a model named m."""
    (workplace / "holdfast.yaml").write_text(MANIFEST)
    (workplace / "model.ubj").write_bytes(b"{}")
    monkeypatch.setenv("HOLDFAST_WATCH_UNKNOWN_MODEL", "quarantine")
    return workplace


def result(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert run(["watch", *words, "--format", "json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_files_of_every_kind_are_taken_in_once(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ndjson").write_text("\n".join(json.dumps(happenings.row(n)) for n in range(5)))
    pq.write_table(happenings.events(range(3, 8)), "b.parquet")
    Path("c.arrows").write_bytes(happenings.stream(happenings.events(range(7, 10))))
    with pa.OSFile("d.arrow", "wb") as file, pa.ipc.new_file(file, happenings.events([0]).schema) as writer:
        writer.write_table(happenings.events(range(9, 12)))
    dry = result(capsys, "ingest", "a.ndjson", "--dry-run")
    assert dry["files"]["a.ndjson"] == {"events": 5, "accepted": 0, "repeated": 0}
    body = result(capsys, "ingest", "a.ndjson", "b.parquet", "c.arrows", "d.arrow")
    assert [counts["accepted"] for counts in body["files"].values()] == [5, 3, 2, 2]
    assert [counts["repeated"] for counts in body["files"].values()] == [0, 2, 1, 1]
    found = result(capsys, "events", "--limit", "100")
    assert {event["event_id"] for event in found["events"]} == {f"e{n}" for n in range(12)}
    assert found["events"][0]["features"]["kind"] == "x"
    checked = result(capsys, "verify")
    assert (checked["ok"], checked["events"], checked["sealed"]) == (True, 12, checked["newest"])


def test_a_gap_is_an_exit_code_and_a_line(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ndjson").write_text("\n".join(json.dumps(happenings.row(n)) for n in (0, 1, 5)))
    assert run(["watch", "ingest", "a.ndjson"]) == 0
    assert run(["watch", "gaps"]) == 0
    assert "may still come" in capsys.readouterr().out
    with sqlite3.connect(bank / ".holdfast" / "holdfast.db") as raw:
        raw.execute("""UPDATE event_producers SET missing = '[[2,4,"2026-01-05T12:00:00Z"]]'""")
    (gap,) = result(capsys, "gaps", code=1)["gaps"]
    assert (gap["producer"], gap["first"], gap["last"], gap["late"]) == ("p", 2, 4, True)


def test_damage_is_an_exit_code_and_a_line(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ndjson").write_text(json.dumps(happenings.row(0)))
    assert run(["watch", "ingest", "a.ndjson"]) == 0
    (pack,) = (bank / ".holdfast" / "events").glob("*.pack")
    pack.write_bytes(b"x" * pack.stat().st_size)
    capsys.readouterr()
    assert run(["watch", "verify"]) == 1
    assert "another SHA-256" in capsys.readouterr().out
    assert run(["watch", "events"]) == 3
    assert "HF-WAT-020" in capsys.readouterr().err


def test_expiry_says_what_it_would_do(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "expire", "--dry-run"]) == 0
    assert "would delete 0 segments" in capsys.readouterr().out
    assert run(["watch", "expire"]) == 0


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.ndjson", b"null\n", "HF-WAT-002"),
        ("a.ndjson", b"\xff\xfe", "HF-WAT-002"),
        ("a.parquet", b"PAR1", "HF-WAT-007"),
        ("a.arrows", b"what", "HF-WAT-004"),
        ("a.arrow", b"ARROW1\0\0what", "HF-WAT-007"),
        ("missing", None, "HF-WAT-007"),
    ],
)
def test_wrong_files_end_with_a_code_and_no_traceback(
    bank: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, code: str
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    assert run(["watch", "ingest", name]) == 2
    error = capsys.readouterr().err
    assert code in error
    assert "Traceback" not in error


def test_a_wrong_setting_is_named(
    bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_WATCH_MAX_ROWS", "many")
    Path("a.ndjson").write_text(json.dumps(happenings.row(0)))
    assert run(["watch", "ingest", "a.ndjson"]) == 2
    assert "HOLDFAST_WATCH_MAX_ROWS" in capsys.readouterr().err


def test_what_senders_write_cannot_steer_a_terminal(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ndjson").write_text(json.dumps(happenings.row(0, client="\x1b[2Jx")))
    assert run(["watch", "ingest", "a.ndjson"]) == 0
    capsys.readouterr()
    # In quarantine all the same: what nobody registered is kept apart, and still shown to people.
    assert run(["watch", "events"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_events_of_a_model_nobody_registered_stay_apart(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.ndjson").write_text(json.dumps(happenings.row(0)))
    assert run(["watch", "ingest", "a.ndjson"]) == 0
    assert run(["watch", "release", "m"]) == 2
    assert "HF-WAT-009" in capsys.readouterr().err
    with Store.open(None, bank / ".holdfast") as store:
        assert Segments(store).after("m", 0) == []

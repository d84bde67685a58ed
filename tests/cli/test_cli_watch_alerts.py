"""`holdfast watch` from events to a closed alert, as a person at a shell does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.cli.main import run
from holdfast.testing.simulate import credit_default
from holdfast.testing.traffic import SECOND_US, Asked, Stream, benign, events_table

ANA = ["--by", "ana@bank.example"]


def searching(stream: Stream, count: int) -> pa.Table:
    """One declined case, asked about under ever new names, its balance and payment a little changed."""
    X = np.repeat(stream.X[stream.contract.validate(stream.X).valid][:1], count, axis=0)
    X[:, stream.contract.index("payment_last")] += np.arange(count)
    X[:, stream.contract.index("balance")] += 200 + np.arange(count)
    said = Asked(
        ids=[f"eve-{place}" for place in range(count)],
        time=stream.time[2_000] + np.arange(count) * SECOND_US,
        client=["eve"] * count,
        subject=[f"eve-person-{place}" for place in range(count)],
    )
    return events_table(stream.contract, "credit", stream.contract.derive(X), np.linspace(0.8, 0.4, count), said)


@pytest.fixture
def events(repository: Path) -> Path:
    """A file of honest events with a search among them; the model is registered."""
    stream = benign(credit_default, 2_200, 3)
    honest = stream.table("credit", np.random.default_rng(1).random(len(stream)))
    path = repository / "events.parquet"
    pq.write_table(pa.concat_tables([honest, searching(stream, 12)]).sort_by("time"), path)
    assert run(["estate", "register"]) == 0
    return path


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_from_events_to_a_closed_alert(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "ingest", str(events)]) == 0
    capsys.readouterr()
    assert run(["watch", "detect", "--learning", "1000", "--format", "json"]) == 1
    found = told(capsys)
    assert (found["schema_version"], found["events"]) == (1, 2_212)
    (alert,) = found["alerts"]
    # The person behind the case is a real one, so the client who asks about her is named beside the attacker.
    assert (alert["technique"], alert["clients"][0]) == ("AML.T0015", "eve")
    assert {"payment_last", "balance"} <= set(alert["columns"])
    name = alert["id"]

    assert run(["watch", "detect", "--learning", "1000"]) == 0
    assert "no alerts" in capsys.readouterr().out
    assert run(["watch", "show", name, "--format", "json"]) == 0
    shown = told(capsys)["alert"]
    assert shown["evidence"][0]["events"][0].startswith("eve-")
    assert shown["leaves"][0][0] == "alert.raised"
    assert run(["watch", "acknowledge", name, *ANA, "--dry-run"]) == 0
    assert run(["watch", "alerts", "--state", "open"]) == 0
    assert name in capsys.readouterr().out

    assert run(["watch", "acknowledge", name, *ANA, "--reason", "looking"]) == 0
    assert run(["watch", "close", name, *ANA, "--reason", "our own test"]) == 0
    capsys.readouterr()
    assert run(["watch", "alerts", "--model", "credit", "--state", "closed", "--format", "json"]) == 0
    assert [line["id"] for line in told(capsys)["alerts"]] == [name]
    assert run(["watch", "show", name]) == 0
    assert "closed by ana@bank.example" in capsys.readouterr().out
    assert run(["ledger", "verify"]) == 3


def test_a_back_test_keeps_nothing(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    command = ["watch", "replay", str(events), "--model", "credit", "--format", "json"]
    assert run([*command, "--learning", "1000"]) == 1
    found = told(capsys)
    assert [campaign["clients"][0] for campaign in found["campaigns"]] == ["eve"]
    assert run(command) == 0
    assert told(capsys)["campaigns"] == []
    assert run(["watch", "alerts"]) == 0
    assert "no alerts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["show", "alr_none"], "HF-WAT-050", 2),
        (["close", "alr_none", *ANA, "--reason", "x"], "HF-WAT-050", 2),
        (["acknowledge", "alr_none", "--by", " "], "HF-WAT-052", 2),
        (["replay", "none.parquet", "--model", "credit"], "HF-WAT-007", 2),
    ],
)
def test_wrong_input_is_answered_with_a_code(
    repository: Path, words: list[str], code: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["watch", *words]) == exit_code
    said = capsys.readouterr()
    assert said.out == ""
    assert code in said.err
    assert "Traceback" not in said.err

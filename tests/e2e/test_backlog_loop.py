"""From a model that fails the gate to the proof that its work is done: real models, attacks, store and ledger."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bank
from holdfast.audit.target import Parts, Target
from holdfast.cli.main import run

POLICY = """\
version: 1
id: team
unknown_blocks: [high, critical]
required: {any: [scan.artifact], tree: [evasion.search]}
rules:
  - {id: stays-flagged, on: measure, name: evasion.robust_share, at: {linf: 0.05}, unit: share, min: 0.95,
     technique: AML.T0015}
cases:
  - {rule: stays-flagged, given: {evasion.robust_share: 0.05}, expect: failed}
  - {rule: stays-flagged, given: {evasion.robust_share: 0.99}, expect: passed}
"""
MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: cards-ml@bank.example
    tier: high
    purpose: Decide limit increases.
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: y}
    contract: contract.yaml
    policy: team.yaml
"""

Cli = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose model has just failed the gate."""
    folder = tmp_path_factory.mktemp("failed")
    bank.train(bank.write(folder, n=1000))
    (folder / "holdfast.yaml").write_text(MANIFEST)
    (folder / "team.yaml").write_text(POLICY)
    assert run(["gate", "--config", str(folder / "holdfast.yaml"), "--quiet"]) == 1
    return folder


@pytest.fixture
def parts(failed: Path, tmp_path: Path) -> Parts:
    """A copy of it to work in, state folder included."""
    found = bank.write(tmp_path, n=10)
    shutil.copytree(failed, tmp_path, dirs_exist_ok=True)
    return found


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, Any]:
        code = run([*words, "--format", "json"])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, json.loads(said.out) if said.out else said.err

    return call


def harden(parts: Parts) -> None:
    """A model that does not look at what an attacker can move."""
    import xgboost

    target = Target(parts)
    columns = {
        name: np.zeros_like(values) if name in ("paid", "left") else values
        for name, values in target.features(target.train).items()
    }
    data = xgboost.DMatrix(
        np.column_stack(list(columns.values())), target.labels(target.train), feature_names=list(columns)
    )
    xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, data, 20).save_model(parts.artifact)


def deployed(artifact: Path) -> None:
    assert run(["estate", "deployed", "limits"]) == 0, artifact


def leaves(folder: Path) -> str:
    assert run(["ledger", "export", str(folder / "ledger")]) == 0
    entries = sorted((folder / "ledger" / "tile" / "entries").rglob("*"))
    return b"".join(path.read_bytes() for path in entries if path.is_file()).decode("utf-8", "replace")


def test_failed_ranked_planned_claimed_and_proven_by_the_same_check(
    tmp_path: Path, parts: Parts, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(parts.artifact)
    capsys.readouterr()

    _, listed = cli("backlog", "list")
    (item,) = listed["items"]
    assert (item["state"], item["urgency"], item["tier"]) == ("open", "out-of-cycle", "high")
    reasons = " ".join(item["reasons"])
    assert re.search(r"our own attack succeeded \(evasion.success_share is 0\.\d+ in evasion.search\)", reasons)
    assert "exposure: internal (no endpoint is declared)" in reasons

    span = ("--starts", "2026-01-05", "--ends", "2026-01-16", "--capacity", "8", "--by", "ana")
    assert cli("backlog", "sprint", "create", "s1", *span)[0] == 0
    _, plan = cli("backlog", "sprint", "plan", "s1", "--by", "ana")
    assert [one["id"] for one in plan["taken"]] == [item["id"]]
    assert cli("backlog", "start", item["id"][:10], "--by", "ana")[1]["item"]["assignee"] == "ana"
    _, claimed = cli("backlog", "claim", item["id"], "--by", "ana", "--why", "hardened")
    assert claimed["item"]["state"] == "claimed"
    assert cli("gate")[0] == 1, "a claim changes nothing for the gate"
    assert cli("backlog", "show", item["id"])[1]["item"]["state"] == "claimed"

    harden(parts)
    code, gate = cli("gate")
    assert (code, gate["verdict"]) == (0, "passed")
    assert cli("backlog", "show", item["id"])[1]["item"]["state"] == "claimed", "audited, but it does not serve yet"
    deployed(parts.artifact)
    capsys.readouterr()

    _, shown = cli("backlog", "show", item["id"])
    assert shown["item"]["state"] == "proven"
    assert shown["proof"]["version"] == gate["models"][0]["version"]
    evasion = next(row for row in gate["models"][0]["results"] if row["check"] == "evasion.search")
    assert shown["proof"]["observation"] == evasion["observation_key"]
    assert [row["step"] for row in shown["history"]] == ["opened", "planned", "started", "claimed", "proven"]
    assert all(leaf is not None for _, leaf in shown["leaves"])
    _, sprint = cli("backlog", "sprint", "show", "s1")
    assert sprint["sprint"]["proven_points"] == sprint["sprint"]["points"] == 8
    told = leaves(tmp_path)
    for step in ("opened", "planned", "started", "claimed", "proven"):
        assert told.count(f'"kind":"backlog.{step}"') == 1


def test_what_two_people_accept_passes_the_gate_under_their_names(
    parts: Parts, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    item = cli("backlog", "list")[1]["items"][0]["id"]
    until = ("--until", _days_from_now(30))
    asked = ("--owner", "ana", "--check", "data.contract", "--reason", "retrained soon", *until)
    assert cli("backlog", "accept", item, *asked, "--dry-run")[0] == 0
    assert cli("backlog", "show", item)[1]["acceptances"] == []
    assert cli("backlog", "accept", item, *asked)[0] == 0
    assert cli("gate")[0] == 1, "nobody has approved it yet"
    code, said = cli("backlog", "approve", item, "--by", "ana")
    assert (code, "HF-BLG-005" in said) == (4, True)
    assert cli("backlog", "approve", item, "--by", "ben")[1]["item"]["state"] == "accepted"
    code, gate = cli("gate")
    assert (code, gate["verdict"]) == (0, "failed")
    assert [(one["owner"], one["approver"], one["rule"]) for one in gate["accepted"]] == [
        ("ana", "ben", "stays-flagged")
    ]
    assert run(["gate"]) == 0
    assert "accepted  limits stays-flagged: ana owns the risk, ben approved it, until " in capsys.readouterr().out
    _, opened = cli("backlog", "withdraw", item, "--by", "eve", "--why", "seen live")
    assert opened["item"]["state"] == "open"
    assert cli("gate")[0] == 1


def _days_from_now(days: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) + timedelta(days=days)).isoformat()

"""From a model to a signed verdict, as a user types it."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from holdfast.audit.interface import CHECKS
from holdfast.cli.main import run
from holdfast.demo.train import train

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def audited(first_audit: Path, tmp_path: Path) -> Path:
    """The repository as it is after its first audit, to change at will."""
    shutil.copytree(first_audit, tmp_path, dirs_exist_ok=True)
    return tmp_path


def as_json(capsys: Capture, *args: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*args, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def computed(report: dict[str, Any]) -> set[str]:
    return {result["check"] for model in report["models"] for result in model["results"] if not result["cached"]}


def test_a_first_gate_in_a_fresh_repository_can_pass(audited: Path, capsys: Capture) -> None:
    assert run(["gate"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("PASSED  credit")
    assert "no baseline" in told.out


def test_unchanged_means_cached(audited: Path, capsys: Capture) -> None:
    code, report = as_json(capsys, "audit")
    assert code == 0
    assert computed(report) == set()
    assert len(report["models"][0]["results"]) >= 5


def test_one_changed_relation_runs_what_reads_the_contract_and_nothing_else(audited: Path, capsys: Capture) -> None:
    path = audited / "contract.yaml"
    text = path.read_text()
    path.write_text(text + "# a comment means nothing\n")
    assert computed(as_json(capsys, "audit")[1]) == set()
    path.write_text(text.replace("- was(payment_last) <= 500", "- was(payment_last) <= 400"))
    assert computed(as_json(capsys, "audit")[1]) == readers_of("contract")


def readers_of(need: str) -> set[str]:
    return {name for name, check in CHECKS if need in check.needs and name != "deps.advisories"}


def test_every_form_is_written_at_once(audited: Path, capsys: Capture) -> None:
    forms = [f"{name}={name}.out" for name in ("json", "sarif", "junit", "markdown")]
    assert run(["gate", "--format", "text", *(word for form in forms for word in ("--format", form))]) == 0
    assert capsys.readouterr().out.startswith("PASSED")
    assert json.loads((audited / "json.out").read_text())["verdict"] == "passed"
    assert json.loads((audited / "sarif.out").read_text())["version"] == "2.1.0"
    assert ET.parse(audited / "junit.out").getroot().tag == "testsuites"
    assert (audited / "markdown.out").read_text().startswith("#")


def test_a_verdict_is_signed_and_verified_by_somebody_else(audited: Path, capsys: Capture) -> None:
    assert run(["gate", "--attest", "verdict.json"]) == 0
    capsys.readouterr()
    verify = ["gate", "verify", "verdict.json", "model.ubj", "--key", ".holdfast/keys/holdfast.pub"]
    assert run(verify) == 0
    assert capsys.readouterr().out.startswith("ok\n")
    assert run([*verify, "--policy", "baseline"]) == 0
    data = bytearray((audited / "model.ubj").read_bytes())
    data[len(data) // 2] ^= 1
    (audited / "model.ubj").write_bytes(data)
    code, found = as_json(capsys, *verify)
    assert (code, found["status"]) == (1, "broken")


def test_a_worse_model_is_stopped_by_the_baseline(audited: Path, capsys: Capture) -> None:
    assert run(["gate", "--save-baseline", "baseline.json"]) == 0
    baseline = json.loads((audited / "baseline.json").read_text())
    assert set(baseline["models"]) == {"credit"}
    assert run(["gate", "--baseline", "baseline.json"]) == 0
    _spoil(audited)
    capsys.readouterr()
    code, report = as_json(capsys, "gate", "--baseline", "baseline.json")
    assert code == 1
    assert "ratchet:quality.auc" in {reason["rule"] for reason in report["reasons"]}


def _spoil(folder: Path) -> None:
    """A model trained on shuffled labels ranks like chance."""
    table = pyarrow.parquet.read_table(folder / "train.parquet").to_pydict()
    table["default"] = np.random.default_rng(0).permutation(table["default"])
    worse = folder / "worse"
    worse.mkdir()
    pyarrow.parquet.write_table(pyarrow.table(table), worse / "train.parquet")
    train("xgboost", worse, "model.ubj", "default", 1)
    shutil.copy(worse / "model.ubj", folder)


def test_what_is_deployed_is_what_later_versions_are_compared_with(audited: Path, capsys: Capture) -> None:
    assert run(["gate"]) == 0
    assert run(["estate", "deployed", "credit", "--dry-run"]) == 0
    assert as_json(capsys, "estate", "show", "credit")[1]["models"][0]["versions"][0]["deployed"] is False
    assert run(["estate", "deployed", "credit"]) == 0
    code, view = as_json(capsys, "estate", "list")
    assert code == 0
    assert view["models"][0]["versions"][0]["deployed"] is True
    assert run(["gate"]) == 0
    assert "no baseline" not in capsys.readouterr().out


def test_everything_is_in_a_ledger_that_verifies(audited: Path, capsys: Capture) -> None:
    assert run(["gate"]) == 0
    assert run(["ledger", "verify", "--key", ".holdfast/keys/holdfast.pub"]) == 0
    kinds = {entry["kind"] for entry in as_json(capsys, "ledger", "show", "--last", "100")[1]["entries"]}
    assert {"version.registered", "observation.recorded", "model.judged"} <= kinds
    assert run(["ledger", "export", "evidence"]) == 0
    assert run(["ledger", "verify", "evidence", "--key", ".holdfast/keys/holdfast.pub"]) == 0


def test_one_command_describes_a_model_and_the_next_ones_judge_it(
    trained: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("train.parquet", "test.parquet", "model.ubj"):
        shutil.copy(trained / name, tmp_path)
    parts = ["--data", "train.parquet", "--test", "test.parquet", "--model", "model.ubj", "--label", "default"]
    init = ["estate", "init", *parts]
    assert run([*init, "--dry-run"]) == 0
    assert not (tmp_path / "holdfast.yaml").exists()
    assert run(init) == 0
    contract = (tmp_path / "contract.yaml").read_text()
    assert "derived: rent + loans" in contract.replace("loans + rent", "rent + loans")
    assert "one_hot" in contract
    assert "review: inferred" in contract
    assert run(init) == 2, "a second init must not overwrite what people reviewed"
    assert run(["audit"]) in (0, 1)
    assert run(["gate"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_a_gate_of_unknown_intelligence_blocks_from_tier_high(audited: Path, capsys: Capture) -> None:
    manifest = audited / "holdfast.yaml"
    manifest.write_text(manifest.read_text().replace("tier: medium", "tier: high"))
    code, report = as_json(capsys, "gate", "--as-of", "2100-01-01T00:00:00Z")
    assert code == 3
    assert {"fresh-intel", "fresh-results"} <= {reason["rule"] for reason in report["reasons"]}

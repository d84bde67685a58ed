"""What the end-to-end walk does not try: every form of a report, deployments, a dry run, stale intelligence."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import run

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


def test_a_first_gate_in_a_fresh_repository_can_pass(audited: Path, capsys: Capture) -> None:
    assert run(["gate"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("PASSED  credit")
    assert "no baseline" in told.out


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

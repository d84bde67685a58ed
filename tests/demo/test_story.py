"""The story as its audience sees it: one whole run by the command line, against the cast and the record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.ledger import LedgerStatus, verify_ledger
from holdfast.core.sign import PublicKey
from holdfast.demo.bank import STAMP_NAME

SEED = 7
START = {
    "card-fraud": "failed",
    "credit-default": "passed",
    "aml": "passed",
    "churn": "passed",
    "assistant": "passed",
    "recommender": "unknown",
}
END = {
    "card-fraud": "passed",
    "credit-default": "passed",
    "aml": "failed",
    "churn": "passed",
    "assistant": "passed",
    "recommender": "passed",
}


def command(folder: Path, *args: str, seed: int = SEED) -> list[str]:
    return [sys.executable, "-m", "holdfast", "demo", "--folder", str(folder), "--seed", str(seed), *args]


def demo(folder: Path, *args: str, seed: int = SEED) -> subprocess.CompletedProcess[str]:
    asked = command(folder, *args, seed=seed)
    return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "bank"


@pytest.fixture(scope="module")
def told(folder: Path) -> dict[str, Any]:
    done = demo(folder, "--no-serve", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def models(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["model"]: item for item in told["models"]}


def verdicts(told: dict[str, Any], model: str) -> list[str]:
    return [state["verdict"] for state in models(told)[model]["states"]]


def test_every_model_begins_and_ends_as_in_the_cast(told: dict[str, Any]) -> None:
    assert {name: item["end"]["verdict"] for name, item in models(told).items()} == END
    assert {name: item["start"]["verdict"] for name, item in models(told).items()} == START


def test_an_attacked_model_is_hardened_and_its_finding_closed_by_the_same_check(told: dict[str, Any]) -> None:
    (finding,) = [item for item in told["findings"] if (item["model"], item["rule"]) == ("card-fraud", "robust-recall")]
    assert (finding["check"], finding["state"]) == ("evasion.search", "closed")
    (item,) = [item for item in told["items"] if item["fingerprint"] == finding["fingerprint"]]
    assert item["state"] == "proven"
    alerts = [alert for alert in told["alerts"] if alert["model"] == "card-fraud"]
    assert finding["fingerprint"] in {alert["finding"] for alert in alerts}


def test_the_campaign_was_answered_and_the_siem_told(told: dict[str, Any]) -> None:
    assert "evasion" in {run["playbook"] for run in told["runs"]}
    assert told["notices"] >= len(told["alerts"]) > 0


def test_the_trap_was_never_loaded(told: dict[str, Any]) -> None:
    aml = models(told)["aml"]
    assert told["payload_ran"] is False
    assert "scan.verdict is blocked" in aml["end"]["why"]
    assert aml["deployed"] != aml["end"]["version"]


def test_an_advisory_came_and_went(told: dict[str, Any]) -> None:
    churn = models(told)["churn"]
    assert churn["tier"] == "high"
    failed = [state for state in churn["states"] if state["verdict"] == "failed"]
    assert "DEMO-2026-1" in failed[0]["why"]
    assert len({state["version"] for state in churn["states"]}) == 1


def test_stale_intelligence_decides_nothing(told: dict[str, Any]) -> None:
    states = models(told)["recommender"]["states"]
    assert states[0]["verdict"] == "unknown"
    assert "older than" in states[0]["why"]
    assert "unknown" in verdicts(told, "credit-default")


def test_every_state_is_a_leaf_of_a_ledger_that_verifies_offline(told: dict[str, Any], folder: Path) -> None:
    home = folder / ".holdfast"
    verified = verify_ledger(home / "ledger", PublicKey.load(home / "keys" / "holdfast.pub"))
    assert verified.status is LedgerStatus.OK
    size = verified.size
    assert size is not None
    leaves = [state["leaf"] for item in told["models"] for state in item["states"]]
    leaves += [item["leaf"] for kind in ("items", "alerts", "runs") for item in told[kind]]
    assert all(isinstance(leaf, int) and 0 <= leaf < size for leaf in leaves)
    assert told["ledger"]["verified"] == "ok"


def test_the_evidence_stands_without_the_store(told: dict[str, Any], folder: Path) -> None:
    assert told["evidence"]
    key = folder / ".holdfast" / "keys" / "holdfast.pub"
    asked = [sys.executable, "-m", "holdfast", "comply", "verify", str(folder / "evidence"), "--key", str(key)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=folder.parent, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_run_shows_the_end_and_repeats_nothing(told: dict[str, Any], folder: Path) -> None:
    done = demo(folder, "--no-serve", "--json")
    assert done.returncode == 0
    assert "scene 1 of" not in done.stderr
    again = json.loads(done.stdout)
    assert {name: item["end"]["verdict"] for name, item in models(again).items()} == END
    assert again["alerts"] == told["alerts"]
    assert again["items"] == told["items"]


def test_the_console_runs_at_the_address_in_the_last_line(told: dict[str, Any], folder: Path) -> None:
    import httpx

    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next((line.strip() for line in process.stdout if line.startswith("http://")), "")
        assert httpx.get(f"{address}/healthz", timeout=10).status_code == 200
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "Traceback" not in said


def test_another_story_is_not_told_over_this_one(told: dict[str, Any], folder: Path) -> None:
    done = demo(folder, "--no-serve", seed=8)
    assert done.returncode == 2
    assert "HF-USE-006" in done.stderr


def test_others_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    done = demo(tmp_path, "--no-serve")
    assert done.returncode == 2
    assert "HF-USE-005" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interrupted_story_ends_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    process = subprocess.Popen(
        command(folder, "--no-serve"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (folder / STAMP_NAME).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said

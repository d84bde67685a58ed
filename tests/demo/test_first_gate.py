"""The demo's first scene: the same outcome for any seed, nothing done twice, nobody's files touched."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from holdfast.audit.reconcile import Progress
from holdfast.cli.main import run
from holdfast.core.domain import Verdict
from holdfast.core.settings import Settings
from holdfast.demo.bank import STAMP_NAME
from holdfast.demo.scene1_first_gate import Ending, play

SEED = 11


def played(folder: Path, seed: int) -> tuple[Ending, list[str], list[Progress]]:
    said: list[str] = []
    steps: list[Progress] = []
    return play(folder, seed, say=said.append, watch=steps.append, settings=Settings()), said, steps


def verdicts(ending: Ending) -> dict[str, Verdict]:
    return {item.model: item.verdict for item in ending.judged.judgements}


OUTCOME = {"card-fraud": Verdict.FAILED, "credit-default": Verdict.PASSED}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ending, list[str], list[Progress]]:
    return played(tmp_path_factory.mktemp("demo") / "bank", SEED)


def test_card_fraud_fails_on_evasion_and_credit_default_passes(
    first: tuple[Ending, list[str], list[Progress]],
) -> None:
    ending, _, steps = first
    assert verdicts(ending) == OUTCOME
    (finding,) = [finding for item in ending.judged.judgements for finding in item.findings]
    assert (finding.model, finding.check, finding.technique) == ("card-fraud", "evasion.search", "AML.T0015")
    assert ending.decision.exit_code == 1
    assert {step.state for step in steps} == {"started", "measured"}
    assert ending.fresh == len([step for step in steps if step.state == "measured"]) == 12


def test_both_models_are_good_at_their_work(first: tuple[Ending, list[str], list[Progress]]) -> None:
    found = {
        (model.version.model, item.name): item.value
        for model in first[0].judged.audit.models
        for result in model.results
        for item in result.observation.measurements
    }
    for model in OUTCOME:
        assert 0.85 < found[model, "quality.auc"] < 0.99


def test_a_second_run_finds_everything_done(first: tuple[Ending, list[str], list[Progress]]) -> None:
    ending, said, _ = played(first[0].folder, SEED)
    assert verdicts(ending) == OUTCOME
    assert ending.fresh == 0
    assert "made by an earlier run" in said[0]
    assert min(item.as_of for item in ending.judged.judgements) > max(item.as_of for item in first[0].judged.judgements)


def test_the_gate_can_be_asked_again_at_the_banks_own_time(
    first: tuple[Ending, list[str], list[Progress]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = first[0].folder
    moment = first[0].evening.isoformat()
    args = ["--config", f"{folder}/holdfast.yaml", "--intel", f"{folder}/intel.json", "--as-of", moment]
    assert run(["gate", *args, "--seed", str(SEED), "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {model["model"]: model["verdict"] for model in report["models"]} == OUTCOME
    assert all(result["cached"] for model in report["models"] for result in model["results"])


def test_files_of_others_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["demo", "--no-serve", "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error[HF-USE-005]")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("stamp", ["", "{}", "[1]", '{"seed": 1}'])
def test_a_damaged_stamp_is_not_taken_for_ours(stamp: str, tmp_path: Path) -> None:
    (tmp_path / STAMP_NAME).write_text(stamp)
    assert run(["demo", "--no-serve", "--folder", str(tmp_path)]) == 2


def test_interrupted_it_ends_cleanly_and_goes_on_next_time(tmp_path: Path) -> None:
    """Ctrl-C reaches the whole group, as it does from a terminal."""
    command = [sys.executable, "-m", "holdfast", "demo", "--no-serve", "--folder", str(tmp_path / "bank")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(random.uniform(1, 6))
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert _gone(child.pid)
    ending, _, _ = played(tmp_path / "bank", 0)
    assert verdicts(ending) == OUTCOME


def _gone(group: int) -> bool:
    """Whether the group's processes end by themselves; one that has ended and waits for its parent has ended."""
    for _ in range(100):
        stats = Path("/proc").glob("[0-9]*/stat")
        fields = [_after_name(stat) for stat in stats]
        if not any(found and found[0] != "Z" and found[2] == str(group) for found in fields):
            return True
        time.sleep(0.1)
    return False


def _after_name(stat: Path) -> list[str]:
    """State, parent, group and more of a process; nothing when it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []

"""`holdfast harden` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bank
from holdfast.cli.main import run
from holdfast.core.errors import EXIT_PASSED, EXIT_USAGE

MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: o@bank.example
    tier: high
    purpose: p
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: y}
    contract: contract.yaml
"""
ASKED = ("harden", "limits", "--recipe", "regularise", "--rows", "20", "--linf", "0.01", "--max-auc-loss", "0.2")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bank.train(bank.write(tmp_path, n=1000))
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_before_and_after_as_json_with_plots(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASKED, "--format", "json", "--plots", "plots"]) == EXIT_PASSED
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert list(said)[:2] == ["schema_version", "as_of"]
    assert said["chosen"] is not None
    assert said["ledger"][0]["kind"] == "model.hardened"
    assert isinstance(said["ledger"][0]["leaf"], int)
    assert len(said["points"]) == 4
    assert "candidate 3" in err
    assert (place / said["file"]).exists()
    names = {f"limits-{plot}.svg" for plot in ("boxes", "trade", "front")}
    assert {path.name for path in (place / "plots").iterdir()} == names
    assert run(ASKED) == EXIT_USAGE
    assert "HF-HRD-008" in capsys.readouterr().err


def test_an_unknown_model_is_a_wrong_word(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["harden", "limts"]) == EXIT_USAGE
    assert "limits" in capsys.readouterr().err

"""`config show`: every setting with its origin, as a run would resolve it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli.main import run
from holdfast.core.settings import Settings


def shown(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, tuple[object, str]]:
    assert run(["config", "show", "--format", "json", *args]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    return {item["name"]: (item["value"], item["origin"]) for item in settings}


def test_every_setting_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(shown(capsys)) == set(Settings.model_fields)


def test_a_flag_wins_over_the_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_WORKERS", "3")
    assert shown(capsys)["workers"] == (3, "environment HOLDFAST_WORKERS")
    assert shown(capsys, "--workers", "5")["workers"] == (5, "flag --workers")


def test_the_nearest_manifest_upward_decides_where_state_lies(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "holdfast.yaml").touch()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    found = shown(capsys)
    assert found["config"] == (str(tmp_path / "holdfast.yaml"), "nearest upward")
    assert found["home"] == (str(tmp_path / ".holdfast"), "default: beside the manifest")


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "many"), ("WORKERS", "0"), ("PLUGINS", "acme")])
def test_a_wrong_setting_names_its_variable(
    name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"HOLDFAST_{name}", value)
    assert run(["config", "show"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error[HF-CFG-020]")
    assert name.lower() in told

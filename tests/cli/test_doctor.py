"""`doctor`: each symptom is seen, and comes with the command that repairs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli.doctor import MISSING, NOTE, OK
from holdfast.cli.main import run
from holdfast.core.store import Store


def examined(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = run(["doctor", "--format", "json", *args])
    symptoms = json.loads(capsys.readouterr().out)["symptoms"]
    return code, {symptom["name"]: symptom for symptom in symptoms}


def test_a_sound_installation_is_called_sound(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = examined(capsys)
    assert code == 0, found
    assert found["python"]["state"] == OK
    assert found["extra attack"]["state"] == OK
    assert found["sandbox"]["found"].startswith("isolation ")
    assert found["manifest"]["state"] == NOTE
    assert not Path(".holdfast").exists(), "looking must not make anything"


def test_what_limits_comes_with_its_repair(capsys: pytest.CaptureFixture[str]) -> None:
    _, found = examined(capsys)
    assert all(symptom["repair"] for symptom in found.values() if symptom["state"] != OK)


def test_a_state_folder_open_to_others_is_seen(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    home = tmp_path / "state"
    Store.open(None, home).close()
    assert examined(capsys, "--home", str(home))[0] == 0
    home.chmod(0o755)
    code, found = examined(capsys, "--home", str(home))
    assert (code, found["state folder"]["state"]) == (1, MISSING)
    assert found["state folder"]["repair"] == f"chmod 700 {home}"


@pytest.mark.parametrize(
    ("url", "code"), [("mysql://x/y", "HF-STO-003"), ("postgresql://nobody@127.0.0.1:1/none", "HF-STO-004")]
)
def test_a_database_that_cannot_be_used_is_seen(url: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, found = examined(capsys, "--database", url)
    assert exit_code == 1
    assert code in found or any(name.startswith("HF-") for name in found)


def test_a_missing_extra_is_seen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    real = importlib.metadata.version

    def without(name: str) -> str:
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", without)
    _, found = examined(capsys)
    assert found["extra attack"]["found"] == "not installed: numba"
    assert found["extra attack"]["repair"] == "pip install 'holdfast[attack]'"


def test_a_kernel_cache_open_to_others_is_seen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOLDFAST_KERNEL_CACHE", str(tmp_path / "kernels"))
    assert examined(capsys)[1]["kernel cache"]["state"] == OK
    for folder in (tmp_path / "kernels").iterdir():
        folder.chmod(0o777)
    code, found = examined(capsys)
    assert (code, found["HF-ATK-005"]["state"]) == (1, MISSING)


def test_a_broken_manifest_is_seen_and_the_rest_is_still_looked_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "holdfast.yaml").write_text("versoin: 1\n")
    code, found = examined(capsys)
    assert code == 1
    assert found["HF-CFG-001"]["repair"] == "did you mean 'version'?"
    assert found["sandbox"]


def test_the_text_names_each_repair(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "repair: holdfast estate init --help" in text

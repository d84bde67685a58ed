"""Compiled kernels are code: they are kept where nobody else can put any."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.attack.evasion.kernels import jit
from holdfast.core.errors import PrerequisiteError


def test_the_folder_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jit.CACHE_VARIABLE, str(tmp_path / "kernels"))
    folder = jit.cache_folder()
    assert folder.is_relative_to(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o705])
def test_a_folder_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    monkeypatch.setenv(jit.CACHE_VARIABLE, str(tmp_path))
    jit.cache_folder().chmod(mode)
    with pytest.raises(PrerequisiteError) as caught:
        jit.cache_folder()
    assert caught.value.code == "HF-ATK-005"


def test_a_link_to_somewhere_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jit.CACHE_VARIABLE, str(tmp_path / "a"))
    folder = jit.cache_folder()
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PrerequisiteError):
        jit.cache_folder()


def test_without_a_name_an_open_folder_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(jit.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usual = jit.cache_folder()
    assert usual.is_relative_to(tmp_path)
    usual.chmod(0o777)
    other = jit.cache_folder()
    assert not other.is_relative_to(tmp_path)
    assert stat.S_IMODE(other.stat().st_mode) == 0o700
    other.rmdir()


def test_a_changed_kernel_gets_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    monkeypatch.setenv(jit.CACHE_VARIABLE, str(tmp_path / "kernels"))
    before = jit.cache_folder()
    (tmp_path / "one.py").write_text("x = 2\n")
    assert jit.cache_folder() != before


def test_kernels_are_kept_in_the_private_folder(tmp_path: Path) -> None:
    program = "from holdfast.attack.evasion.kernels.jit import entry\nimport kept\nassert kept.twice(2.0) == 4.0\n"
    (tmp_path / "kept.py").write_text(
        "from holdfast.attack.evasion.kernels.jit import entry\n\n@entry\ndef twice(x):\n    return 2 * x\n"
    )
    environment = os.environ | {jit.CACHE_VARIABLE: str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=120)
    assert list((tmp_path / "cache").rglob("*.nbi"))

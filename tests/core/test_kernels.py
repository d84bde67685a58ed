"""Compiled kernels are kept in a private folder of their own, and compiling them leaves the process's setting alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="kernels need numba")

import numba

from holdfast.core.errors import PrerequisiteError
from holdfast.core.kernels import CACHE_VARIABLE, cache_folder, compiler


def test_other_sources_have_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kernels"))
    source = tmp_path / "one.py"
    source.write_text("a = 1\n")
    before = cache_folder([source])
    assert stat.S_IMODE(before.stat().st_mode) == 0o700
    source.write_text("a = 2\n")
    assert cache_folder([source]) != before


def test_a_folder_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kernels"))
    source = tmp_path / "one.py"
    source.touch()
    cache_folder([source]).chmod(0o755)
    with pytest.raises(PrerequisiteError, match="open to others"):
        cache_folder([source])


def test_compiling_leaves_the_setting_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "kernels"))
    before = vars(numba.config)["CACHE_DIR"]

    def twice(x: int) -> int:
        return 2 * x

    assert compiler(Path(__file__))(twice)(4) == 8
    assert vars(numba.config)["CACHE_DIR"] == before

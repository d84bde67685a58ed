"""A long scan says how far it is, and Ctrl-C leaves a clean terminal and no half report."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.main import run as command
from holdfast.cli.scan_progress import ScanLine
from holdfast.cli.terminal import Terminal
from holdfast.scan import scan_paths


def ticking(step: float) -> Callable[[], float]:
    return itertools.count(step=step).__next__


def scanned(folder: Path, line: ScanLine) -> None:
    with line as watch:
        assert len(list(watch.noted(scan_paths([folder], watch=watch)))) == 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        (tmp_path / f"{number}.pkl").write_bytes(pickle.dumps(number))
    (tmp_path / "bad\x1b[31m.pkl").write_bytes(b"cos\nsystem\n(S'x'\ntR.")
    return tmp_path


def test_a_line_that_moves_and_is_gone(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "animated", property(lambda _: True))
    scanned(folder, ScanLine(Terminal(), ticking(0.3)))
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "4 files looked into" in seen.err
    assert "\x1b[31m" not in seen.err, "names of files are written as what they are"
    assert seen.err.endswith("\r\033[K")
    assert "\n" not in seen.err


def test_words_now_and_then_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scanned(folder, ScanLine(Terminal(), ticking(3.0)))
    said = capsys.readouterr().err.splitlines()
    assert 1 <= len(said) < 8
    assert all("looked into" in line for line in said)


def test_a_short_scan_says_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scanned(folder, ScanLine(Terminal()))
    assert capsys.readouterr().err == ""


def test_hashing_says_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "animated", property(lambda _: True))
    monkeypatch.setattr("holdfast.scan.walk.CHUNK", 1000)
    (tmp_path / "a.txt").write_bytes(b"words " * 1000)
    with ScanLine(Terminal(), ticking(0.3)) as watch:
        list(scan_paths([tmp_path], watch=watch))
    assert "hashing 50 %" in capsys.readouterr().err


def test_ctrl_c_writes_no_half_report(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(line: ScanLine, path: Path, done: int, size: int) -> None:
        line._files += 1
        if line._files == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(ScanLine, "__call__", stopped)
    target = folder / "report.json"
    assert command(["scan", str(folder), "--format", f"json={target}"]) == 130
    seen = capsys.readouterr()
    assert (seen.out, target.exists()) == ("", False)
    assert seen.err.startswith("interrupted: 3 files looked into")
    assert "Traceback" not in seen.err

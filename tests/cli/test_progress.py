"""Progress: a line that moves on a terminal and is gone at the end; plain lines of what is worth one elsewhere."""

from __future__ import annotations

import pytest

from holdfast.audit.reconcile import Progress
from holdfast.cli.progress import ProgressLine
from holdfast.cli.terminal import Terminal

STARTED = Progress("credit", "evasion.search", "started", 0, 3)
LONG = Progress("credit", "evasion.search", "measured", 1, 3, 2.0)
SHORT = Progress("credit", "data.profile", "measured", 2, 3, 0.1)
CACHED = Progress("credit", "data.contract", "cached", 3, 3)
UNKNOWN = Progress("credit", "scan.artifact", "unknown", 3, 3)
STEPS = (STARTED, LONG, SHORT, CACHED, UNKNOWN)


def said(capsys: pytest.CaptureFixture[str], terminal: Terminal, steps: tuple[Progress, ...] = STEPS) -> str:
    with ProgressLine(terminal) as watch:
        for step in steps:
            watch(step)
    seen = capsys.readouterr()
    assert seen.out == "", "stdout is for the result"
    return seen.err


def test_without_a_terminal_only_what_is_worth_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, Terminal()) == (
        "[1/3] credit evasion.search: measured in 2.0 s\n[3/3] credit scan.artifact: unknown\n"
    )


def test_verbose_has_a_line_for_everything_that_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert "credit data.profile: measured in 0.1 s" in said(capsys, Terminal(verbosity=1))


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, Terminal(verbosity=-1)) == ""


def test_on_a_terminal_the_line_moves_and_is_cleared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "animated", property(lambda _: True))
    text = said(capsys, Terminal())
    assert "[0/3] credit evasion.search …" in text
    lasting = [line.rpartition("\r\033[K")[2] for line in text.split("\n")]
    assert "[1/3] credit evasion.search: measured in 2.0 s" in lasting
    assert lasting[-1] == ""
    assert said(capsys, Terminal(), STEPS[:2]).endswith("waiting …\r\033[K"), "also where it is left early"


@pytest.mark.parametrize(("variable", "moves"), [("CI", False), ("OTHER", True)])
def test_nothing_moves_in_ci(variable: str, moves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(variable, "true")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert Terminal().animated is moves
    assert Terminal(verbosity=-1).animated is False

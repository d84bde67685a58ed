"""The frame of the command line: exit codes, errors as words, streams, lazy imports, help with examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from holdfast.cli.faults import PIPS, as_holdfast_error, report_fault
from holdfast.cli.main import VERBS, cli, run
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import Verb, leaves
from holdfast.core.errors import ConfigError

HEAVY = ("numpy", "scipy", "sqlalchemy", "pydantic", "yaml", "rich", "cryptography", "pyarrow")


LEAVES = {context.command_path: context.command for context in leaves(click.Context(cli, info_name="holdfast"))}


def python(code: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, env={**os.environ, **env}, check=False
    )


RUN = "import sys; from holdfast.cli.main import main; sys.argv = ['holdfast', *sys.argv[1:]]; main()"


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["-h"]])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; from holdfast.cli.main import run; code = run(sys.argv[1:]);"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules];"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = python(code, *args)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", LEAVES)
def test_every_verb_has_two_examples(path: str) -> None:
    command = LEAVES[path]
    assert isinstance(command, Verb), f"{path} is declared without @verb"
    assert len(command.examples) >= 2
    assert all(line and purpose for line, purpose in command.examples)


@pytest.mark.parametrize("name", VERBS)
def test_the_table_of_verbs_names_what_the_modules_hold(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("path", LEAVES)
def test_every_option_can_be_an_environment_variable(path: str) -> None:
    for option in LEAVES[path].params:
        if isinstance(option, click.Option) and option.expose_value and option.envvar != "":
            assert option.envvar, f"{path} {option.opts}"
            assert all(name.startswith("HOLDFAST_") for name in option.envvar)


def test_an_option_is_read_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_FORMAT", "json")
    assert run(["config", "show"]) == 0
    assert capsys.readouterr().out.startswith("{")
    monkeypatch.setenv("HOLDFAST_SHOW_FORMAT", "text")
    assert run(["config", "show"]) == 0
    assert capsys.readouterr().out.startswith("SETTING")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["versoin"], "did you mean 'version'?"),
        (["version", "--colour", "never"], "did you mean --color?"),
        (["completion"], "holdfast completion --help"),
        (["completion", "tcsh"], "holdfast completion --help"),
        (["config", "show", "--format", "jason"], "did you mean 'json'?"),
        (["config", "show", "--format", "json", "--format", "text"], "give each its file"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(
    args: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(args) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert seen.err.startswith("error[HF-USE-00")
    assert told in seen.err
    assert "Traceback" not in seen.err


def test_an_error_is_four_lines_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    error = ConfigError("it broke", cause="the cause", fix="the fix", code="HF-CFG-001")
    assert report_fault(error, Terminal()) == 2
    assert capsys.readouterr().err == (
        "error[HF-CFG-001]: it broke\n  cause: the cause\n  fix: the fix\n  docs: holdfast explain HF-CFG-001\n"
    )


def test_an_unexpected_fault_cannot_decide_and_shows_its_traceback_only_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert report_fault(caught.value, Terminal()) == 3
    short = capsys.readouterr().err
    assert report_fault(caught.value, Terminal(verbosity=2)) == 3
    long = capsys.readouterr().err
    assert short.startswith("error[HF-BUG-001]")
    assert "Traceback" not in short
    assert "Traceback" in long


def test_interruption_is_said_cleanly(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_fault(KeyboardInterrupt(), Terminal()) == 130
    assert capsys.readouterr().err.startswith("interrupted")


@pytest.mark.parametrize("module", PIPS)
def test_a_missing_library_is_answered_with_the_pip_command(module: str) -> None:
    fault = ModuleNotFoundError(f"No module named '{module}.sub'", name=f"{module}.sub")
    assert as_holdfast_error(fault).fix == f"pip install 'holdfast[{PIPS[module]}]'"


def test_a_library_of_an_extra_names_an_extra_that_exists() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(PIPS.values()) <= set(project["optional-dependencies"])


def test_a_reader_that_goes_away_changes_neither_the_exit_code_nor_prints_anything() -> None:
    code = (
        "import os, sys; from holdfast.cli.main import run; read, write = os.pipe(); os.close(read);"
        "os.dup2(write, 1); sys.exit(run(['--version']) or 42)"
    )
    done = python(code)
    assert (done.returncode, done.stderr) == (42, "")


@pytest.mark.parametrize(
    ("args", "env", "colored"),
    [
        ([], {}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_only_where_wanted(args: list[str], env: dict[str, str], colored: bool) -> None:
    blank = {"NO_COLOR": "", "FORCE_COLOR": ""}
    done = python(RUN, "explain", *args, "nothing-like-this", **{**blank, **env})
    assert done.returncode == 2
    assert ("\033[31m" in done.stderr) is colored


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_back(shell: str) -> None:
    done = python(RUN, "completion", shell)
    assert done.returncode == 0
    assert f"_HOLDFAST_COMPLETE={shell}_complete" in done.stdout


def test_completion_offers_verbs_without_importing_them() -> None:
    done = python(RUN, _HOLDFAST_COMPLETE="bash_complete", COMP_WORDS="holdfast ver", COMP_CWORD="1")
    assert done.stdout.split() == ["plain,version"]


@pytest.mark.parametrize("words", [[], ["estate"], ["ledger"]])
def test_a_group_without_a_verb_shows_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Usage: holdfast")
    assert "error[" not in said.err

"""Documentation that cannot rot: every command shown exists, every code has its page, every page its form."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from holdfast import __version__
from holdfast.cli.main import cli
from holdfast.cli.verb import Verb, leaves
from holdfast.core.settings import Settings

REPO = Path(__file__).resolve().parent.parent
SOURCE = REPO / "src" / "holdfast"
ERROR_PAGES = sorted((SOURCE / "pages" / "errors").glob("*.md"))
CHECK_PAGES = sorted((SOURCE / "audit" / "checks").glob("*/*.md"))
WRITTEN = [REPO / "README.md", REPO / "CONTRIBUTING.md", REPO / "SECURITY.md", *sorted((REPO / "docs").rglob("*.md"))]
PAGES = [*WRITTEN, *ERROR_PAGES, *CHECK_PAGES]
CHECK_SECTIONS = (
    "What it shows",
    "Why it matters in a bank",
    "How it works",
    "Cost",
    "How to fix",
    "What it cannot see",
)


def short(path: object) -> str:
    return str(path.relative_to(REPO)) if isinstance(path, Path) else str(path)


def commands_in(text: str) -> Iterator[str]:
    """Lines of fenced shell blocks that run holdfast, and such commands between backticks."""
    for block in re.findall(r"```(?:bash|sh|console|yaml)\n(.*?)```", text, re.DOTALL):
        joined = block.replace("\\\n", " ")
        yield from (
            line for line in joined.splitlines() if re.search(r"(^|[\s(\"])holdfast [a-z-]", line.split("#")[0])
        )
    yield from re.findall(r"`(holdfast [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def refuse(line: str, why: str) -> None:
    raise AssertionError(f"{line!r}: {why}")


def parse(line: str) -> None:
    """The words after `holdfast` name an existing verb and existing options. Words in capitals stand for values."""
    words = shlex.split(
        line.split("#", maxsplit=1)[0].replace("$(", " ").replace(")", " ").replace('"', " ").replace("…", "")
    )
    words = words[words.index("holdfast") + 1 :]
    for operator in ("|", ">", "&&", "||", ";"):
        words = words[: words.index(operator)] if operator in words else words
    context = click.Context(cli, info_name="holdfast")
    command: click.Command = cli
    while isinstance(command, click.Group):
        if not words:
            return
        known = command.list_commands(context)
        if words[0] in ("COMMAND", "--help", "--version"):
            return
        name = words[0] if words[0] in known else getattr(command, "default", None)
        found = command.get_command(context, name) if name else None
        if found is None:
            refuse(line, f"there is no command {words[0]!r}")
            return
        words = words[1:] if words[0] == name else words
        context, command = click.Context(found, info_name=name, parent=context), found
    try:
        command.make_parser(context).parse_args(list(words))
    except click.UsageError as fault:
        refuse(line, fault.format_message())


@pytest.mark.parametrize("path", PAGES, ids=short)
def test_every_command_shown_exists(path: Path) -> None:
    for line in commands_in(path.read_text(encoding="utf-8")):
        parse(line)


@pytest.mark.parametrize("context", leaves(click.Context(cli, info_name="holdfast")), ids=lambda c: c.command_path)
def test_every_example_in_the_help_exists(context: click.Context) -> None:
    assert isinstance(context.command, Verb)
    for line, _ in context.command.examples:
        parse(line)


@pytest.mark.parametrize("line", ["holdfast nonsense", "holdfast version --nope", "holdfast config show --formt json"])
def test_a_command_that_does_not_exist_would_be_noticed(line: str) -> None:
    assert list(commands_in(f"```bash\n{line}\n```")) == [line]
    with pytest.raises(AssertionError):
        parse(line)


def commands_said(path: Path) -> Iterator[str]:
    """Commands that messages tell the user to type; what is filled in stands as VALUE."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "VALUE" for part in node.values]
            text = "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        quoted = re.findall(r"`(holdfast [a-z][^`]*)`", text)
        yield from quoted or ([text] if re.fullmatch(r"holdfast [a-z][\w -]*[^.]*", text) else [])


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=short)
def test_every_command_that_a_message_names_exists(path: Path) -> None:
    for line in commands_said(path):
        if "VALUE" not in line.split()[1]:
            parse(line)


def codes_raised() -> set[str]:
    """Codes written in the source; a bare prefix such as HF-CON stands for the four codes of a document."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if re.fullmatch(r"HF-[A-Z]{3}-\d{3}", node.value):
                    found.add(node.value)
                elif re.fullmatch(r"HF-[A-Z]{3}", node.value):
                    found |= {f"{node.value}-{number:03}" for number in range(1, 5)}
    return found


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = {path.stem for path in ERROR_PAGES}
    raised = codes_raised()
    assert sorted(raised - pages) == [], "codes without a page"
    assert sorted(pages - raised) == [], "pages without a code"


@pytest.mark.parametrize("path", ERROR_PAGES, ids=short)
def test_an_error_page_says_what_why_and_what_to_do(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(rf"# {path.stem}: [^ ].{{2,80}}", lines[0])
    assert [line for line in lines if line.startswith("## ")] == ["## What happened", "## Why", "## What to do"]


@pytest.mark.parametrize("path", CHECK_PAGES, ids=short)
def test_a_check_page_has_its_six_sections(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.parent.name}.{path.stem}")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(CHECK_SECTIONS)


def test_every_check_has_a_page() -> None:
    from holdfast.audit.interface import CHECKS

    assert {name for name, _ in CHECKS} == {f"{path.parent.name}.{path.stem}" for path in CHECK_PAGES}


def test_the_readme_shows_the_commands_of_the_run_script() -> None:
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\./run ([a-z]+)", readme, re.MULTILINE)
    script = (REPO / "run").read_text(encoding="utf-8")
    assert shown[:2] == ["demo", "test"]
    for name in shown:
        assert re.search(rf"^ *(\w+ \| )*{name}( \| \w+)*\)", script, re.MULTILINE), name


def test_ci_runs_the_readmes_test_command() -> None:
    assert re.search(r"^\./run test\b", (REPO / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = re.findall(r"^## \[(.+?)\]", (REPO / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert project["version"] == __version__
    assert __version__ in changes or changes[0] == "Unreleased"


def test_every_setting_is_documented() -> None:
    text = (REPO / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert f"| `{name}` | `HOLDFAST_{name.upper()}` |" in text, name


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name[:4] for path in (REPO / "docs" / "adr").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))
    for path in (REPO / "docs" / "adr").glob("[0-9]*.md"):
        assert path.read_text(encoding="utf-8").startswith(f"# {path.name[:4]}: "), path.name

"""`holdfast explain`: the page of an error code, a check or a rule, from the copy that is installed."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import click

from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.core.errors import UsageError

_CODE = re.compile(r"HF-[A-Z]{3}-\d{3}")
_CHECK = re.compile(r"[a-z_]+\.[a-z_]+")


def error_codes() -> list[str]:
    """Every code that has a page."""
    folder = files("holdfast") / "pages" / "errors"
    return sorted(entry.name.removesuffix(".md") for entry in folder.iterdir() if entry.name.endswith(".md"))


def checks() -> list[str]:
    """Every check of ours that has a page."""
    areas = [area for area in (files("holdfast") / "audit" / "checks").iterdir() if area.is_dir()]
    return sorted(
        f"{area.name}.{page.name.removesuffix('.md')}"
        for area in areas
        for page in area.iterdir()
        if page.name.endswith(".md")
    )


def page(topic: str) -> str | None:
    """The page of a code or a check; None when there is none."""
    if _CODE.fullmatch(topic.upper()):
        source = files("holdfast") / "pages" / "errors" / f"{topic.upper()}.md"
    elif _CHECK.fullmatch(topic):
        area, _, name = topic.partition(".")
        source = files("holdfast") / "audit" / "checks" / area / f"{name}.md"
    else:
        return None
    return source.read_text(encoding="utf-8") if source.is_file() else None


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[Any]:
    return [topic for topic in [*checks(), *error_codes()] if topic.lower().startswith(incomplete.lower())]


@verb(
    "explain",
    examples=(
        ("holdfast explain HF-CFG-001", "What an error code means and what to do."),
        ("holdfast explain evasion.search", "What a check shows, what it costs and what it cannot see."),
    ),
)
@click.argument("topic", required=False, shell_complete=_complete)
@click.pass_obj
def command(terminal: Terminal, topic: str | None) -> None:
    """Explain TOPIC: an error code, a check or a rule. Without TOPIC, list them."""
    if topic is None:
        terminal.out(_index())
        return
    text = page(topic)
    if text is None:
        raise _no_page(topic)
    terminal.out(text)


def _index() -> str:
    sections = {"Checks": checks(), "Errors": error_codes()}
    return "".join(f"{title}:\n" + "".join(f"  {name}\n" for name in names) for title, names in sections.items())


def _no_page(topic: str) -> UsageError:
    from holdfast.core.documents import suggest

    known = [*checks(), *error_codes()]
    return UsageError(
        f"there is nothing to explain under '{topic}'",
        cause="it is neither an error code, nor a check, nor a rule",
        fix=suggest(topic, known),
        code="HF-USE-004",
    )

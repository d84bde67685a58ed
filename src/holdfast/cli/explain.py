"""`holdfast explain`: the page of a code, a check, a rule or a technique, from the copy that is installed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.core.errors import UsageError

if TYPE_CHECKING:
    from holdfast.core.domain.advisory import Technique

POLICY = "baseline"
Page = Callable[[], str]
"""Renders one page."""


def topics() -> dict[str, dict[str, Page]]:
    """Every topic by section: what it is called, and how its page is made."""
    return {
        "Checks": _checks(),
        "Rules": _rules(),
        "Scan rules": _scan_rules(),
        "Techniques": _techniques(),
        "Errors": _pages("errors"),
    }


def _pages(folder: str) -> dict[str, Page]:
    return _in(files("holdfast") / "pages" / folder)


def _in(folder: Traversable, prefix: str = "") -> dict[str, Page]:
    pages = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".md")), key=lambda entry: entry.name)
    return {prefix + entry.name.removesuffix(".md"): _reader(entry) for entry in pages}


def _reader(entry: Traversable) -> Page:
    return lambda: entry.read_text(encoding="utf-8")


def _checks() -> dict[str, Page]:
    areas = (area for area in (files("holdfast") / "audit" / "checks").iterdir() if area.is_dir())
    return {name: page for area in sorted(areas, key=str) for name, page in _in(area, f"{area.name}.").items()}


def _rules() -> dict[str, Page]:
    """What every policy demands, and the rules of the built-in one as they are written."""
    from holdfast.core.documents import Document

    text = (files("holdfast.core.policy") / "policies" / f"{POLICY}.yaml").read_text(encoding="utf-8")
    document = Document.parse(text, POLICY)
    lines, rules = text.splitlines(), document.value["rules"]
    starts = [(document.line("rules", place) or 1) - 1 for place in range(len(rules))]
    stops = [*starts[1:], (document.line("ratchet") or len(lines) + 1) - 1]
    written = zip(rules, starts, stops, strict=True)
    return {**_pages("rules"), **{rule["id"]: _rule(rule, lines[start:stop]) for rule, start, stop in written}}


def _scan_rules() -> dict[str, Page]:
    """The pages of the scanner's rules, each with its technique behind it."""
    from holdfast.scan.rules import RULES

    techniques = {rule.id: rule.technique for rule in RULES}
    return {name: _followed(text, techniques.get(name, "")) for name, text in _pages("scan").items()}


def _followed(text: Page, technique: str) -> Page:
    def both() -> str:
        more = _techniques().get(technique)
        return text() + ("" if more is None else "\n" + more())

    return both


def _rule(rule: dict[str, Any], lines: list[str]) -> Page:
    def text() -> str:
        body = textwrap.dedent("\n".join(lines)).strip()
        technique = _techniques().get(rule.get("technique", ""))
        more = "" if technique is None else "\n" + technique()
        return f"# {rule['id']}: a rule of the policy '{POLICY}'\n\n```yaml\n{body}\n```\n{more}"

    return text


def _techniques() -> dict[str, Page]:
    from holdfast.core.policy import Snapshot

    return {name: _technique(item) for name, item in sorted(Snapshot.builtin().techniques.items())}


def _technique(item: Technique) -> Page:
    return lambda: f"# {item.id}: {item.name}\n\n{item.summary}\n"


def page(topic: str) -> str | None:
    """The page of a topic, whatever its case; None when there is none."""
    for pages in topics().values():
        for name, render in pages.items():
            if name.lower() == topic.lower():
                return render()
    return None


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    names = [name for pages in topics().values() for name in pages]
    return [name for name in names if name.lower().startswith(incomplete.lower())]


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
    """Explain TOPIC: an error code, a check, a rule or a technique. Without TOPIC, list them."""
    if topic is None:
        terminal.out("\n".join("\n  ".join([f"{title}:", *names]) for title, names in topics().items()))
        return
    text = page(topic)
    if text is None:
        raise _no_page(topic)
    terminal.out(text)


def _no_page(topic: str) -> UsageError:
    from holdfast.core.documents import suggest

    known = [name for pages in topics().values() for name in pages]
    return UsageError(
        f"there is nothing to explain under '{topic[:80]}'",
        cause="it is no error code, check, rule or technique that this version knows",
        fix=suggest(topic[:80], known),
        code="HF-USE-004",
    )

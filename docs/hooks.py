"""Pages that are not written in docs/: error and check pages from the package, the CLI reference from click."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from holdfast.cli.main import VERBS, cli
from holdfast.cli.verb import leaves

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "holdfast"
SECTIONS = {
    "guides": "Guides",
    "concepts": "Concepts",
    "checks": "Checks",
    "reference": "Reference",
    "adr": "Decisions",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, then build the navigation from what is there."""
    for place, text in (*_error_pages(), *_scan_pages(), *_check_pages(), *_cli_pages()):
        files.append(File.generated(config, place, content=text))
    config.nav = _navigation(sorted(file.src_uri for file in files.documentation_pages()))
    return files


def _error_pages() -> Iterator[tuple[str, str]]:
    rows = []
    for path in sorted((PACKAGE / "pages" / "errors").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        rows.append(f"- [{text.splitlines()[0].removeprefix('# ')}]({path.name})")
        yield f"reference/errors/{path.name}", text
    listed = "\n".join(rows)
    yield "reference/errors/index.md", f"# Errors\n\n`holdfast explain CODE` prints these pages offline.\n\n{listed}\n"


def _scan_pages() -> Iterator[tuple[str, str]]:
    rows = []
    for path in sorted((PACKAGE / "pages" / "scan").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        rows.append(f"- [{text.splitlines()[0].removeprefix('# ')}]({path.name})")
        yield f"reference/scan/{path.name}", text
    listed = "\n".join(rows)
    yield "reference/scan/index.md", f"# Rules of the scanner\n\n`holdfast explain RULE` prints them.\n\n{listed}\n"


def _check_pages() -> Iterator[tuple[str, str]]:
    folder = PACKAGE / "audit" / "checks"
    for path in sorted(folder.glob("*/*.md")):
        yield f"checks/{path.parent.name}.{path.name}", path.read_text(encoding="utf-8")


def _cli_pages() -> Iterator[tuple[str, str]]:
    """One page per verb, from the same objects that print `--help`."""
    root = click.Context(cli, info_name="holdfast")
    rows = [f"- [`holdfast {name}`]({name}.md): {summary}" for name, (_, summary) in VERBS.items()]
    yield "reference/cli/index.md", f"# Command line\n\n{_help(root)}\n" + "\n".join(rows) + "\n"
    for name in VERBS:
        command = cli.get_command(root, name)
        assert command is not None
        found = leaves(click.Context(command, info_name=name, parent=root))
        parts = [f"## {context.command_path}\n\n{_help(context)}" for context in found]
        yield f"reference/cli/{name}.md", f"# holdfast {name}\n\n" + "\n".join(parts)


def _help(context: click.Context) -> str:
    return f"```text\n{context.get_help()}\n```\n"


def _navigation(places: list[str]) -> list[Any]:
    """Loose pages first, index on top, then one section per folder in the order of SECTIONS."""
    loose = sorted((place for place in places if "/" not in place), key=lambda place: (place != "index.md", place))
    found: list[Any] = list(loose)
    for folder, title in SECTIONS.items():
        inside = [place for place in places if place.startswith(f"{folder}/")]
        if inside:
            found.append({title: _section(inside, folder)})
    return found


def _section(places: list[str], folder: str) -> list[Any]:
    loose = [place for place in places if "/" not in place.removeprefix(f"{folder}/")]
    nested = sorted({place.split("/")[1] for place in places} - {place.split("/")[1] for place in loose})
    titles = {"cli": "Command line", "errors": "Errors", "scan": "Rules of the scanner"}
    return [
        *sorted(loose, key=lambda place: (not place.endswith("index.md"), place)),
        *({titles.get(name, name): [p for p in places if p.startswith(f"{folder}/{name}/")]} for name in nested),
    ]

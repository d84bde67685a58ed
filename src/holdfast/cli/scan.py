"""`holdfast scan`: what model files contain, without loading them."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.audit import rendered
from holdfast.cli.output import Form, Output, output_options
from holdfast.cli.scan_progress import ScanLine
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.core.domain.clock import system_clock
from holdfast.core.errors import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from holdfast.core.domain.observation import Fact
    from holdfast.core.report import ScanReport
    from holdfast.scan import FileReport
    from holdfast.scan.allowlist import Allowlist

FILE = click.Path(path_type=Path, dir_okay=False)


@verb(
    "scan",
    examples=(
        ("holdfast scan models/", "Every file below a folder; exit code 1 when one must not be loaded."),
        ("holdfast scan model.joblib --format json --output scan.json", "Every fact about one file, for a script."),
        ("holdfast scan models/ --format text --format html=scan.html", "The same, and a page to keep or to send on."),
        ("holdfast scan models/ --policy policy.yaml", "Also accept the names that this policy adds, and say where."),
    ),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-hash", is_flag=True, help="Leave out the SHA-256 of each file. Hashing is timed apart anyway.")
@click.option(
    "--fail-on",
    type=click.Choice(["blocked", "review"]),
    default="blocked",
    show_default=True,
    help="What makes the exit code 1.",
)
@click.option("--policy", help="Accept the names that this policy adds: a file, or a built-in one.")
@click.option("--names", type=FILE, help="Judge by this signed list of names. [default: the one inside]")
@click.option("--key", "keys", type=FILE, multiple=True, help="Trust this public key for --names, and no other.")
@output_options("text", "json", "sarif", "junit", "markdown", "html")
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    paths: tuple[Path, ...],
    no_hash: bool,
    fail_on: str,
    forms: tuple[Form, ...],
    output: str | None,
    **asked: Any,
) -> int:
    """Say what the files at PATHS contain and what loading them would do. Nothing in them is run.

    Exits with 1 when a file is blocked, 3 when one is unknown, 0 otherwise.
    """
    from holdfast.cli.scan_names import names_for
    from holdfast.scan import scan_paths

    placed = Output.of(forms, output)
    listed = names_for(asked["names"], asked["keys"], asked["policy"], system_clock())
    line = ScanLine(terminal)
    try:
        with line as watch:
            reports = list(watch.noted(scan_paths(paths, hash=not no_hash, watch=watch, names=listed)))
    except KeyboardInterrupt:
        # Half a scan would read as if the other half were clean, so nothing is written.
        terminal.error(f"interrupted: {line.so_far()}; no report is written")
        return EXIT_INTERRUPTED
    placed.write(lambda form: _told(reports, listed, form, terminal), terminal)
    return _document(reports, listed, "json").exit_code(fail_on_review=fail_on == "review")


def _told(reports: list[FileReport], listed: Allowlist | None, form: Form, terminal: Terminal) -> str:
    if form.format == "html":
        from holdfast.scan.picture import picture

        return picture(reports)
    return rendered(_document(reports, listed, form.format), form, terminal)


def _document(reports: list[FileReport], listed: Allowlist | None, form: str) -> ScanReport:
    """JSON has every fact; the other forms only what counts against a file and how, and what lets it pass."""
    from holdfast.core.report import FileRow, NamesUsed, ScanReport
    from holdfast.scan.again import additions_of
    from holdfast.scan.allowlist import Allowlist

    names = listed or Allowlist.builtin()

    return ScanReport(
        tuple(
            FileRow(
                path=report.path,
                sha256=report.sha256,
                format=report.format,
                verdict=str(report.verdict),
                inspect_ms=report.inspect_ms,
                hash_ms=report.hash_ms,
                bytes=report.bytes,
                coverage=asdict(report.coverage),
                facts=(*(report.facts if form == "json" else _against(report)), *additions_of(report)),
            )
            for report in reports
        ),
        NamesUsed(names.version, names.header.dated, tuple(sorted(names.added))),
    )


def _against(report: FileReport) -> tuple[Fact, ...]:
    return tuple(replace(hit.fact, detail=hit.rule.title) for hit in report.hits)

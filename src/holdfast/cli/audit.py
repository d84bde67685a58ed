"""`holdfast audit`: run the checks whose results are missing, and show what was seen."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from holdfast.cli.output import Form, Output, output_options
from holdfast.cli.progress import ProgressLine
from holdfast.cli.terminal import Terminal
from holdfast.cli.verb import verb
from holdfast.cli.workplace import depth_option, settings_options
from holdfast.core.domain.severity import Severity
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN

if TYPE_CHECKING:
    from holdfast.core.report import AuditReport, Report
    from holdfast.core.settings import Settings


@verb(
    "audit",
    examples=(
        ("holdfast audit", "Every model of the manifest; only what is missing runs."),
        ("holdfast audit --depth quick", "Only what takes seconds."),
        ("holdfast audit credit-default --format json --output audit.json", "One model, for a script."),
    ),
)
@click.argument("models", nargs=-1)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of everything random.")
@click.option("--retry", is_flag=True, help="Try at once what failed before, instead of after its pause.")
@click.option(
    "--fail-on",
    type=click.Choice([str(severity) for severity in Severity]),
    default=str(Severity.HIGH),
    show_default=True,
    help="Least severity of a finding that makes the exit code 1.",
)
@settings_options
@depth_option
@output_options("text", "json", "sarif", "junit", "markdown")
@click.pass_obj
def command(
    terminal: Terminal,
    /,
    models: tuple[str, ...],
    seed: int,
    retry: bool,
    fail_on: str,
    settings: Settings,
    forms: tuple[Form, ...],
    output: str | None,
) -> int:
    """Bring every check of MODELS (default: all in the manifest) to a result.

    Exits with 1 on findings, 3 when a check could not decide, 2 when a file is not as the manifest says.
    """
    from holdfast.app import Holdfast
    from holdfast.cli.judged import audit_report

    placed = Output.of(forms, output)
    with Holdfast.open(settings) as holdfast, ProgressLine(terminal) as watch:
        judged = holdfast.audit(models, seed=seed, retry=retry, watch=watch)
        report = audit_report(holdfast, judged)
    placed.write(lambda form: rendered(report, form, terminal), terminal)
    if judged.audit.faults:
        raise judged.audit.faults[0]
    return exit_code(report, Severity(fail_on))


def rendered(report: Report, form: Form, terminal: Terminal) -> str:
    """A report in one form, coloured and as wide as the terminal where it goes to one."""
    from holdfast.core.report import render

    color = form.path is None and terminal.colored(sys.stdout)
    return render(report, form.format, color=color, width=shutil.get_terminal_size().columns)


def exit_code(report: AuditReport, threshold: Severity) -> int:
    """Findings first: they are certain, whatever else could not be seen."""
    if any(finding.severity >= threshold for model in report.models for finding in model.findings):
        return EXIT_FINDINGS
    unknown = any(result.status == "unknown" for model in report.models for result in model.results)
    return EXIT_UNKNOWN if unknown else EXIT_PASSED

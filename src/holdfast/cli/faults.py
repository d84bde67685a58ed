"""Faults as words and exit codes: what happened, cause, fix, code; a traceback only with -vv."""

from __future__ import annotations

import sys
import traceback

import click

from holdfast.cli.terminal import Terminal
from holdfast.core.errors import (
    EXIT_INTERRUPTED,
    EXIT_UNKNOWN,
    EXIT_USAGE,
    HoldfastError,
    PrerequisiteError,
    UsageError,
)

PIPS = {
    **dict.fromkeys(("numpy", "scipy", "numba", "sklearn", "pyarrow"), "attack"),
    "psycopg": "postgres",
    "typst": "report",
    **dict.fromkeys(("xgboost", "lightgbm", "pandas", "onnx", "onnxruntime", "skl2onnx"), "demo"),
}
"""Module -> the extra that brings it."""


class InternalError(HoldfastError):
    """Holdfast itself is at fault. It could not decide, so a gate stays shut."""

    exit_code = EXIT_UNKNOWN


def report_fault(fault: BaseException, terminal: Terminal) -> int:
    """Say what went wrong on stderr and return the exit code."""
    if isinstance(fault, KeyboardInterrupt | click.Abort):
        terminal.error("interrupted: what was finished is kept; run the same command again to go on")
        return EXIT_INTERRUPTED
    if isinstance(fault, click.exceptions.Exit):
        return fault.exit_code
    if isinstance(fault, click.exceptions.NoArgsIsHelpError):
        terminal.error(fault.message)
        return EXIT_USAGE
    known = as_holdfast_error(fault)
    if terminal.verbosity >= 2:
        terminal.error("".join(traceback.format_exception(fault)).rstrip())
    terminal.error(render_error(known, terminal))
    return known.exit_code


def as_holdfast_error(fault: BaseException) -> HoldfastError:
    """Any fault as one with a cause, a fix and a code."""
    if isinstance(fault, HoldfastError):
        return fault
    if isinstance(fault, click.ClickException):
        return _usage(fault)
    if isinstance(fault, ModuleNotFoundError) and (fault.name or "").partition(".")[0] in PIPS:
        return missing_extra((fault.name or "").partition(".")[0])
    if isinstance(fault, OSError):
        return PrerequisiteError(
            f"the system refused: {fault.filename or 'a file operation'}",
            cause=fault.strerror or str(fault),
            fix="check the path, its permissions and the free space (`holdfast doctor`), then run it again",
            code="HF-PRE-003",
        )
    return InternalError(
        "this is a fault of Holdfast",
        cause=f"{type(fault).__name__}: {_line(fault)}",
        fix="run it again with -vv and report what it prints",
        code="HF-BUG-001",
    )


def missing_extra(module: str) -> HoldfastError:
    """The error for an optional library that is not installed, with the exact command."""
    return PrerequisiteError(
        f"this needs {module}, which is not installed",
        cause=f"it is part of the extra '{PIPS[module]}'",
        fix=f"pip install 'holdfast[{PIPS[module]}]'",
        code="HF-PRE-001",
    )


def render_error(error: HoldfastError, terminal: Terminal) -> str:
    """The error as four short lines."""
    head = terminal.paint(f"error[{error.code}]", "red", stream=sys.stderr)
    return f"{head}: {error.message}\n  cause: {error.cause}\n  fix: {error.fix}\n  docs: holdfast explain {error.code}"


def _usage(fault: click.ClickException) -> HoldfastError:
    context = fault.ctx if isinstance(fault, click.UsageError) else None
    path = context.command_path if context else "holdfast"
    near = getattr(fault, "possibilities", None)
    return UsageError(
        (fault.message if near else fault.format_message()).rstrip("."),
        cause=context.get_usage().replace("\n", " ") if context else "the command line could not be read",
        fix=f"did you mean {near[0]}?" if near else f"{path} --help",
        code="HF-USE-001",
    )


def _line(fault: BaseException) -> str:
    text = " ".join(str(fault).split())
    return text if len(text) <= 200 else text[:197] + "..."

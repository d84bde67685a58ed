"""--format and --output: rendered first, written last, each file replaced as a whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from holdfast.cli.terminal import Terminal
from holdfast.core.documents import suggest
from holdfast.core.domain.clock import to_iso
from holdfast.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Form:
    """One rendering of a result; `path` None is stdout."""

    format: str
    path: Path | None


class FormType(click.ParamType[Form]):
    """`json`, or `json=FILE`."""

    name = "format"

    def __init__(self, formats: tuple[str, ...]) -> None:
        self.formats = formats

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Form:
        """Read one --format."""
        if isinstance(value, Form):
            return value
        word, equals, path = str(value).partition("=")
        if word not in self.formats:
            self.fail(f"'{word}' is no format; {suggest(word, self.formats)}", param, ctx)
        if equals and not path:
            self.fail(f"'{value}' names no file", param, ctx)
        return Form(word, Path(path) if path not in ("", "-") else None)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """The formats, in the help."""
        return f"{'|'.join(self.formats)}[=FILE]"


@dataclass(frozen=True, slots=True)
class Output:
    """Where a verb's result goes, and in which forms."""

    forms: tuple[Form, ...]

    @classmethod
    def of(cls, forms: tuple[Form, ...], path: str | None) -> Output:
        """Combine --format and --output. Raises UsageError when two forms want the same place."""
        default = None if path in (None, "", "-") else Path(str(path))
        placed = [Form(form.format, form.path or default) for form in forms or (Form("text", None),)]
        places = [form.path for form in placed]
        if len(set(places)) < len(places):
            raise UsageError(
                "two formats would be written to the same place",
                cause=", ".join(f"{form.format} to {form.path or 'stdout'}" for form in placed),
                fix="give each its file: --format text --format sarif=holdfast.sarif",
                code="HF-USE-003",
            )
        return cls(tuple(placed))

    def write(self, render: Callable[[Form], str], terminal: Terminal) -> None:
        """Render every form, and only then write: a fault while rendering leaves no half result."""
        rendered = [(form, render(form)) for form in self.forms]
        for form, text in rendered:
            if form.path is None:
                terminal.out(text)
            else:
                write_atomically(form.path, text if text.endswith("\n") else text + "\n")
                terminal.log(f"wrote {form.path}")


def output_options(*formats: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add --format and --output; the function is given `forms` and `output`."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(
            "--output", "output", type=click.Path(dir_okay=False), help="File for the result instead of stdout."
        )(function)
        return click.option(
            "--format", "forms", type=FormType(formats), multiple=True, help="Form of the result; repeatable."
        )(function)

    return declare


def write_atomically(path: Path, text: str) -> None:
    """Write beside `path`, then take its place, so that a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def as_json(value: Any) -> str:
    """A view as JSON for machines and people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return to_iso(value) if isinstance(value, datetime) else str(value)


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> str:
    """Columns of text, two spaces apart, the last one ragged."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(_padded(line, widths) for line in lines)


def _padded(line: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()

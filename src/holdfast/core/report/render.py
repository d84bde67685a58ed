"""A report in one of its forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.report.documents import Report

FORMATS: Final = ("text", "json", "sarif", "junit", "markdown")


def render(report: Report, format: str, *, color: bool = False, width: int = 100) -> str:  # noqa: A002
    """The report as text. `color` and `width` are for the text form on a terminal. Raises ValueError: no such form."""
    if format == "text":
        from holdfast.core.report.text import to_text

        return to_text(report, color=color, width=width)
    return _renderer(format)(report)


def _renderer(name: str) -> Callable[[Report], str]:
    if name == "json":
        from holdfast.core.report.json import to_json

        return to_json
    if name == "sarif":
        from holdfast.core.report.sarif import to_sarif

        return to_sarif
    if name == "junit":
        from holdfast.core.report.junit import to_junit

        return to_junit
    if name == "markdown":
        from holdfast.core.report.markdown import to_markdown

        return to_markdown
    raise ValueError(f"no such form: {name!r}; one of {', '.join(FORMATS)}")

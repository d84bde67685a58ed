"""Notebooks: code that somebody runs cell by cell, and outputs that a browser shows. Nothing runs by opening one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.jsontext import parse
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_BYTES: Final = 128 << 20


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Every cell's source and every output."""
    if len(window) > MAX_BYTES:
        raise Fault("budget", f"a notebook of {len(window):,} bytes", 0)
    try:
        cells = parse(window.read(0, len(window)).decode("utf-8", "replace"))["cells"]
    except (KeyError, TypeError) as fault:
        raise Fault("malformed", f"no notebook: {str(fault)[:100]}", 0) from None
    seen.parsed = len(window)
    for number, cell in enumerate(cells if isinstance(cells, list) else ()):
        inspector.enter()
        if isinstance(cell, dict):
            read_signs(_text(cell.get("source")), seen, member=f"cell {number + 1}")
            for text in _outputs(cell.get("outputs")):
                read_signs(text, seen, member=f"output of cell {number + 1}")


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _outputs(outputs: Any) -> Iterator[str]:
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict):
            yield _text(output.get("text"))
            data = output.get("data")
            yield from (_text(value) for value in data.values()) if isinstance(data, dict) else ()

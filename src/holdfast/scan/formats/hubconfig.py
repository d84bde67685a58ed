"""JSON beside a model: configurations that name code to fetch, chat templates, and indexes of sharded weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.jsontext import excerpt, parse
from holdfast.scan.formats.locks import read_lock_table
from holdfast.scan.formats.signs import MAX_TEXT, read_signs
from holdfast.scan.formats.templates import read_template
from holdfast.scan.inspect import Inspector, Seen

MAX_JSON: Final = 64 << 20
MAX_SHARDS: Final = 10_000
_TEMPLATE_KEYS: Final = frozenset(("chat_template", "template"))
_CODE_KEYS: Final = frozenset(("auto_map", "custom_pipelines"))


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Every text in it is looked at; what is too large or no JSON to our reader is not understood."""
    if len(window) > MAX_JSON:
        seen.add("budget", f"JSON of {len(window):,} bytes", 0)
        seen.unread = len(window)
        return
    text = window.read(0, len(window)).decode("utf-8", "replace")
    seen.parsed = len(window)
    read_signs(text, seen)
    document = parse(text)
    read_lock_table(text[:MAX_TEXT], seen)
    for key, value in _pairs(document):
        inspector.enter()
        if key in _TEMPLATE_KEYS:
            _templates(value, inspector, seen)
        elif key == "weight_map":
            _shards(value, seen)
        elif key in _CODE_KEYS and value:
            seen.add("remote-code", f"{key}: {excerpt(value, 120)}")


def _shards(value: Any, seen: Seen) -> None:
    """An index of sharded weights says which file holds which tensor; the files tell of themselves."""
    names = {name for name in value.values() if isinstance(name, str)} if isinstance(value, dict) else set()
    if len(names) > MAX_SHARDS:
        seen.add("budget", f"an index of {len(names):,} files", 0)
    for name in sorted(names)[:MAX_SHARDS]:
        outside = escapes(name) or "://" in name or not PurePosixPath(name).name
        seen.add("path-escape" if outside else "model-part", name[:1000])


def _templates(value: Any, inspector: Inspector, seen: Seen) -> None:
    if isinstance(value, str):
        inspector.parse_template(len(value))
        read_template(value, seen, member="chat_template")


def _pairs(document: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth, without recursion."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)

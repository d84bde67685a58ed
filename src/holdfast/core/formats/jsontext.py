"""JSON of strangers, parsed where there is room for its values: one may take thirty times its text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from holdfast.core.formats.buffers import Fault

MAX_VALUES: Final = 4_000_000
"""Values, counted by what separates them before anything is built; separators inside of texts count too."""
_SEPARATORS: Final = ",[{:"

Pairs = Callable[[list[tuple[str, Any]]], Any]


def parse(text: str, pairs: Pairs | None = None) -> Any:
    """The document; `pairs` makes the objects. Raises Fault: budget or malformed."""
    count = sum(text.count(separator) for separator in _SEPARATORS)
    if count > MAX_VALUES:
        raise Fault("budget", f"JSON of more than {MAX_VALUES:,} values", 0)
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as fault:
        raise Fault("malformed", f"no JSON: {str(fault)[:100]}", 0) from None


def excerpt(value: Any, size: int) -> str:
    """The beginning of a text, or of any other value as JSON, without writing out the rest of it."""
    if isinstance(value, str):
        return value[:size]
    text = ""
    try:
        for part in json.JSONEncoder(default=str).iterencode(value):
            text += part[:size]
            if len(text) >= size:
                break
    except RecursionError:
        pass
    return text[:size]

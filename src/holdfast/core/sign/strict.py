"""JSON written by others, read with bounds: size, depth, no duplicate keys, no NaN, UTF-8 only."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A text, or what is left of the data where one is not closed: each byte is looked at once."""
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


def parse_object(data: bytes, max_bytes: int) -> dict[str, Any]:
    """The JSON object in `data`. Raises ValueError that says what is wrong."""
    if len(data) > max_bytes:
        raise ValueError(f"it has {len(data):,} bytes; the limit is {max_bytes:,}")
    _bound_depth(data)
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_bounded_int
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _bound_depth(data: bytes) -> None:
    depth = 0
    for byte in _STRING.sub(b"", data).translate(None, delete=_NO_BRACKET):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _bounded_int(digits: str) -> int:
    if len(digits) > 40:
        raise ValueError("a number has more than 40 digits")
    return int(digits)

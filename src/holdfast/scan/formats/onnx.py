"""ONNX models: where their tensors come from, and which operators they need, also in subgraphs and functions.

Source: onnx.proto3 (field numbers below). Weights are skipped by their length; nothing is loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.protobuf import BYTES, MAX_WAITING, Field, fields, listed, numbers
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

STANDARD: Final = frozenset(
    (
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
    )
)
"""Operator domains that the standard and its reference runtime define."""
MAX_DEPTH: Final = 64
MAX_NODES: Final = 2_000_000
MAX_DIMS: Final = 64

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION = range(7)
_INSIDE: Final[dict[int, dict[int, int]]] = {
    _MODEL: {7: _GRAPH, 20: _FUNCTION, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
    _FUNCTION: {1: _GRAPH, 2: _GRAPH, 7: _NODE, 11: _ATTRIBUTE},
    _TENSOR: {},
}
"""Which field of which message holds which message. Field 20 is TrainingInfo, whose graphs are fields 1 and 2."""
_RAW_DATA: Final = 9
_BITS: Final = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((25, 26), 2),
}
"""Bits of an element, by TensorProto.DataType. Text (8) has no size."""
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_ODD: Final = -1


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Walk every message that can hold a tensor or an operator."""
    pending: list[tuple[int, Window, int]] = [(_MODEL, window, 0)]
    nodes = 0
    while pending:
        kind, message, level = pending.pop()
        nodes += 1
        if nodes > MAX_NODES or level > MAX_DEPTH:
            raise Fault("budget", "too many or too deeply nested messages", message.start - window.start)
        # Lists of numbers are written a field for each: only what is looked at is kept side by side.
        found = listed(message) if kind in _LOOK else []
        for field in found or fields(message):
            inner = _INSIDE[kind].get(field.number)
            if inner is not None and field.wire == BYTES:
                pending.append((inner, message.part(field.offset, field.size), level + 1))
                if len(pending) > MAX_WAITING:
                    raise Fault("budget", f"more than {MAX_WAITING:,} messages side by side", field.offset)
        if kind == _TENSOR:
            seen.skipped += sum(field.size for field in found if field.number == _RAW_DATA)
        if kind in _LOOK:
            _LOOK[kind](message, found, seen, message.start - window.start)
    seen.parsed = len(window) - seen.skipped


def _text(message: Window, found: list[Field], number: int) -> str:
    """The last value of a text field, which is the one that holds."""
    texts = [message.read(field.offset, field.size) for field in found if field.number == number]
    return texts[-1].decode("utf-8", "backslashreplace") if texts else ""


def _node(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    domain, operator = _text(message, found, 7), _text(message, found, 4)
    if domain not in STANDARD:
        seen.add("operator-domain", f"{domain}.{operator}", at)


def _tensor(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    """`external_data` (13) is a list of key and value; `location` is the path of the file that holds the bytes."""
    external = any(field.number == 14 and field.value == 1 for field in found)
    entries: dict[str, str] = {}
    for field in found:
        if field.number == 13 and field.wire == BYTES:
            entry = message.part(field.offset, field.size)
            pair = list(fields(entry))
            key, value = _text(entry, pair, 1), _text(entry, pair, 2)
            if key in entries:
                seen.add("malformed", f"a tensor that says {key[:40]!r} twice", at)
            entries[key] = value
            if key == "location" and _outward(value):
                seen.add("external-data", value, at)
    if external and not entries:
        seen.add("malformed", "a tensor kept outside, without saying where", at)
    place = entries.get("location", "")
    if place and not _outward(place):
        _kept(place, entries, _size(message, found), seen, at)


def _outward(place: str) -> bool:
    return escapes(place) or "://" in place or "%" in place or not place


def _kept(place: str, entries: dict[str, str], size: int | None, seen: Seen, at: int) -> None:
    """State the file once, and keep which of its bytes are this tensor."""
    offset, length = (_decimal(entries.get(key)) for key in ("offset", "length"))
    fits = length is None or size is None or length == size
    if _ODD in (offset, length) or not fits or not PurePosixPath(place).name:
        seen.add("malformed", f"a tensor kept in {place[:80]!r} whose bytes are not those of its shape", at)
        size = None
    if seen.claims.add(str(PurePosixPath(place)), offset or 0, size):
        seen.add("external-file", place, at)


def _decimal(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text) if _NUMBER.fullmatch(text) else _ODD


def _size(message: Window, found: list[Field]) -> int | None:
    """Bytes of a tensor: `dims` (1), packed or not, times those of `data_type` (2). None where the type has no size."""
    bits = _BITS.get(next((field.value for field in reversed(found) if field.number == 2), 0))
    if bits is None:
        return None
    dims = [field for field in found if field.number == 1]
    if sum(max(1, field.size) for field in dims) > MAX_DIMS * 10:
        return None
    for field in dims:
        counts = numbers(message.part(field.offset, field.size)) if field.wire == BYTES else [field.value]
        bits *= math.prod(counts)
    return -(-bits // 8)


def _model(message: Window, found: list[Field], seen: Seen, at: int) -> None:  # noqa: ARG001
    """`metadata_props` (14) is a list of key and value: free text."""
    for field in found:
        if field.number == 14 and field.wire == BYTES:
            entry = message.part(field.offset, field.size)
            pair = list(fields(entry))
            read_signs(f"{_text(entry, pair, 1)}: {_text(entry, pair, 2)}", seen, member="metadata")


_LOOK: Final[dict[int, Callable[[Window, list[Field], Seen, int], None]]] = {
    _MODEL: _model,
    _NODE: _node,
    _TENSOR: _tensor,
}

"""Files of plain numbers: numpy's .npy and Hugging Face's safetensors. Headers are read, numbers are skipped.

Sources: numpy.lib.format (versions 1.0 to 3.0); the safetensors format description (header, contiguity, limits).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.jsontext import parse
from holdfast.core.formats.pickle import read_facts
from holdfast.core.formats.sniff import MAX_HEADER
from holdfast.scan.formats.cards import read_licence
from holdfast.scan.formats.pickles import moved
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_NPY_HEADER: Final = 1 << 17
"""Bytes; numpy itself reads 10,000 without being told otherwise."""
MAX_DIMENSIONS: Final = 64
MOST_BYTES: Final = 1 << 63
"""More than any file has."""
_TYPE: Final = re.compile(r"[<>|=]?([biufcSUVOMm?])(\d*)(\[\w{1,20}\])?", re.ASCII)
_SIZES: Final = {"b": 1, "?": 1, "M": 8, "m": 8}
_BITS: Final = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


def read_npy(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """The header, and either declared numbers or, for an object array, the pickle that stands in their place."""
    version = window.read(6, 2)
    width = 2 if version[:1] == b"\1" else 4
    length = int.from_bytes(window.read(8, width), "little")
    start = 8 + width + length
    if version not in (b"\1\0", b"\2\0", b"\3\0") or length > MAX_NPY_HEADER or start > len(window):
        raise Fault("malformed", "not a header numpy writes", 0)
    header = _literal(window.read(8 + width, length))
    seen.parsed = start
    size = _item_bytes(header.get("descr"))
    if size is None:
        _read_objects(inspector, window, seen, start)
        return
    size *= _elements(_shape(header.get("shape")))
    left = len(window) - start
    if size > left:
        raise Fault("truncated", f"an array of {size:,} bytes where {left:,} are left", start)
    seen.skipped = size
    if size < left:
        raise Fault("trailing-bytes", f"{left - size:,} bytes behind the array", start + size)


def _literal(raw: bytes) -> dict[str, Any]:
    try:
        header = ast.literal_eval(raw.decode("utf-8").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise Fault("malformed", "the header is no literal", 8) from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise Fault("malformed", "the header does not have numpy's three keys", 8)
    return header


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(count) is int and count >= 0 for count in shape):
        raise Fault("malformed", "the shape is no tuple of counts", 8)
    return shape


def _elements(shape: Sequence[int]) -> int:
    """The product, as far as a file could hold it: numbers of many digits multiply slowly."""
    if len(shape) > MAX_DIMENSIONS:
        raise Fault("malformed", f"a shape of {len(shape):,} dimensions", 8)
    product = 1
    for count in shape:
        product = min(product * min(count, MOST_BYTES), MOST_BYTES)
    return product


def _item_bytes(kind: object) -> int | None:
    """Bytes of one element; None for Python objects. Structured types are the sum of their fields."""
    if isinstance(kind, str):
        match = _TYPE.fullmatch(kind)
        if match is None:
            raise Fault("malformed", f"an unknown type {kind[:40]!r}", 8)
        if match[1] == "O":
            return None
        return (int(match[2]) if match[2] else _SIZES.get(match[1], 0)) * (4 if match[1] == "U" else 1)
    if not isinstance(kind, list):
        raise Fault("malformed", "a type that is neither text nor a list of fields", 8)
    total = 0
    for item in kind:
        size = _item_bytes(item[1])
        if size is None:
            return None
        total += size * (_elements(_shape(item[2])) if len(item) > 2 else 1)
    return total


def _read_objects(inspector: Inspector, window: Window, seen: Seen, start: int) -> None:
    reading = read_facts(window.data, window.start + start, window.end, inspector.meter)
    seen.facts += [moved(fact, -window.start) for fact in reading.facts]
    seen.parsed += reading.parsed
    seen.skipped, seen.unread = reading.skipped, reading.unread


def read_safetensors(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """The header; tensors must lie side by side, fill the file, and be as large as their shapes say."""
    length = int.from_bytes(window.read(0, 8), "little")
    start = 8 + length
    if length > MAX_HEADER or start > len(window):
        raise Fault("truncated", f"a header of {length:,} bytes", 0)
    header = _header(window.read(8, length), seen)
    seen.parsed = start
    reached = 0
    for begin, end, name, size in sorted(_tensor(name, entry) for name, entry in header.items()):
        if begin != reached or end - begin != size:
            raise Fault("malformed", f"tensor {name[:80]!r} does not lie where its shape and its neighbours say", start)
        reached = end
    left = len(window) - start
    if reached > left:
        raise Fault("truncated", f"tensors of {reached:,} bytes where {left:,} are left", start)
    seen.skipped = reached
    if reached < left:
        raise Fault("trailing-bytes", f"{left - reached:,} bytes behind the tensors", start + reached)


def _header(raw: bytes, seen: Seen) -> dict[str, Any]:
    try:
        header = parse(raw.decode("utf-8"), _distinct)
    except UnicodeDecodeError:
        raise Fault("malformed", "the header is not UTF-8", 8) from None
    if not isinstance(header, dict):
        raise Fault("malformed", "the header is no object", 8)
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise Fault("malformed", "the metadata is not text", 8)
    for name, value in notes.items():
        read_signs(f"{name}: {value}", seen, member="__metadata__")
    read_licence(notes.get("license", notes.get("modelspec.license")), seen)
    return header


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _tensor(name: str, entry: Any) -> tuple[int, int, str, int]:
    """Begin, end, name and the size its shape calls for."""
    match entry:
        case {"dtype": str() as kind, "shape": list() as shape, "data_offsets": [int() as begin, int() as end]}:
            if kind in _BITS and all(type(count) is int and count >= 0 for count in shape) and 0 <= begin <= end:
                return begin, end, name, -(-_BITS[kind] * _elements(shape) // 8)
    raise Fault("malformed", f"tensor {name[:80]!r} is not described as the format asks", 8)

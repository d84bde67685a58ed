"""Numpy arrays in the object graph: recognised in every way numpy and joblib write them, and read as plain numbers.

Types become array-protocol strings; numpy itself is imported only by `load`, which gives the numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import FormatError
from holdfast.core.formats.pickle.graph import Array, Dict, DType, Object, Span, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECONSTRUCT: Final = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_FROM_BUFFER: Final = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
_SCALAR: Final = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_CODE: Final = re.compile(r"([<>|=]?)([biufcSUVOMm?])(\d*)(\[[^\]]{1,20}\])?", re.ASCII)
_SIZES: Final = {"b": 1, "?": 1, "O": 8, "M": 8, "m": 8, "i": 8, "u": 8, "f": 8, "c": 16}
_NUMBERS: Final = "biufcM?mSU"


def as_dtype(value: Value) -> DType | None:
    """The dtype that `numpy.dtype(code, align, copy)` and its state describe; None where it is not plain."""
    seen: dict[int, DType] = {}
    return _dtype(value, seen, 0)


def _dtype(value: Value, seen: dict[int, DType], depth: int) -> DType | None:
    if id(value) in seen:
        return seen[id(value)]
    if depth > 8 or not isinstance(value, Object) or value.path != "numpy.dtype" or not isinstance(value.args, tuple):
        return None
    code = value.args[0] if value.args else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    found = _with_state(code, value.states[-1] if value.states else None, seen, depth)
    if found is not None:
        seen[id(value)] = found
    return found


def _with_state(code: str, state: Value, seen: dict[int, DType], depth: int) -> DType | None:
    """The state is (version, byte order, sub-array, names, fields, itemsize, alignment, flags[, metadata])."""
    match = _CODE.fullmatch(code)
    assert match is not None
    kind, digits = match[2], match[3]
    itemsize = (int(digits) * (4 if kind == "U" else 1)) if digits else _SIZES.get(kind, 0)
    order = match[1] or "|"
    if state is None:
        return DType(order + kind + (digits or str(itemsize)), itemsize)
    if not isinstance(state, tuple) or len(state) < 8 or state[1] not in ("<", ">", "|", "="):
        return None
    order = state[1]
    if type(state[5]) is int and state[5] > 0 and kind in "VSU":
        itemsize = state[5]
    unit = _unit(kind, state)
    if unit is None:
        return None
    fields = _fields(state[3], state[4], seen, depth)
    if fields is None:
        return None
    size = itemsize // 4 if kind == "U" else itemsize
    return _sub_array(state[2], DType(f"{order}{kind}{size}{unit}", itemsize, fields), seen, depth)


def _unit(kind: str, state: tuple[Value, ...]) -> str | None:
    """The unit of a date type: its metadata is (dict, (unit, numerator, denominator, events))."""
    if kind not in "Mm":
        return ""
    match state[8:9]:
        case ((_, (word, int() as step, *_)),):
            unit = word if isinstance(word, str) else bytes(raw_bytes(word, b"") or b"").decode("ascii", "replace")
            if unit.isalpha() and step > 0:
                return f"[{unit}]" if step == 1 else f"[{step}{unit}]"
    return None


def _sub_array(sub: Value, dtype: DType, seen: dict[int, DType], depth: int) -> DType | None:
    if sub is None:
        return dtype
    if not (isinstance(sub, tuple) and len(sub) == 2):
        return None
    base = _dtype(sub[0], seen, depth + 1)
    shape = (sub[1],) if type(sub[1]) is int else sub[1]
    if base is None or not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        return None
    size = base.itemsize
    for length in shape:
        size *= length
    return DType(base.code, size, base.fields, shape)


def _fields(
    names: Value, table: Value, seen: dict[int, DType], depth: int
) -> tuple[tuple[str, DType, int], ...] | None:
    if names is None:
        return ()
    if not isinstance(names, tuple) or not isinstance(table, Dict):
        return None
    known, found = table.by_name(), []
    for name in names:
        entry = known.get(name) if isinstance(name, str) else None
        if not (isinstance(entry, tuple) and len(entry) >= 2 and type(entry[1]) is int and entry[1] >= 0):
            return None
        dtype = _dtype(entry[0], seen, depth + 1)
        if dtype is None:
            return None
        found.append((name, dtype, entry[1]))
    return tuple(found)


def as_array(value: Value) -> Array | None:
    """The array that a node stands for; None where it is no array, or not a plain one."""
    if isinstance(value, Array):
        return value
    if not isinstance(value, Object):
        return None
    if value.path in _RECONSTRUCT:
        return _from_state(value)
    if value.path in _FROM_BUFFER:
        return _from_buffer(value)
    if value.path in _SCALAR and isinstance(value.args, tuple) and len(value.args) == 2:
        dtype = as_dtype(value.args[0])
        return None if dtype is None else Array(dtype, (), "C", value.args[1])
    return None


def _from_state(value: Object) -> Array | None:
    """`_reconstruct` with the state (version, shape, dtype, Fortran order, bytes or list)."""
    match value.states:
        case [(int(), tuple() as shape, dtype, bool() | int() as fortran, data)]:
            return _array(dtype, shape, "F" if fortran else "C", data)
        case [(tuple() as shape, dtype, bool() | int() as fortran, data)]:
            return _array(dtype, shape, "F" if fortran else "C", data)
    return None


def _from_buffer(value: Object) -> Array | None:
    """`_frombuffer(buffer, dtype, shape, order)`, protocol 5."""
    match value.args:
        case (data, dtype, tuple() as shape, "C" | "F" as order):
            return _array(dtype, shape, order, data)
    return None


def _array(dtype: Value, shape: tuple[Value, ...], order: str, data: Value) -> Array | None:
    known = as_dtype(dtype)
    if known is None or not all(type(n) is int and n >= 0 for n in shape):
        return None
    return Array(known, shape, order, data)


def raw_bytes(value: Value, data: Any) -> bytes | memoryview | None:
    """The bytes a node stands for; `data` is the buffer it was read from. Nothing is copied out of a span."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Span):
        raw = memoryview(data)[value.offset : value.offset + value.size]
        if value.encoding == "raw-unicode-escape":
            return None
        return raw
    if isinstance(value, Object) and isinstance(value.args, tuple):
        return _made_bytes(value, data)
    return None


def _made_bytes(value: Object, data: Any) -> bytes | memoryview | None:
    match value.path, value.args:
        case "_codecs.encode", (text, "latin1" | "latin-1"):
            known = as_text(text, data)
            return None if known is None else known.encode("latin-1", "replace")
        case "builtins.bytes" | "builtins.bytearray", ():
            return b""
        case "builtins.bytes" | "builtins.bytearray", (inner,):
            return raw_bytes(inner, data)
        case "builtins.bytearray", (text, "latin-1" | "latin1"):
            known = as_text(text, data)
            return None if known is None else known.encode("latin-1", "replace")
    return None


def as_text(value: Value, data: Any) -> str | None:
    """The text a node stands for."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Span) or value.encoding not in ("utf-8", "raw-unicode-escape"):
        return None
    try:
        return bytes(memoryview(data)[value.offset : value.offset + value.size]).decode(value.encoding)
    except UnicodeDecodeError:
        return None


def numpy_dtype(dtype: DType) -> Any:
    """The numpy dtype. Raises FormatError HF-FMT-004 for one that holds objects or is not a number or text."""
    import numpy as np

    try:
        if dtype.fields:
            names, kinds, offsets = zip(*dtype.fields, strict=True)
            layout: Any = {
                "names": list(names),
                "formats": [numpy_dtype(kind) for kind in kinds],
                "offsets": list(offsets),
                "itemsize": dtype.itemsize,
            }
            return np.dtype(layout)
        if dtype.code[1] in _NUMBERS:
            base: Any = np.dtype(dtype.code)
            return np.dtype((base, dtype.shape)) if dtype.shape else base
    except (TypeError, ValueError):
        pass
    raise _unreadable(f"its type is {dtype.code}")


def load(value: Value, data: Any) -> NDArray[Any]:
    """The numbers of an array node, read-only, sharing memory with `data` where they lie there unescaped.

    Raises FormatError HF-FMT-004 where `value` is no plain array, or its bytes do not fill its shape.
    """
    import numpy as np

    array = as_array(value)
    if array is None:
        raise _unreadable("it is not a plain numpy array")
    dtype, raw = numpy_dtype(array.dtype), raw_bytes(array.data, data)
    if raw is None:
        raise _unreadable("its elements are not plain bytes")
    if len(raw) != array.size * dtype.itemsize:
        raise _unreadable(f"{len(raw):,} bytes for {array.size:,} elements of {dtype.itemsize}")
    flat: NDArray[Any] = np.frombuffer(raw, dtype) if array.size else np.empty(0, dtype)
    shaped = flat.reshape(array.shape, order="F" if array.order == "F" else "C")
    shaped.flags.writeable = False
    return shaped


def _unreadable(cause: str) -> FormatError:
    return FormatError(
        "an array in the artifact cannot be read",
        cause=cause,
        fix="save the model again with its own library",
        code="HF-FMT-004",
    )

"""The parts of an ONNX file that describe a graph of operators, read from the wire format within bounds.

Field numbers are those of onnx.proto. Repeated numbers may come packed or one by one; the second way, which is how
attributes are written, is decoded by numpy instead of a field at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.protobuf import BYTES, FIXED32, VARINT, Field, fields

MAX_NODES: Final = 100_000
MAX_STRINGS: Final = 50_000_000
MAX_DIMS: Final = 8
_INTS, _FLOATS, _STRINGS = 8, 7, 9
_DTYPES: Final = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 11: "<f8"}
"""numpy types of TensorProto.DataType."""

Numbers = NDArray[Any]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A constant: flat numbers and their shape."""

    name: str
    shape: tuple[int, ...]
    values: Numbers


@dataclass(frozen=True, slots=True)
class Port:
    """A graph input: its element type (TensorProto.DataType) and its shape, -1 where a length is open."""

    name: str
    dtype: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """An operator call. Attributes stay undecoded until asked for."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Window]

    def has(self, name: str) -> bool:
        """Whether the attribute is given."""
        return name in self.attributes

    def ints(self, name: str) -> NDArray[np.int64]:
        """A list of integers; empty where it is not given."""
        return _attribute(self, name, _ints, np.zeros(0, np.int64))

    def floats(self, name: str) -> NDArray[np.float32]:
        """A list of floats; empty where it is not given."""
        return _attribute(self, name, _floats, np.zeros(0, np.float32))

    def strings(self, name: str) -> list[bytes]:
        """A list of texts; empty where it is not given."""
        return _attribute(self, name, _strings, [])

    def number(self, name: str, default: float) -> float:
        """One float."""
        return _attribute(self, name, _number, default)

    def integer(self, name: str, default: int) -> int:
        """One integer."""
        return _attribute(self, name, _integer, default)

    def text(self, name: str, default: str) -> str:
        """One text."""
        return _attribute(self, name, _text, default)

    def tensor(self, name: str) -> Tensor | None:
        """A constant; None where it is not given."""
        return None if name not in self.attributes else _constant(self.attributes[name])


@dataclass(frozen=True, slots=True)
class Graph:
    """What flows where."""

    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    constants: dict[str, Tensor] = field(default_factory=dict)


def read_graph(window: Window) -> Graph:
    """The main graph of a ModelProto. Raises Fault where the bytes are none."""
    graphs = [window.part(part.offset, part.size) for part in fields(window) if (part.number, part.wire) == (7, BYTES)]
    if len(graphs) != 1:
        raise Fault("malformed", f"{len(graphs)} graphs", 0)
    nodes, ports, outputs, constants = [], [], [], {}
    for part, inner in _messages(graphs[0]):
        if part == 1:
            nodes.append(_node(inner))
        elif part == 5:
            tensor = _tensor(inner)
            constants[tensor.name] = tensor
        elif part == 11:
            ports.append(_port(inner))
        elif part == 12:
            outputs.append(_port(inner).name)
        if len(nodes) + len(ports) + len(outputs) > MAX_NODES:
            raise Fault("budget", f"more than {MAX_NODES:,} nodes", inner.start)
    inputs = tuple(port for port in ports if port.name not in constants)
    return Graph(tuple(nodes), inputs, tuple(outputs), constants)


def _messages(window: Window) -> Iterator[tuple[int, Window]]:
    """The length-delimited fields of a message: their number and content."""
    for part in fields(window):
        if part.wire == BYTES:
            yield part.number, window.part(part.offset, part.size)


def _utf8(window: Window) -> str:
    try:
        return window.read(0, len(window)).decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("malformed", "a name is not UTF-8", window.start) from None


def _node(window: Window) -> Node:
    inputs, outputs, words, attributes = [], [], {4: "", 7: ""}, {}
    for number, inner in _messages(window):
        if number == 1:
            inputs.append(_utf8(inner))
        elif number == 2:
            outputs.append(_utf8(inner))
        elif number in words:
            words[number] = _utf8(inner)
        elif number == 5:
            name = next((_utf8(part) for known, part in _messages(inner) if known == 1), "")
            if name in attributes:
                raise Fault("malformed", f"the attribute {name[:40]!r} appears twice", inner.start)
            attributes[name] = inner
    return Node(words[4], words[7], tuple(inputs), tuple(outputs), attributes)


def _port(window: Window) -> Port:
    name, dtype = "", 0
    shape: tuple[int, ...] = ()
    for number, inner in _messages(window):
        if number == 1:
            name = _utf8(inner)
        elif number == 2:
            for known, tensor in _messages(inner):
                if known == 1:
                    dtype, shape = _tensor_type(tensor)
    return Port(name, dtype, shape)


def _tensor_type(window: Window) -> tuple[int, tuple[int, ...]]:
    dtype, shape = 0, []
    for part in fields(window):
        if (part.number, part.wire) == (1, VARINT):
            dtype = part.value
        elif (part.number, part.wire) == (2, BYTES):
            for known, dim in _messages(window.part(part.offset, part.size)):
                if known == 1:
                    shape.append(_dim(dim))
    return dtype, tuple(shape)


def _dim(window: Window) -> int:
    lengths = [part.value for part in fields(window) if (part.number, part.wire) == (1, VARINT)]
    return lengths[-1] if lengths and 0 < lengths[-1] < 2**31 else -1


def _attribute(node: Node, name: str, decode: Callable[[Window], Found], default: Found) -> Found:
    window = node.attributes.get(name)
    return default if window is None else decode(window)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _last(window: Window, number: int, wire: int) -> Field:
    found = [part for part in fields(window) if (part.number, part.wire) == (number, wire)]
    if not found:
        raise Fault("malformed", "an attribute is of another type than its name says", window.start)
    return found[-1]


def _integer(window: Window) -> int:
    return _signed(_last(window, 3, VARINT).value)


def _number(window: Window) -> float:
    raw = _last(window, 2, FIXED32).value.to_bytes(4, "little")
    return float(np.frombuffer(raw, "<f4")[0])


def _text(window: Window) -> str:
    part = _last(window, 4, BYTES)
    return _utf8(window.part(part.offset, part.size))


def _constant(window: Window) -> Tensor:
    part = _last(window, 5, BYTES)
    return _tensor(window.part(part.offset, part.size))


def _strings(window: Window) -> list[bytes]:
    found: list[bytes] = []
    for number, inner in _messages(window):
        if number == _STRINGS:
            found.append(inner.read(0, len(inner)))
            if len(found) > MAX_STRINGS:
                raise Fault("budget", f"more than {MAX_STRINGS:,} texts", window.start)
    return found


def _ints(window: Window) -> NDArray[np.int64]:
    for part in fields(window):
        if part.number == _INTS and part.wire == BYTES:
            return _packed(window, _INTS)
        if part.number == _INTS and part.wire == VARINT:
            return _singles(window, part.offset - 1)
    return np.zeros(0, np.int64)


def _packed(window: Window, number: int) -> NDArray[np.int64]:
    parts = [varints(inner) for known, inner in _messages(window) if known == number]
    return np.concatenate(parts).view(np.int64)


def _singles(window: Window, start: int) -> NDArray[np.int64]:
    """Integers one by one. From the first on, tag and value are both varints, so all are decoded at once."""
    words = varints(window.part(start, len(window) - start))
    tags, values = words[::2], words[1::2]
    if words.size % 2 or np.any(tags & 7 != VARINT):
        raise Fault("malformed", "something stands between the integers of a list", window.start + start)
    return np.asarray(values[tags >> 3 == _INTS]).view(np.int64)


def varints(window: Window) -> NDArray[np.uint64]:
    """All of a window as varints. Raises Fault where one does not end, or is longer than ten bytes."""
    data = np.frombuffer(window.read(0, len(window)), np.uint8)
    if data.size == 0:
        return np.zeros(0, np.uint64)
    ends = np.flatnonzero(data < 0x80)
    if ends.size == 0 or ends[-1] != data.size - 1:
        raise Fault("truncated", "a number does not end", window.end)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 10:
        raise Fault("malformed", "a number is longer than ten bytes", window.start)
    values = np.zeros(ends.size, np.uint64)
    for place in range(int(lengths.max())):
        longer = lengths > place
        chunk = (data[starts[longer] + place] & 0x7F).astype(np.uint64)
        values[longer] |= chunk << np.uint64(7 * place)
    return values


def _floats(window: Window) -> NDArray[np.float32]:
    for part in fields(window):
        if part.number == _FLOATS and part.wire == BYTES:
            return _fixed(
                b"".join(bytes(inner.read(0, len(inner))) for known, inner in _messages(window) if known == 7)
            )
        if part.number == _FLOATS and part.wire == FIXED32:
            return _run(window, part.offset - 1)
    return np.zeros(0, np.float32)


def _fixed(raw: bytes) -> NDArray[np.float32]:
    if len(raw) % 4:
        raise Fault("truncated", "a list of floats is cut off", 0)
    return np.frombuffer(raw, "<f4")


def _run(window: Window, start: int) -> NDArray[np.float32]:
    """Floats one by one: a tag and four bytes each, for as long as the tags last."""
    raw = window.read(start, len(window) - start)
    rows = np.frombuffer(raw, np.uint8, len(raw) // 5 * 5).reshape(-1, 5)
    tag = _FLOATS << 3 | FIXED32
    others = np.flatnonzero(rows[:, 0] != tag)
    count = int(others[0]) if others.size else len(rows)
    rest = window.part(start + count * 5, len(window) - start - count * 5)
    if any(part.number == _FLOATS for part in fields(rest)):
        raise Fault("malformed", "something stands between the floats of a list", window.start + start)
    return np.ascontiguousarray(rows[:count, 1:]).view("<f4").ravel()


def _tensor(window: Window) -> Tensor:
    """A TensorProto whose numbers lie inside the file."""
    name, dtype = "", 0
    shape: list[int] = []
    chunks: dict[int, list[Window]] = {}
    for part in fields(window):
        inner = window.part(part.offset, part.size)
        if part.number == 1:
            shape += [part.value] if part.wire == VARINT else varints(inner).tolist()
        elif (part.number, part.wire) == (2, VARINT):
            dtype = part.value
        elif (part.number, part.wire) == (8, BYTES):
            name = _utf8(inner)
        elif part.number in (13, 14) and (part.wire == BYTES or part.value):
            raise Fault("malformed", "a constant lies in another file", window.start)
        elif part.wire == BYTES:
            chunks.setdefault(part.number, []).append(inner)
        elif part.number in (4, 5, 7, 10):
            raise Fault("malformed", "a constant is written number by number", window.start)
    if len(shape) > MAX_DIMS or any(length >= 2**31 for length in shape):
        raise Fault("malformed", "a constant has an impossible shape", window.start)
    values = _numbers(chunks, dtype, window.start)
    size = 1
    for length in shape:
        size *= length
    if values.size != size:
        raise Fault("malformed", f"a constant of {values.size:,} numbers in a shape of {size:,}", window.start)
    return Tensor(name, tuple(shape), values)


def _numbers(chunks: dict[int, list[Window]], dtype: int, offset: int) -> Numbers:
    """From raw_data (9), or from the field of the type: float (4), int32 (5), int64 (7), double (10)."""
    if dtype not in _DTYPES:
        return np.zeros(0, np.float32) if 6 not in chunks else np.zeros(len(chunks[6]), np.float32)
    raw = {number: b"".join(part.read(0, len(part)) for part in parts) for number, parts in chunks.items()}
    own = {1: 4, 11: 10, 7: 7}.get(dtype, 5)
    if raw.get(9):
        kind = np.dtype(_DTYPES[dtype])
        data = raw[9]
    elif own in (4, 10):
        kind = np.dtype("<f4" if own == 4 else "<f8")
        data = raw.get(own, b"")
    else:
        values = varints(Window.whole(raw.get(own, b""))).view(np.int64)
        return values.astype(_DTYPES[dtype])
    if len(data) % kind.itemsize:
        raise Fault("truncated", "a constant is cut off", offset)
    return np.frombuffer(data, kind)

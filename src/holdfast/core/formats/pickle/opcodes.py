"""The pickle instruction set, protocols 0 to 5, and how each instruction's argument lies in the bytes.

Source: PEP 307, PEP 3154, PEP 574 and the `pickle` module's reference implementation. Reading an argument never
copies more than `MAX_TEXT` bytes: longer text and bytes become a `Span` of the buffer.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from holdfast.core.formats.buffers import Buffer, Fault
from holdfast.core.formats.pickle.graph import Opaque, Span

MAX_TEXT: Final = 65_536
MAX_NUMBER_TEXT: Final = 4_300
"""Digits of a decimal number; the interpreter's own limit."""

Reader = Callable[[Buffer, int, int], tuple[Any, int]]


class Op(IntEnum):
    """Instruction codes."""

    MARK = 0x28
    STOP = 0x2E
    POP = 0x30
    POP_MARK = 0x31
    DUP = 0x32
    FLOAT = 0x46
    INT = 0x49
    BININT = 0x4A
    BININT1 = 0x4B
    LONG = 0x4C
    BININT2 = 0x4D
    NONE = 0x4E
    PERSID = 0x50
    BINPERSID = 0x51
    REDUCE = 0x52
    STRING = 0x53
    BINSTRING = 0x54
    SHORT_BINSTRING = 0x55
    UNICODE = 0x56
    BINUNICODE = 0x58
    APPEND = 0x61
    BUILD = 0x62
    GLOBAL = 0x63
    DICT = 0x64
    EMPTY_DICT = 0x7D
    APPENDS = 0x65
    GET = 0x67
    BINGET = 0x68
    INST = 0x69
    LONG_BINGET = 0x6A
    LIST = 0x6C
    EMPTY_LIST = 0x5D
    OBJ = 0x6F
    PUT = 0x70
    BINPUT = 0x71
    LONG_BINPUT = 0x72
    SETITEM = 0x73
    TUPLE = 0x74
    EMPTY_TUPLE = 0x29
    SETITEMS = 0x75
    BINFLOAT = 0x47
    PROTO = 0x80
    NEWOBJ = 0x81
    EXT1 = 0x82
    EXT2 = 0x83
    EXT4 = 0x84
    TUPLE1 = 0x85
    TUPLE2 = 0x86
    TUPLE3 = 0x87
    NEWTRUE = 0x88
    NEWFALSE = 0x89
    LONG1 = 0x8A
    LONG4 = 0x8B
    BINBYTES = 0x42
    SHORT_BINBYTES = 0x43
    SHORT_BINUNICODE = 0x8C
    BINUNICODE8 = 0x8D
    BINBYTES8 = 0x8E
    EMPTY_SET = 0x8F
    ADDITEMS = 0x90
    FROZENSET = 0x91
    NEWOBJ_EX = 0x92
    STACK_GLOBAL = 0x93
    MEMOIZE = 0x94
    FRAME = 0x95
    BYTEARRAY8 = 0x96
    NEXT_BUFFER = 0x97
    READONLY_BUFFER = 0x98


def _fixed(layout: str) -> Reader:
    shape = struct.Struct(layout)
    size = shape.size

    def read(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
        if pos + size > end:
            raise Fault("truncated", "the argument of an instruction is cut off", pos)
        return shape.unpack_from(data, pos)[0], pos + size

    return read


def _line(data: Buffer, pos: int, end: int) -> tuple[bytes, int]:
    """One line without its newline. Lines longer than MAX_TEXT are refused; UNICODE reads its own."""
    stop = data.find(b"\n", pos, end)
    if stop < 0:
        raise Fault("truncated", "a line does not end", pos)
    if stop - pos > MAX_TEXT:
        raise Fault("malformed", f"a line of {stop - pos:,} bytes", pos)
    return data[pos:stop], stop + 1


def _number(convert: Callable[[bytes], Any]) -> Reader:
    def read(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
        line, after = _line(data, pos, end)
        if len(line) > MAX_NUMBER_TEXT:
            raise Fault("malformed", f"a number of {len(line):,} digits", pos)
        try:
            return convert(line), after
        except ValueError:
            raise Fault("malformed", f"not a number: {line[:40]!r}", pos) from None

    return read


def _integer(line: bytes) -> bool | int:
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line.decode("ascii"), 0)


def _long_text(line: bytes) -> int:
    return int(line.removesuffix(b"L").decode("ascii"), 0)


def _binary_long(width: str) -> Reader:
    length = _fixed(width)

    def read(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
        size, start = length(data, pos, end)
        if size < 0:
            raise Fault("malformed", "a number of negative length", pos)
        if start + size > end:
            raise Fault("truncated", f"a number of {size:,} bytes", pos)
        if size > MAX_TEXT:
            return Opaque("a very long integer", pos), start + size
        return int.from_bytes(data[start : start + size], "little", signed=True), start + size

    return read


def _text(line: bytes, offset: int, encoding: str = "utf-8") -> str:
    try:
        return codecs.decode(line, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    except UnicodeDecodeError:
        raise Fault("malformed", f"text that is not {encoding}", offset) from None


def _sized(width: str, encoding: str) -> Reader:
    """Text or bytes with their length in front."""
    length = _fixed(width)

    def read(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
        size, start = length(data, pos, end)
        after = start + size
        if size < 0:
            raise Fault("malformed", "a negative length", pos)
        if after > end:
            raise Fault("truncated", f"declares {size:,} bytes where {end - start:,} are left", pos)
        if size > MAX_TEXT or encoding == "bytearray":
            return Span(start, size, encoding), after
        raw = bytes(data[start:after])
        if encoding == "bytes":
            return raw, after
        return _text(raw, start) if encoding == "utf-8" else _legacy_text(raw, start), after

    return read


def _legacy_text(raw: bytes, offset: int) -> Any:
    """A Python 2 string: text where it is ASCII, else something whose meaning the loader's caller chooses."""
    return raw.decode("ascii") if raw.isascii() else Opaque("text in an unnamed encoding", offset)


def _quoted(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
    line, after = _line(data, pos, end)
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Fault("malformed", "a string without its quotes", pos)
    try:
        raw, _ = codecs.escape_decode(line[1:-1])
    except ValueError:
        raise Fault("malformed", "a string with a broken escape", pos) from None
    assert isinstance(raw, bytes)
    return _legacy_text(raw, pos), after


def _unicode_line(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
    stop = data.find(b"\n", pos, end)
    if stop < 0:
        raise Fault("truncated", "a line does not end", pos)
    if stop - pos > MAX_TEXT:
        return Span(pos, stop - pos, "raw-unicode-escape"), stop + 1
    return _text(data[pos:stop], pos, "raw-unicode-escape"), stop + 1


def _name_pair(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
    module, middle = _line(data, pos, end)
    name, after = _line(data, middle, end)
    return (_text(module, pos), _text(name, middle)), after


def _persistent_line(data: Buffer, pos: int, end: int) -> tuple[Any, int]:
    line, after = _line(data, pos, end)
    return line.decode("ascii", "backslashreplace"), after


_BYTE, _SHORT, _INT, _UINT, _LONG = (_fixed(layout) for layout in ("B", "<H", "<i", "<I", "<Q"))

READERS: Final[dict[Op, Reader]] = {
    Op.FLOAT: _number(float),
    Op.INT: _number(_integer),
    Op.LONG: _number(_long_text),
    Op.GET: _number(int),
    Op.PUT: _number(int),
    Op.BININT: _INT,
    Op.BININT1: _BYTE,
    Op.BININT2: _SHORT,
    Op.LONG1: _binary_long("B"),
    Op.LONG4: _binary_long("<i"),
    Op.BINFLOAT: _fixed(">d"),
    Op.STRING: _quoted,
    Op.BINSTRING: _sized("<i", "ascii"),
    Op.SHORT_BINSTRING: _sized("B", "ascii"),
    Op.UNICODE: _unicode_line,
    Op.SHORT_BINUNICODE: _sized("B", "utf-8"),
    Op.BINUNICODE: _sized("<I", "utf-8"),
    Op.BINUNICODE8: _sized("<Q", "utf-8"),
    Op.SHORT_BINBYTES: _sized("B", "bytes"),
    Op.BINBYTES: _sized("<I", "bytes"),
    Op.BINBYTES8: _sized("<Q", "bytes"),
    Op.BYTEARRAY8: _sized("<Q", "bytearray"),
    Op.GLOBAL: _name_pair,
    Op.INST: _name_pair,
    Op.PERSID: _persistent_line,
    Op.EXT1: _BYTE,
    Op.EXT2: _SHORT,
    Op.EXT4: _INT,
    Op.BINGET: _BYTE,
    Op.BINPUT: _BYTE,
    Op.LONG_BINGET: _UINT,
    Op.LONG_BINPUT: _UINT,
    Op.PROTO: _BYTE,
    Op.FRAME: _LONG,
}
"""How the argument of an instruction is read; an instruction that is not here has none."""

CODES: Final = frozenset(int(op) for op in Op)

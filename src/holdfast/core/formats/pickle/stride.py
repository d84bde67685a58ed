"""A compiled stride over instructions that only build plain data: numbers, text, and containers of them.

The kernel keeps the stack, the marks and the memo of the machine, but of each value only what kind it is. It stops in
front of whatever could state a fact or mean something else to the machine, which goes on from there by itself; so a
stride may always be shorter, never wrong. Needs numba.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.buffers import Buffer
from holdfast.core.formats.pickle.opcodes import MAX_TEXT, Op
from holdfast.core.kernels import IntArray, compiler, ints, octets

compiled = compiler(Path(__file__))

PLAIN: Final = 1
"""Text, bytes, numbers, None, True and False."""
TUPLE: Final = 2
LIST: Final = 3
DICT: Final = 4
SET: Final = 5
FROZEN: Final = 6
INSTANCE: Final = 7
"""What a call made: it may be filled like any container. Only below a stride."""
OTHER: Final = 8
"""Of the memo: a value that the kernel has not made and does not know."""

KIND, AT, MEMO, OPS, FRAME = range(5)
"""Fields of a value and of a mark: what a value is (of a mark: how many values lie below it), and the state in front
of it: position, memo entries, instructions done, end of the frame."""
WIDTH: Final = 5
STACK: Final = 1 << 16
MARKS: Final = 1 << 12
KEPT: Final = 4
"""Values left to the machine where it will look at some: no instruction takes more from the stack."""
FEWEST: Final = 64
"""Values that a stride leaves side by side, at least: no instruction and no reader looks at so many."""

POS, MEMO_SIZE, FRAME_END, DONE, COUNT, EVEN, ODD, READS, SPENT, OPEN, AT_MARK, FIRST = range(12)
BASE, FILLED_AT, PLAIN_KEYS = range(12, 15)
"""Places of `now`: position, memo entries, end of the frame, instructions done, values on the stack, whether those at
even and odd places are all plain, containers read back from the memo, instructions tried, open marks, whether it ends
at an instruction that takes everything above a mark of the machine's, memo entries at the start. BASE is what lies on
the machine's stack where that may be filled, else 0: then it is the first value here too. FILLED_AT is where that was
first done (-1: nowhere), and PLAIN_KEYS whether only with keys that are plain."""
DATA_AT, KINDS_AT, PLACES_AT, STACK_AT, MARKS_AT, ROOM = range(15, 21)
"""Addresses of the bytes, of the memo's kinds and places (of the instruction that pushed an entry), of values and of
marks; number of memo entries there is space for."""
NOW: Final = 21


def _numbers(values: dict[Op, int]) -> NDArray[np.int64]:
    """A table by instruction, 0 where it says nothing."""
    table = np.zeros(256, np.int64)
    for op, value in values.items():
        table[op] = value
    return table


_MARK, _POP, _DUP, _FRAME, _MEMOIZE = int(Op.MARK), int(Op.POP), int(Op.DUP), int(Op.FRAME), int(Op.MEMOIZE)
_PUT, _LONG_BINPUT, _GET, _LONG_BINGET = int(Op.PUT), int(Op.LONG_BINPUT), int(Op.GET), int(Op.LONG_BINGET)
_APPEND, _SETITEM = int(Op.APPEND), int(Op.SETITEM)

_MAKES: Final = _numbers({Op.TUPLE: TUPLE, Op.LIST: LIST, Op.DICT: DICT, Op.FROZENSET: FROZEN})
_FILLS: Final = _numbers({Op.APPENDS: LIST, Op.SETITEMS: DICT, Op.ADDITEMS: SET})
_TAKES: Final = _numbers({Op.TUPLE1: 1, Op.TUPLE2: 2, Op.TUPLE3: 3, Op.APPEND: 2, Op.SETITEM: 3, Op.POP: 1, Op.DUP: 1})
"""How many values an instruction needs."""
_EMPTY: Final = _numbers(
    {
        Op.EMPTY_TUPLE: TUPLE,
        Op.EMPTY_LIST: LIST,
        Op.EMPTY_DICT: DICT,
        Op.EMPTY_SET: SET,
        Op.NONE: PLAIN,
        Op.NEWTRUE: PLAIN,
        Op.NEWFALSE: PLAIN,
    }
)
_FIXED: Final = _numbers({Op.BININT: 4, Op.BININT1: 1, Op.BININT2: 2, Op.BINFLOAT: 8})
"""Bytes of a number."""
_PREFIX: Final = _numbers(
    {
        Op.SHORT_BINUNICODE: 1,
        Op.SHORT_BINBYTES: 1,
        Op.SHORT_BINSTRING: 1,
        Op.LONG1: 1,
        Op.BINUNICODE: 4,
        Op.BINBYTES: 4,
        Op.BINSTRING: 4,
        Op.BINUNICODE8: 8,
        Op.BINBYTES8: 8,
    }
)
"""Bytes of the length in front of text or bytes."""
_ASCII_ONLY, _UTF8 = 1, 2
_TEXT: Final = _numbers(
    {
        Op.SHORT_BINSTRING: _ASCII_ONLY,
        Op.BINSTRING: _ASCII_ONLY,
        Op.SHORT_BINUNICODE: _UTF8,
        Op.BINUNICODE: _UTF8,
        Op.BINUNICODE8: _UTF8,
    }
)
_INT_LINE, _LONG_LINE, _FLOAT_LINE, _QUOTED_LINE, _TEXT_LINE = 1, 2, 3, 4, 5
_LINE: Final = _numbers(
    {
        Op.INT: _INT_LINE,
        Op.LONG: _LONG_LINE,
        Op.FLOAT: _FLOAT_LINE,
        Op.STRING: _QUOTED_LINE,
        Op.UNICODE: _TEXT_LINE,
    }
)
_PUSHES, _CREATES, _REMEMBERS, _RECALLS, _TAKES_SOME, _MARKS, _GATHERS, _FILLS_ONE = range(1, 9)
_FORM: Final = _numbers(
    {
        **{op: _PUSHES for op in Op if _FIXED[op] or _PREFIX[op] or _LINE[op]},
        **{op: _CREATES for op in Op if _EMPTY[op]},
        **{op: _TAKES_SOME for op in Op if _TAKES[op]},
        **{op: _GATHERS for op in Op if _MAKES[op]},
        **{op: _FILLS_ONE for op in Op if _FILLS[op]},
        **dict.fromkeys((Op.MEMOIZE, Op.PUT, Op.BINPUT, Op.LONG_BINPUT), _REMEMBERS),
        **dict.fromkeys((Op.GET, Op.BINGET, Op.LONG_BINGET), _RECALLS),
        **dict.fromkeys((Op.MARK, Op.POP_MARK), _MARKS),
    }
)
PUSHES: Final = frozenset(int(op) for op in Op if _FORM[op] == _PUSHES)
"""Instructions that push what they carry."""
_MAX_TEXT = int(MAX_TEXT)
_MAX_DIGITS = 18
_MAX_LINE = 4096


@compiled
def _unsigned(data: IntArray, pos: int, size: int) -> int:
    """Little-endian; -1 where it does not fit into 62 bits."""
    value = 0
    for place in range(size - 1, -1, -1):
        if value >= 1 << 54:
            return -1
        value = (value << 8) | int(data[pos + place])
    return value


@compiled
def _is_text(data: IntArray, pos: int, size: int, only_ascii: bool) -> bool:
    """UTF-8 as the unpickler decodes it (lone surrogates pass), and no name in double underscores."""
    at, end = pos, pos + size
    if size >= 2 and data[at] == 95 and data[at + 1] == 95 and data[end - 1] == 95 and data[end - 2] == 95:
        return False
    while at < end:
        first = int(data[at])
        if first < 0x80:
            at += 1
            continue
        if only_ascii or first < 0xC2 or first > 0xF4:
            return False
        more = 1 if first < 0xE0 else (2 if first < 0xF0 else 3)
        if at + more >= end:
            return False
        second = int(data[at + 1])
        if (first == 0xE0 and second < 0xA0) or (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F):
            return False
        for place in range(1, more + 1):
            if int(data[at + place]) & 0xC0 != 0x80:
                return False
        at += more + 1
    return True


@compiled
def _line_end(data: IntArray, pos: int, end: int) -> int:
    """Where the line ends; -1 where it is long or does not end."""
    stop = min(end, pos + _MAX_LINE)
    for at in range(pos, stop):
        if data[at] == 10:
            return at
    return -1


@compiled
def _digits(data: IntArray, pos: int, stop: int) -> int:
    """Behind the digits that start at `pos`."""
    while pos < stop and 48 <= data[pos] <= 57:
        pos += 1
    return pos


@compiled
def _is_integer(data: IntArray, pos: int, stop: int) -> bool:
    """A decimal number in its one usual form, of a length that any reader takes."""
    if pos < stop and data[pos] == 45:
        pos += 1
    if not 0 < stop - pos <= _MAX_DIGITS or (data[pos] == 48 and stop - pos > 1):
        return False
    return _digits(data, pos, stop) == stop


@compiled
def _is_float(data: IntArray, pos: int, stop: int) -> bool:
    if stop - pos > 40:
        return False
    if pos < stop and data[pos] == 45:
        pos += 1
    after = _digits(data, pos, stop)
    if after == pos:
        return False
    if after < stop and data[after] == 46:
        after = _digits(data, after + 1, stop)
    if after < stop and (data[after] == 101 or data[after] == 69):
        pos = after + 1
        if pos < stop and (data[pos] == 43 or data[pos] == 45):
            pos += 1
        after = _digits(data, pos, stop)
        if after == pos:
            return False
    return after == stop


@compiled
def _is_line(data: IntArray, pos: int, stop: int, form: int) -> bool:
    """Whether the unpickler makes a plain value of the line, without a second thought."""
    if form == _INT_LINE:
        flag = stop - pos == 2 and data[pos] == 48 and (data[pos + 1] == 48 or data[pos + 1] == 49)
        return flag or _is_integer(data, pos, stop)
    if form == _LONG_LINE:
        if pos < stop and data[stop - 1] == 76:
            stop -= 1
        return _is_integer(data, pos, stop)
    if form == _FLOAT_LINE:
        return _is_float(data, pos, stop)
    if form == _QUOTED_LINE:
        if stop - pos < 2 or data[pos] != data[stop - 1] or (data[pos] != 39 and data[pos] != 34):
            return False
        pos, stop = pos + 1, stop - 1
    for at in range(pos, stop):
        if data[at] == 92 or data[at] == 13:
            return False
    return _is_text(data, pos, stop - pos, True)


@compiled
def _pushed(data: IntArray, at: int, end: int, op: int) -> int:
    """Behind an instruction that pushes a number, text or bytes; -1 where the machine must look itself."""
    if _FIXED[op] > 0:
        after = at + 1 + int(_FIXED[op])
        return after if after <= end else -1
    if _PREFIX[op] > 0:
        start = at + 1 + int(_PREFIX[op])
        if start > end:
            return -1
        size = _unsigned(data, at + 1, _PREFIX[op])
        if size < 0 or size > _MAX_TEXT or start + size > end:
            return -1
        if _TEXT[op] != 0 and not _is_text(data, start, size, _TEXT[op] == _ASCII_ONLY):
            return -1
        return start + size
    stop = _line_end(data, at + 1, end)
    return stop + 1 if stop >= 0 and _is_line(data, at + 1, stop, int(_LINE[op])) else -1


@compiled
def _memo_place(s: int, end: int, op: int) -> tuple[int, int]:
    """The memo entry that an instruction names, and what lies behind; (-1, -1) where the machine must look itself."""
    at, data = ints(s)[POS], octets(ints(s)[DATA_AT])
    if op in (_PUT, _GET):
        stop = _line_end(data, at + 1, end)
        if stop < 0 or not _is_integer(data, at + 1, stop) or data[at + 1] == 45:
            return -1, -1
        value = 0
        for place in range(at + 1, stop):
            value = 10 * value + int(data[place]) - 48
        return value, stop + 1
    size = 4 if op in (_LONG_BINPUT, _LONG_BINGET) else 1
    if at + 1 + size > end:
        return -1, -1
    return _unsigned(data, at + 1, size), at + 1 + size


@compiled
def _kind(s: int, place: int) -> int:
    """What the value at a place of the stack is."""
    return ints(ints(s)[STACK_AT])[WIDTH * place + KIND]


@compiled
def _floor(s: int) -> int:
    """How many values lie below the last mark, or are the machine's."""
    now = ints(s)
    if now[OPEN] > 0:
        return ints(now[MARKS_AT])[WIDTH * (now[OPEN] - 1) + KIND]
    return 1 if now[BASE] != 0 else 0


@compiled
def _may_fill(s: int, target: int, kind: int, keys: int) -> bool:
    """Whether the value at `target` is a container of that kind; `keys` is the first of those set in a dictionary."""
    now = ints(s)
    found = _kind(s, target)
    if found not in (kind, INSTANCE):
        return False
    if target == 0 and now[BASE] != 0:
        if now[FILLED_AT] < 0:
            now[FILLED_AT] = now[POS]
        if kind == DICT:
            for place in range(keys, now[COUNT], 2):
                if _kind(s, place) != PLAIN:
                    now[PLAIN_KEYS] = 0
    return True


@compiled
def _stamp(s: int, to: int, place: int, kind: int) -> None:
    """Write a value or a mark, and the state in front of it."""
    now, cell, first = ints(s), ints(to), WIDTH * place
    cell[first + KIND], cell[first + AT], cell[first + MEMO] = kind, now[POS], now[MEMO_SIZE]
    cell[first + OPS], cell[first + FRAME] = now[DONE], now[FRAME_END]


@compiled
def _push(s: int, kind: int, after: int) -> int:
    if after >= 0:
        _stamp(s, ints(s)[STACK_AT], ints(s)[COUNT], kind)
        ints(s)[COUNT] += 1
    return after


@compiled
def _remember(s: int, end: int, op: int) -> int:
    """MEMOIZE, and PUT where it does the same."""
    now = ints(s)
    size, depth = now[MEMO_SIZE], now[COUNT]
    index, after = (size, now[POS] + 1) if op == _MEMOIZE else _memo_place(s, end, op)
    if index != size or depth == _floor(s):
        return -1
    octets(now[KINDS_AT])[size] = _kind(s, depth - 1)
    ints(now[PLACES_AT])[size] = ints(now[STACK_AT])[WIDTH * (depth - 1) + AT]
    now[MEMO_SIZE] += 1
    return after


@compiled
def _recall(s: int, end: int, op: int) -> int:
    now = ints(s)
    index, after = _memo_place(s, end, op)
    if index < 0 or index >= now[MEMO_SIZE]:
        return -1
    kind = int(octets(now[KINDS_AT])[index])
    # A container of an earlier stride could be one that the machine goes on filling.
    if kind == OTHER or (kind != PLAIN and index < now[FIRST]):
        return -1
    now[READS] += 1 if kind != PLAIN else 0
    return _push(s, kind, after)


@compiled
def _gather(s: int, op: int) -> int:
    """TUPLE, LIST, DICT, FROZENSET: everything above the last mark becomes one value."""
    now = ints(s)
    floor, depth = _floor(s), now[COUNT]
    if now[OPEN] == 0:
        now[AT_MARK] = 1
        return -1
    if _MAKES[op] == DICT and (depth - floor) % 2:
        return -1
    now[OPEN] -= 1
    stack, marks = ints(now[STACK_AT]), ints(now[MARKS_AT])
    for row in range(WIDTH):
        stack[WIDTH * floor + row] = marks[WIDTH * now[OPEN] + row]
    stack[WIDTH * floor + KIND] = _MAKES[op]
    now[COUNT] = floor + 1
    return now[POS] + 1


@compiled
def _fill(s: int, op: int) -> int:
    """APPENDS, SETITEMS, ADDITEMS: everything above the last mark goes into the container below it."""
    now = ints(s)
    if now[OPEN] == 0:
        now[AT_MARK] = 1
        return -1
    floor, items, kind = _floor(s), now[COUNT] - _floor(s), _FILLS[op]
    below = ints(now[MARKS_AT])[WIDTH * (now[OPEN] - 2) + KIND] if now[OPEN] > 1 else 0
    if floor == below or (kind == DICT and items % 2) or not _may_fill(s, floor - 1, kind, floor):
        return -1
    now[COUNT] = floor
    now[OPEN] -= 1
    return now[POS] + 1


@compiled
def _take(s: int, op: int) -> int:
    """Instructions on the top values: fixed tuples, APPEND, SETITEM, POP, DUP."""
    now, taken, floor = ints(s), _TAKES[op], _floor(s)
    if op in (_APPEND, _SETITEM) and floor == 1 and now[OPEN] == 0:
        floor = 0
    if now[COUNT] - floor < taken:
        return -1
    if op == _DUP:
        return _push(s, _kind(s, now[COUNT] - 1), now[POS] + 1)
    if op == _POP:
        now[COUNT] -= 1
        return now[POS] + 1
    first = now[COUNT] - taken
    if op in (_APPEND, _SETITEM):
        if not _may_fill(s, first, LIST if op == _APPEND else DICT, first + 1):
            return -1
    else:
        ints(now[STACK_AT])[WIDTH * first + KIND] = TUPLE
    now[COUNT] = first + 1
    return now[POS] + 1


@compiled
def _mark(s: int, op: int) -> int:
    """MARK, POP_MARK."""
    now = ints(s)
    if op == _MARK:
        _stamp(s, now[MARKS_AT], now[OPEN], now[COUNT])
        now[OPEN] += 1
    elif now[OPEN] == 0:
        return -1
    else:
        now[COUNT] = _floor(s)
        now[OPEN] -= 1
    return now[POS] + 1


@compiled
def _frame(s: int, end: int) -> int:
    """A frame behind the last one that ends where bytes are."""
    now = ints(s)
    at = now[POS]
    if at < now[FRAME_END] or at + 9 > end:
        return -1
    size = _unsigned(octets(now[DATA_AT]), at + 1, 8)
    if size < 0 or at + 9 + size > end:
        return -1
    now[FRAME_END] = at + 9 + size
    return at + 9


@compiled
def _step_at_mark(s: int, end: int, op: int, form: int) -> int:
    if form == _MARKS:
        return _mark(s, op)
    if form == _GATHERS:
        return _gather(s, op)
    if form == _FILLS_ONE:
        return _fill(s, op)
    return _frame(s, end) if op == _FRAME else -1


@compiled
def _step(s: int, end: int) -> int:
    """Do the instruction at now[POS] and give the place behind it; -1 where the machine must."""
    at, data = ints(s)[POS], octets(ints(s)[DATA_AT])
    op = int(data[at])
    form = _FORM[op]
    if form == _PUSHES:
        return _push(s, PLAIN, _pushed(data, at, end, op))
    if form == _CREATES:
        return _push(s, _EMPTY[op], at + 1)
    if form == _REMEMBERS:
        return _remember(s, end, op)
    if form == _RECALLS:
        return _recall(s, end, op)
    if form == _TAKES_SOME:
        return _take(s, op)
    return _step_at_mark(s, end, op, form)


@compiled
def stride(s: int, end: int, limit: int) -> None:
    """Go from now[POS] as far as plain data goes, at most `limit` instructions; `now`, at `s`, tells how far that was.

    Memo entries from now[MEMO_SIZE] on are written; those behind its new value mean nothing. Where now[DONE] is 0 in
    the end no stride was made.
    """
    now = ints(s)
    now[FIRST] = now[MEMO_SIZE]
    now[DONE], now[COUNT], now[OPEN], now[READS], now[AT_MARK] = 0, 0, 0, 0, 0
    now[FILLED_AT], now[PLAIN_KEYS] = -1, 1
    if now[BASE] != 0:
        _push(s, now[BASE], now[POS])
    while now[POS] < end and now[DONE] < limit and now[MEMO_SIZE] + 1 < now[ROOM]:
        if now[COUNT] + 1 >= STACK or now[OPEN] + 1 >= MARKS:
            break
        at, frame_end = now[POS], now[FRAME_END]
        after = _step(s, end)
        if after < 0:
            break
        now[POS] = after
        now[DONE] += 1
        if at < frame_end < after:
            # Only now known, and already done: back to a value before it.
            now[AT_MARK] = 0
            break
    now[SPENT] = now[DONE]
    _leave(s)


@compiled
def _leave(s: int) -> None:
    """Step back to where no mark is open and, but at the machine's own mark, some values before the end."""
    now = ints(s)
    if now[OPEN] > 0:
        _return_to(s, now[MARKS_AT], 0)
        now[COUNT], now[AT_MARK] = ints(now[MARKS_AT])[KIND], 0
    base = 1 if now[BASE] != 0 else 0
    kept = now[COUNT] if now[AT_MARK] != 0 else now[COUNT] - KEPT
    if kept - base < FEWEST:
        kept = base
    if kept < now[COUNT]:
        _return_to(s, now[STACK_AT], kept)
    now[COUNT] = kept - base
    now[EVEN], now[ODD] = 1, 1
    for place in range(now[COUNT]):
        if _kind(s, base + place) != PLAIN:
            now[EVEN + place % 2] = 0


@compiled
def _return_to(s: int, to: int, place: int) -> None:
    now, cell, first = ints(s), ints(to), WIDTH * place
    now[POS], now[MEMO_SIZE] = cell[first + AT], cell[first + MEMO]
    now[DONE], now[FRAME_END] = cell[first + OPS], cell[first + FRAME]


class Tape:
    """The bytes, the memo and the state of strides, at addresses that stay while this object does."""

    def __init__(self, data: Buffer, room: int) -> None:
        self._data = np.frombuffer(data, np.uint8)
        self._stack, self._marks = np.zeros(WIDTH * STACK, np.int64), np.zeros(WIDTH * MARKS, np.int64)
        self.now = np.zeros(NOW, np.int64)
        self.now[DATA_AT], self.now[STACK_AT], self.now[MARKS_AT] = (
            array.ctypes.data for array in (self._data, self._stack, self._marks)
        )
        self.kinds, self.places = np.zeros(0, np.uint8), np.zeros(0, np.int64)
        self.make_room(0, room)

    def make_room(self, used: int, room: int) -> None:
        """Have space for `room` memo entries, of which the first `used` are kept."""
        kinds, places = np.zeros(room, np.uint8), np.zeros(room, np.int64)
        kinds[:used], places[:used] = self.kinds[:used], self.places[:used]
        self.kinds, self.places = kinds, places
        self.now[KINDS_AT], self.now[PLACES_AT], self.now[ROOM] = kinds.ctypes.data, places.ctypes.data, room

    def stride(self, pos: int, end: int, frame_end: int, known: int, limit: int, base: int) -> None:
        """One stride from `pos`; `now` tells how far it went."""
        self.now[POS], self.now[MEMO_SIZE], self.now[BASE] = pos, known, base
        # A frame may claim any length; behind the end of the bytes all ends are one.
        self.now[FRAME_END] = min(frame_end, end + 1)
        stride(self.now.ctypes.data, end, limit)

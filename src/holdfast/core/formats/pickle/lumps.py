"""A machine that takes long runs of plain data in compiled strides: the same facts, without the values.

What a stride leaves on the stack is one `Lump`. Nothing that loading does depends on plain data, with few exceptions;
where one of them meets a lump the machine raises `GaveUp`, and the stream is followed again step by step. So what is
stated never depends on strides (tests/core/formats/test_pickle_lumps.py compares). Needs numba.
"""

from __future__ import annotations

import sys
from typing import Final

from holdfast.core.formats.buffers import Buffer
from holdfast.core.formats.pickle import stride as kernel
from holdfast.core.formats.pickle.facts import Notes
from holdfast.core.formats.pickle.graph import Dict, GaveUp, Lump, Object, Set, Value
from holdfast.core.formats.pickle.machine import Machine, Meter, table
from holdfast.core.formats.pickle.opcodes import READERS, Op
from holdfast.core.formats.pickle.raw_arrays import WRAPPERS

FEWEST_DONE: Final = 64
"""Instructions of a stride that paid."""
PATIENCE: Final = 1024
"""Instructions between tries where strides do not pay, at most."""
CLOSING: Final = 64
"""Containers whose end is waited for before strides are taken not to pay."""
WASTE: Final = 1_000_000
"""Instructions that may be tried in vain, beside as many as were made, before strides end."""
LONGEST: Final = 1 << 18
"""Instructions of one stride at most: the first ones of a long list end in front of it, and are then done in vain."""
ROOM: Final = 1 << 16
"""Memo entries that a stride can always write."""
DEEPEST_LOOK: Final = 4_096
"""Containers looked into for a lump before one is taken for granted."""
_LITERALS: Final = frozenset((str, bytes, int, float, bool, type(None)))
_CONSTANTS: Final[dict[int, Value]] = {Op.NONE: None, Op.NEWTRUE: True, Op.NEWFALSE: False}

PLAIN_KEYS: Final = Lump(0, even=True, odd=True)
"""Stands for keys, values or items that were stepped over; `UNKNOWN_KEYS` for keys that may be tuples."""
UNKNOWN_KEYS: Final = Lump(0, even=False, odd=False)


class LumpMachine(Machine):
    """As `Machine`, but the value that `run` gives means nothing. Raises GaveUp where a value is needed after all."""

    def __init__(self, data: Buffer, start: int, end: int, notes: Notes, meter: Meter) -> None:
        super().__init__(data, start, end, notes, meter)
        self.table = _TABLE
        self.lumps = 0
        self._known = 0
        """Memo entries 0 to here have their kind on the tape."""
        self._in_order = True
        self._stepped_over = 0
        """Memo entries that are nowhere but on the tape."""
        self._pause, self._closed, self._vain = 1, 0, 0
        self._tape = kernel.Tape(data, 2 * ROOM)

    def run(self) -> Value:
        """Follow the stream to STOP. Raises Fault as `Machine` does, and GaveUp."""
        try:
            return super().run()
        finally:
            del self._tape  # a memory map cannot be closed while somebody looks at its bytes

    def to_walk(self, value: Value) -> Value:
        """Raises GaveUp."""
        if self.lumps:
            raise GaveUp
        return value

    # -- strides

    def stretch(self) -> int:
        """Make a stride where one may pay; how many instructions to follow until the next."""
        if not self._in_order or self._vain > WASTE:
            return sys.maxsize
        if self._stride() >= FEWEST_DONE:
            self._pause, self._closed = 1, 0
        elif self._tape.now[kernel.AT_MARK] and self._closed < CLOSING:
            # A container ends (TUPLE, MEMOIZE, APPEND): the one around it may be the long one.
            self._pause, self._closed = 3, self._closed + 1
        else:
            self._pause = min(PATIENCE, 2 * self._pause)
        return self._pause

    def _stride(self) -> int:
        """Instructions made."""
        self._make_room()
        base = self.stack[-1] if self.stack else None
        kind = 0 if isinstance(base, Set) and base.frozen else _BASES.get(type(base), 0)
        most = min(self.meter.opcodes, LONGEST)
        self._tape.stride(self.pos, self.end, self.frame_end, self._known, most, kind)
        now = self._tape.now
        done = int(now[kernel.DONE])
        self._vain = max(0, self._vain + int(now[kernel.SPENT]) - 2 * done)
        if done:
            self._take_over(base)
        return done

    def _take_over(self, base: Value) -> None:
        """The state behind the stride becomes the machine's."""
        now = self._tape.now
        if 0 <= now[kernel.FILLED_AT] < now[kernel.POS]:
            _fill(base, plain=bool(now[kernel.PLAIN_KEYS]))
        if now[kernel.COUNT]:
            self.stack.append(Lump(int(now[kernel.COUNT]), bool(now[kernel.EVEN]), bool(now[kernel.ODD])))
        self.lumps += 1
        self._stepped_over += int(now[kernel.MEMO_SIZE]) - self._known
        self.pos, self._known = int(now[kernel.POS]), int(now[kernel.MEMO_SIZE])
        self.frame_end = int(now[kernel.FRAME_END])
        self.meter.opcodes -= int(now[kernel.DONE])
        self.container_reads += int(now[kernel.READS])

    def _make_room(self) -> None:
        if self._known + ROOM > len(self._tape.kinds):
            self._tape.make_room(self._known, 4 * (self._known + ROOM))

    # -- the memo

    def memo_size(self) -> int:
        """Entries stepped over included."""
        return len(self.memo) + self._stepped_over

    def memoize(self, _: None) -> None:
        self._keep(len(self.memo) + self._stepped_over)

    def put(self, index: int) -> None:
        self._keep(index)

    def _keep(self, index: int) -> None:
        new = index not in self.memo
        if new and 0 <= index < self._known:
            raise GaveUp
        super().put(index)
        if index < self._known or (self._in_order and index == self._known):
            self._make_room()
            plain = type(self.memo[index]) in _LITERALS
            self._tape.kinds[index] = kernel.PLAIN if plain else kernel.OTHER
            self._known = max(self._known, index + 1)
        elif new:
            self._in_order = False

    def get(self, index: int) -> None:
        if index in self.memo or not 0 <= index < self._known:
            super().get(index)
            return
        at = int(self._tape.places[index])
        op = self.data[at]
        if op in _CONSTANTS:
            self.stack.append(_CONSTANTS[op])
        elif self._tape.kinds[index] == kernel.PLAIN and op in kernel.PUSHES:
            self.stack.append(READERS[Op(op)](self.data, at + 1, self.end)[0])
        else:
            raise GaveUp

    # -- where values are looked at

    def pop_value(self) -> Value:
        """Raises GaveUp."""
        value = self.stack.pop()
        if type(value) is Lump:
            raise GaveUp
        return value

    def top(self) -> Value:
        """Raises GaveUp."""
        value = self.stack[-1]
        if type(value) is Lump:
            raise GaveUp
        return value

    def take(self, count: int) -> tuple[Value, ...]:
        """Raises GaveUp."""
        taken = super().take(count)
        if any(type(value) is Lump for value in taken):
            raise GaveUp
        return taken

    def pop(self, _: None) -> None:
        if self.stack:
            self.top()
        super().pop(None)

    def call_object(self, _: None) -> None:
        if self.marks and self.stack and type(self.stack[0]) is Lump:
            raise GaveUp
        super().call_object(None)

    def _pairs(self, items: list[Value]) -> list[tuple[Value, Value]]:
        pairs: list[tuple[Value, Value]] = []
        place = 0
        for item in items:
            if type(item) is Lump:
                plain = item.odd if place % 2 else item.even
                pairs.append((PLAIN_KEYS if plain else UNKNOWN_KEYS, item))
                place += item.count
            else:
                pairs.append((PLAIN_KEYS, item) if place % 2 else (item, PLAIN_KEYS))
                place += 1
        if place == len(items):
            return super()._pairs(items)
        if place % 2:
            raise self._odd()
        return pairs

    def build(self, _: None) -> None:
        state, target = self.top(), self.stack[-2]
        if isinstance(state, tuple) and any(type(part) is Lump for part in state):
            raise GaveUp
        if isinstance(target, Object) and target.path in WRAPPERS and _holds_lump([state, target]):
            raise GaveUp
        super().build(None)

    def _check_states(self) -> None:
        pairs = [pair for state, _ in self.states.values() for pair in state.pairs]
        if any(key is UNKNOWN_KEYS for key, _ in pairs):
            raise GaveUp
        super()._check_states()


def _fill(base: Value, *, plain: bool) -> None:
    """Something was put into a container that the machine has."""
    if isinstance(base, Dict):
        base.pairs.append((PLAIN_KEYS if plain else UNKNOWN_KEYS, PLAIN_KEYS))
    elif isinstance(base, Set | Object):
        base.items.append(PLAIN_KEYS)
    else:
        base.append(PLAIN_KEYS)


def _holds_lump(pending: list[Value]) -> bool:
    """Whether a lump lies in one of the values, however deep; taken for granted of what is very large."""
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if type(value) is Lump or len(seen) > DEEPEST_LOOK:
            return True
        if isinstance(value, list | tuple | Dict | Object) and id(value) not in seen:
            seen.add(id(value))
            pending += _inside(value)
    return False


def _inside(value: list[Value] | tuple[Value, ...] | Dict | Object) -> list[Value]:
    if isinstance(value, Dict):
        return [part for pair in value.pairs for part in pair]
    if isinstance(value, Object):
        return [value.function, value.args, value.kwargs, *value.states]
    return list(value)


_BASES: Final[dict[type, int]] = {
    list: kernel.LIST,
    Dict: kernel.DICT,
    Set: kernel.SET,
    Object: kernel.INSTANCE,
}
_TABLE: Final = table(LumpMachine)

"""Runs a pickle symbolically: the stack, the memo and the marks of CPython's unpickler, but no object is built.

Follows `pickle._Unpickler` and `_pickle.c` (CPython 3.11) instruction by instruction. Where the two differ, or
where a stream does what no pickler writes, the machine states a fact and goes on, or raises a Fault: it never
takes a stream for harmless because it could not follow it. Iterative; memory is bounded by the opcode budget.
"""

from __future__ import annotations

import _compat_pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from holdfast.core.formats.buffers import Buffer, Fault
from holdfast.core.formats.pickle.calls import arguments, describe, resolve
from holdfast.core.formats.pickle.facts import Kind, Notes
from holdfast.core.formats.pickle.graph import (
    CALL,
    NEW,
    Dict,
    Global,
    Lump,
    Object,
    Opaque,
    Persistent,
    Set,
    Span,
    Value,
)
from holdfast.core.formats.pickle.opcodes import READERS, Op, Reader
from holdfast.core.formats.pickle.raw_arrays import WRAPPERS, read_raw_array

HIGHEST_PROTOCOL: Final = 5
INERT_STATE: Final = "__doc__"
"""The one attribute in double underscores that no code acts on; libraries copy it to their instances."""
MEMO_GAP: Final = 10_000_000
"""A memo index above this, and far above what the stream filled, only makes the loader allocate memory."""
MAX_MARKS: Final = 250_000
"""Open marks at once; each keeps a stack of its own, and a value within a value takes two at most."""
MAX_LOOKS: Final = 1_000_000
"""Arguments of calls that are looked at, beside two for each byte: one tuple may be handed to every call."""


@dataclass(slots=True)
class Meter:
    """What may still be spent on one file, over all its streams."""

    opcodes: int = 16_000_000
    nested: int = 16_000_000
    """For streams inside a stream: the elements of object arrays."""


class Machine:
    """One stream of `data[start:end]`. After `run`, `pos` is the byte behind STOP."""

    def __init__(self, data: Buffer, start: int, end: int, notes: Notes, meter: Meter, *, inner: bool = False) -> None:
        self.data, self.pos, self.end = data, start, end
        self.at = self.start = start
        self.notes, self.meter = notes, meter
        self.protocol, self.frame_end, self.skipped = 0, start, 0
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        # What BUILD sets, each dictionary once, by an id that stays its own while it is kept here.
        self.states: dict[int, tuple[Dict, int]] = {}
        self.looks = self.container_reads = 0
        self.inner = inner
        self.table = _TABLE

    def run(self) -> Value:
        """Follow the stream to STOP and give its value. Raises Fault where it cannot be followed."""
        try:
            value = self._to_stop()
        except Fault:
            self._check_states()
            raise
        self._check_states()
        return value

    def _to_stop(self) -> Value:
        try:
            while not self._follow(self.stretch()):
                pass
            return self.pop_value()
        except IndexError:
            raise Fault("malformed", "takes a value from an empty stack", self.at) from None

    def stretch(self) -> int:
        """How many instructions to follow before this is asked again."""
        return sys.maxsize

    def to_walk(self, value: Value) -> Value:
        """The value of `run`, for who looks at all of it."""
        return value

    def _follow(self, stretch: int) -> bool:
        """Follow at most `stretch` instructions; whether the last one was STOP."""
        data, end, table, left = self.data, self.end, self.table, self.meter.opcodes
        last = left - stretch
        try:
            while left > last:
                at = self.at = self.pos
                if at >= end:
                    raise Fault("truncated", "the stream ends without STOP", at)
                entry = table[data[at]]
                if entry is None:
                    raise Fault("malformed", f"unknown instruction 0x{data[at]:02x}", at)
                read, act = entry
                left -= 1
                if left < 0:
                    raise Fault("budget", "too many instructions", at)
                if read is None:
                    self.pos = at + 1
                    if act is None:
                        return True
                    act(self, None)
                else:
                    argument, self.pos = read(data, at + 1, end)
                    if at < self.frame_end < self.pos:
                        self._across_frames()
                    act(self, argument)
            return False
        finally:
            self.meter.opcodes = left

    def push(self, value: Value) -> None:
        if isinstance(value, Span):
            self.skipped += value.size
        self.stack.append(value)

    def skip(self, size: int) -> Span:
        """Step over bytes whose number is declared."""
        span = Span(self.pos, size, "bytes")
        self.pos += size
        self.skipped += size
        return span

    def _check_states(self) -> None:
        """Names that BUILD sets: looked at in the end, because a shared dictionary may be filled later."""
        for state, offset in self.states.values():
            for key, _ in state.pairs:
                if not isinstance(key, str):
                    if not isinstance(key, int | float | bytes | Lump | None):
                        self.notes.add(Kind.COMPUTED_STATE, describe(key), offset)
                elif key.startswith("__") and key.endswith("__") and key != INERT_STATE:
                    self.notes.add(Kind.DUNDER_STATE, key, offset)

    # -- marks, memo and simple stack moves

    def mark(self, _: None) -> None:
        if len(self.marks) >= MAX_MARKS:
            raise Fault("budget", f"more than {MAX_MARKS:,} marks that nothing takes back", self.at)
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Value]:
        if not self.marks:
            raise Fault("malformed", "takes values back to a mark that is not there", self.at)
        items, self.stack = self.stack, self.marks.pop()
        return items

    def pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def drop_to_mark(self, _: None) -> None:
        self.pop_mark()

    def pop_value(self) -> Value:
        """The top value, which somebody will look at."""
        return self.stack.pop()

    def top(self) -> Value:
        """The top value, which somebody will look at, left where it is."""
        return self.stack[-1]

    def duplicate(self, _: None) -> None:
        self.stack.append(self.top())

    def memo_size(self) -> int:
        """Number of memo entries."""
        return len(self.memo)

    def put(self, index: int) -> None:
        if index < 0:
            raise Fault("malformed", "a negative memo index", self.at)
        if index > MEMO_GAP and index > 4 * self.memo_size():
            self.notes.add(Kind.MEMO_GAP, str(index), self.at)
        self.memo[index] = self.top()

    def memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Fault("malformed", f"reads memo entry {index}, which was never written", self.at)
        value = self.memo[index]
        if isinstance(value, list | tuple | Dict | Set):
            self.container_reads += 1
        self.stack.append(value)

    def set_protocol(self, version: int) -> None:
        if version > HIGHEST_PROTOCOL:
            raise Fault("malformed", f"protocol {version}", self.at)
        self.protocol = version

    def frame(self, size: int) -> None:
        """The C unpickler refuses an overlong frame, the Python one reads on: so do we, and say it."""
        if self.at < self.frame_end:
            self.notes.add(Kind.MALFORMED, "a frame within a frame", self.at)
        self.frame_end = self.pos + size
        if self.frame_end > self.end:
            self.notes.add(Kind.MALFORMED, f"a frame of {size:,} bytes where {self.end - self.pos:,} are left", self.at)

    def _across_frames(self) -> None:
        """The C unpickler loses the part of a line that lies in the earlier frame, and looks up another name."""
        self.notes.add(Kind.MALFORMED, "an instruction reaches across the end of its frame", self.at)

    # -- containers

    def make_tuple(self, _: None) -> None:
        items = self.pop_mark()
        self.stack.append(tuple(items))

    def take(self, count: int) -> tuple[Value, ...]:
        """The top `count` values, bottom first."""
        if len(self.stack) < count:
            raise IndexError
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        return items

    def make_list(self, _: None) -> None:
        items = self.pop_mark()
        self.stack.append(items)

    def make_dict(self, _: None) -> None:
        pairs = self._pairs(self.pop_mark())
        self.stack.append(Dict(pairs))

    def make_frozenset(self, _: None) -> None:
        items = self.pop_mark()
        self.stack.append(Set(items, frozen=True))

    def _pairs(self, items: list[Value]) -> list[tuple[Value, Value]]:
        if len(items) % 2:
            raise self._odd()
        return list(zip(items[::2], items[1::2], strict=True))

    def _odd(self) -> Fault:
        return Fault("malformed", "a dictionary with a key that has no value", self.at)

    def append(self, _: None) -> None:
        item = self.pop_value()
        self._extend([item])

    def appends(self, _: None) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: list[Value]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Object):
            target.items.extend(items)
        else:
            self._change(target, "appends to")

    def add_items(self, _: None) -> None:
        items, target = self.pop_mark(), self.top()
        if (isinstance(target, Set) and not target.frozen) or isinstance(target, Object):
            target.items.extend(items)
        else:
            self._change(target, "adds to")

    def set_item(self, _: None) -> None:
        key, value = self.take(2)
        self._set([(key, value)])

    def set_items(self, _: None) -> None:
        self._set(self._pairs(self.pop_mark()))

    def _set(self, pairs: list[tuple[Value, Value]]) -> None:
        target = self.top()
        if isinstance(target, Dict | Object):
            target.pairs.extend(pairs)
        else:
            self._change(target, "sets an item of")

    def _change(self, target: Value, deed: str) -> None:
        """Only containers and instances are filled by a pickler; anything else is tampering or nonsense."""
        if not isinstance(target, Global):
            raise Fault("malformed", f"{deed} {describe(target)}", self.at)
        self.notes.add(Kind.GLOBAL_CHANGED, target.path, self.at, deed)

    # -- names, calls and state

    def import_name(self, pair: tuple[str, str]) -> None:
        self.stack.append(self._global(*pair))

    def import_from_stack(self, _: None) -> None:
        module, name = self.take(2)
        if isinstance(module, str) and isinstance(name, str):
            self.stack.append(self._global(module, name))
            return
        self.notes.add(Kind.COMPUTED_NAME, f"{describe(module)}, {describe(name)}", self.at)
        self.stack.append(Opaque("a computed name", self.at))

    def _global(self, module: str, name: str) -> Global:
        written = f"{module}.{name}"
        if self.protocol < 3:
            module, name = _modern(module, name)
        found = Global(module, name, self.at)
        self.notes.add(Kind.IMPORT, found.path, self.at, None if found.path == written else f"written {written}")
        if "." in name:
            self.notes.add(Kind.DOTTED_NAME, f"{module}:{name}", self.at)
        return found

    def reduce(self, _: None) -> None:
        function, args = self.take(2)
        self._call(function, args, None, CALL)

    def instantiate(self, pair: tuple[str, str]) -> None:
        args = tuple(self.pop_mark())
        self._call(self._global(*pair), args, None, CALL)

    def call_object(self, _: None) -> None:
        items = self.pop_mark()
        function = items.pop(0)
        self._call(function, tuple(items), None, CALL)

    def new(self, _: None) -> None:
        function, args = self.take(2)
        self._call(function, args, None, NEW)

    def new_with_keywords(self, _: None) -> None:
        function, args, kwargs = self.take(3)
        self._call(function, args, kwargs, NEW)

    def _call(self, function: Value, args: Value, kwargs: Value, how: str) -> None:
        if isinstance(function, Global):
            self.notes.add(Kind.CALL if how == CALL else Kind.CONSTRUCT, function.path, self.at)
            for name in arguments((args, kwargs), self.look):
                self.notes.add(Kind.ARGUMENT, name, self.at, function.path)
        else:
            self.notes.add(Kind.COMPUTED_CALL, describe(function), self.at)
        made = Object(function, args, how, self.at, kwargs)
        self.stack.append(resolve(made, self.notes, self.data))

    def look(self, count: int) -> None:
        self.looks += count
        if self.looks > MAX_LOOKS + 2 * (self.at - self.start):
            raise Fault("budget", f"more than {self.looks:,} arguments", self.at)

    def build(self, _: None) -> None:
        state, target = self.pop_value(), self.top()
        if not isinstance(target, Object):
            self._change(target, "sets attributes of")
            return
        target.states.append(state)
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if isinstance(part, Dict):
                self.states.setdefault(id(part), (part, self.at))
        if target.path in WRAPPERS:
            self.stack[-1] = read_raw_array(self, target)

    def persistent_text(self, name: str) -> None:
        self.notes.add(Kind.PERSISTENT_ID, name, self.at, "text")
        self.stack.append(Persistent(name, self.at))

    def persistent(self, _: None) -> None:
        identity = self.pop_value()
        self.notes.add(Kind.PERSISTENT_ID, _known(identity) or describe(identity), self.at)
        # torch's older files: the loader compares the class's source and hands the class itself back.
        self.stack.append(identity[1] if _is_module(identity) else Persistent(identity, self.at))

    def extension(self, code: int) -> None:
        self.notes.add(Kind.EXTENSION, str(code), self.at)
        self.stack.append(Opaque("a name from the extension registry", self.at))

    def next_buffer(self, _: None) -> None:
        self.notes.add(Kind.OUT_OF_BAND, "a buffer outside the file", self.at)
        self.stack.append(Opaque("a buffer outside the file", self.at))

    def read_only(self, _: None) -> None:
        if not self.stack:
            raise IndexError


def _modern(module: str, name: str) -> tuple[str, str]:
    """Python 2 names as the unpickler translates them below protocol 3."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[module, name]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def _is_module(identity: Value) -> bool:
    """Whether this is the tuple in which torch's older files name a class, with its source beside it."""
    match identity:
        case ("module", Global(), str() | None, str() | None | Span()):
            return True
    return False


def _known(identity: Value) -> str | None:
    """`storage` or `module` for the tuples in which torch names the bytes of a tensor, or a class."""
    if _is_module(identity):
        return "module"
    if not (isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"):
        return None
    kind, key, place, size = identity[1:5]
    literal = isinstance(key, str) and isinstance(place, str) and type(size) is int and size >= 0
    return "storage" if isinstance(kind, Global) and literal else None


def _constant(value: Value) -> Callable[[Machine, None], None]:
    return lambda machine, _: machine.stack.append(value)


def _fresh(kind: Callable[[], Value]) -> Callable[[Machine, None], None]:
    return lambda machine, _: machine.stack.append(kind())


def _tuple(count: int) -> Callable[[Machine, None], None]:
    return lambda machine, _: machine.stack.append(machine.take(count))


_PUSHED: Final = (
    *(Op.FLOAT, Op.INT, Op.LONG, Op.BININT, Op.BININT1, Op.BININT2, Op.LONG1, Op.LONG4, Op.BINFLOAT, Op.STRING),
    *(Op.BINSTRING, Op.SHORT_BINSTRING, Op.UNICODE, Op.SHORT_BINUNICODE, Op.BINUNICODE, Op.BINUNICODE8),
    *(Op.SHORT_BINBYTES, Op.BINBYTES, Op.BINBYTES8, Op.BYTEARRAY8),
)

_ACTIONS: Final[dict[Op, Callable[[Machine, Any], None]]] = {
    **dict.fromkeys(_PUSHED, Machine.push),
    **dict.fromkeys((Op.PUT, Op.BINPUT, Op.LONG_BINPUT), Machine.put),
    **dict.fromkeys((Op.GET, Op.BINGET, Op.LONG_BINGET), Machine.get),
    **dict.fromkeys((Op.EXT1, Op.EXT2, Op.EXT4), Machine.extension),
    Op.NONE: _constant(None),
    Op.NEWTRUE: _constant(True),
    Op.NEWFALSE: _constant(False),
    Op.EMPTY_TUPLE: _constant(()),
    Op.EMPTY_LIST: _fresh(list),
    Op.EMPTY_DICT: _fresh(Dict),
    Op.EMPTY_SET: _fresh(lambda: Set([])),
    Op.TUPLE1: _tuple(1),
    Op.TUPLE2: _tuple(2),
    Op.TUPLE3: _tuple(3),
    Op.MARK: Machine.mark,
    Op.POP: Machine.pop,
    Op.POP_MARK: Machine.drop_to_mark,
    Op.DUP: Machine.duplicate,
    Op.MEMOIZE: Machine.memoize,
    Op.PROTO: Machine.set_protocol,
    Op.FRAME: Machine.frame,
    Op.TUPLE: Machine.make_tuple,
    Op.LIST: Machine.make_list,
    Op.DICT: Machine.make_dict,
    Op.FROZENSET: Machine.make_frozenset,
    Op.APPEND: Machine.append,
    Op.APPENDS: Machine.appends,
    Op.ADDITEMS: Machine.add_items,
    Op.SETITEM: Machine.set_item,
    Op.SETITEMS: Machine.set_items,
    Op.GLOBAL: Machine.import_name,
    Op.STACK_GLOBAL: Machine.import_from_stack,
    Op.REDUCE: Machine.reduce,
    Op.INST: Machine.instantiate,
    Op.OBJ: Machine.call_object,
    Op.NEWOBJ: Machine.new,
    Op.NEWOBJ_EX: Machine.new_with_keywords,
    Op.BUILD: Machine.build,
    Op.PERSID: Machine.persistent_text,
    Op.BINPERSID: Machine.persistent,
    Op.NEXT_BUFFER: Machine.next_buffer,
    Op.READONLY_BUFFER: Machine.read_only,
}

Table = list[tuple[Reader | None, Callable[[Any, Any], None] | None] | None]


def table(machine: type[Machine]) -> Table:
    """By instruction code, how its argument is read and which of the machine's own methods acts on it."""
    entries: Table = [None] * 256
    for op in Op:
        action = _ACTIONS.get(op)
        own = None if action is None else getattr(machine, action.__name__, action)
        entries[op] = (READERS.get(op), own)
    return entries


_TABLE: Final = table(Machine)

"""Every stream of a pickle file, to its last byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Buffer, Fault, Window
from holdfast.core.formats.pickle.calls import NAME_MAKERS
from holdfast.core.formats.pickle.facts import Kind, Notes
from holdfast.core.formats.pickle.graph import Array, Dict, GaveUp, Global, Object, Persistent, Set, Value
from holdfast.core.formats.pickle.impatient import Impatient
from holdfast.core.formats.pickle.machine import Machine, Meter

MAX_STREAMS: Final = 100_000
MAX_EXPANSION: Final = 1_000_000_000
"""Values a shared structure may unfold to when something walks it as a tree."""
MANY_READS: Final = 16
"""Below so many memo reads of containers no structure can unfold beyond MAX_EXPANSION."""
PATIENCE: Final = 60_000
"""Instructions after which following step by step takes longer than loading what compiles."""

Follow = Callable[[Buffer, int, int, Notes, Meter], "tuple[Stream, int]"]


@dataclass(frozen=True, slots=True)
class Stream:
    """One pickle: its value, and its bytes `[start, end)` in the buffer."""

    value: Value
    start: int
    end: int
    protocol: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a buffer of pickles holds. Offsets count from the start of the buffer.

    `parsed + skipped + unread` is the length of what was asked for; `unread` is 0 exactly where every byte is
    accounted for.
    """

    streams: tuple[Stream, ...]
    facts: tuple[Fact, ...]
    parsed: int
    skipped: int
    unread: int
    enclosed: tuple[Window, ...] = ()
    """Files within the pickle that loading it would load too."""

    @property
    def value(self) -> Value:
        """The value of the first stream; None where there is none."""
        return self.streams[0].value if self.streams else None


def read_pickles(data: Buffer, start: int = 0, end: int | None = None, meter: Meter | None = None) -> Reading:
    """Follow the pickles in `data[start:end]` one after the other. Never raises on hostile bytes.

    `data` is bytes or an mmap. A stream that cannot be followed ends the reading: its fact is `truncated`,
    `malformed` or `budget` for the first one, `trailing-bytes` behind a whole one.
    """
    return _Reader(data, len(data) if end is None else end, meter or Meter(), read_one).read(start)


def read_facts(
    data: Buffer, start: int = 0, end: int | None = None, meter: Meter | None = None, *, patience: int = PATIENCE
) -> Reading:
    """As `read_pickles`, for who wants no values: where numba is, compiled code follows what is plain data.

    Only for streams of more than `patience` instructions that pays; values of streams mean nothing.
    """
    follow = partial(_read_facts_of_one, patience=patience)
    return _Reader(data, len(data) if end is None else end, meter or Meter(), follow).read(start)


def read_one(data: Buffer, start: int, end: int, notes: Notes, meter: Meter) -> tuple[Stream, int]:
    """One stream at `start` and the bytes it skipped, for formats that put pickles between other bytes.

    Raises Fault where it cannot be followed; what it did until then is in `notes`.
    """
    return _followed(Machine(data, start, end, notes, meter))


def _followed(machine: Machine) -> tuple[Stream, int]:
    start = machine.pos
    value = machine.run()
    if _is_walked(machine):
        _look_back(machine.notes, machine.to_walk(value), start)
    return Stream(value, start, machine.pos, machine.protocol), machine.skipped


def _read_facts_of_one(
    data: Buffer, start: int, end: int, notes: Notes, meter: Meter, *, patience: int
) -> tuple[Stream, int]:
    """As `read_one`: begun step by step, begun again in strides where it is long, and without where they fail."""
    before = (meter.opcodes, meter.nested, notes.enclosed_count())
    # Strides are looked for only once patience is gone: loading numba takes longer than nearly every pickle.
    for choose in (lambda: partial(Impatient, patience), _in_strides):
        machine = choose()
        try:
            if machine is not None:
                return _followed(machine(data, start, end, notes, meter))
        except GaveUp:
            meter.opcodes, meter.nested, enclosed = before
            # Facts state themselves once, however often the stream is followed; files within do not.
            notes.forget_enclosed(enclosed)
    return read_one(data, start, end, notes, meter)


@cache
def _in_strides() -> type[Machine] | None:
    try:
        from holdfast.core.formats.pickle.lumps import LumpMachine
    except ImportError:
        return None
    return LumpMachine


class _Reader:
    def __init__(self, data: Buffer, end: int, meter: Meter, follow: Follow) -> None:
        self.data, self.end, self.meter, self.follow = data, end, meter, follow
        self.notes = Notes()
        self.streams: list[Stream] = []
        self.skipped = 0

    def read(self, start: int) -> Reading:
        pos = start
        if pos >= self.end:
            self.notes.add(Kind.TRUNCATED, "no bytes", pos)
        while pos < self.end and self._next(pos):
            pos = self.streams[-1].end
        parsed = pos - start - self.skipped
        return Reading(
            tuple(self.streams), self.notes.all(), parsed, self.skipped, self.end - pos, self.notes.enclosed()
        )

    def _next(self, pos: int) -> bool:
        try:
            if len(self.streams) >= MAX_STREAMS:
                raise Fault("budget", f"more than {MAX_STREAMS:,} streams", pos)
            stream, skipped = self.follow(self.data, pos, self.end, self.notes, self.meter)
        except Fault as fault:
            self._unreadable(fault, pos)
            return False
        self.streams.append(stream)
        self.skipped += skipped
        return True

    def _unreadable(self, fault: Fault, pos: int) -> None:
        if self.streams:
            self.notes.add(Kind.TRAILING_BYTES, f"{self.end - pos:,} bytes: {fault.why}", pos)
            if fault.kind != "budget":
                return
        self.notes.add(Kind(fault.kind), fault.why, fault.offset)


def _is_walked(machine: Machine) -> bool:
    return machine.container_reads >= MANY_READS or machine.notes.has_import(NAME_MAKERS)


def _look_back(notes: Notes, value: Value, start: int) -> None:
    """What shows only in the finished graph: name makers kept for later, structures that unfold without end."""
    weight, kept = _survey(value)
    if weight > MAX_EXPANSION:
        notes.add(Kind.EXPANSION, f"{weight:.1e} values when walked as a tree", start)
    for name in kept:
        notes.add(Kind.COMPUTED_NAME, f"{name.path} kept for later", name.offset)


def children(value: Value) -> list[Value]:
    """The values directly inside of one; for walks with a visited set."""
    match value:
        case list() | tuple():
            return list(value)
        case Dict():
            return [part for pair in value.pairs for part in pair]
        case Set():
            return value.items
        case Object():
            inside = [value.function, value.args, value.kwargs, *value.states, *value.items]
            return inside + [part for pair in value.pairs for part in pair]
        case Persistent():
            return [value.id]
        case Array() if not isinstance(value.data, bytes):
            return [value.data]
    return []


def _survey(root: Value) -> tuple[float, list[Global]]:
    """How many values `root` unfolds to, and the name makers that stay in it. Post-order, each node once."""
    weights: dict[int, float] = {}
    kept: dict[int, Global] = {}
    pending: list[tuple[Value, list[Value] | None]] = [(root, None)]
    while pending:
        value, known = pending.pop()
        if known is not None:
            weights[id(value)] = 1 + sum(weights.get(id(child), 1) for child in known)
        elif id(value) not in weights:
            if isinstance(value, Global) and value.path in NAME_MAKERS:
                kept[id(value)] = value
            inside = children(value)
            weights[id(value)] = 1
            if inside:
                pending.append((value, inside))
                pending.extend((child, None) for child in inside)
    return weights.get(id(root), 1), list(kept.values())

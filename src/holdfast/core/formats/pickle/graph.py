"""What a pickle would build, as plain data: nothing here was imported, called or unpickled.

A value is a Python literal (None, bool, int, float, str, bytes), a plain `tuple` or `list` of values, or one of
the nodes below. The graph may be cyclic and may share nodes: walk it with a visited set, never by recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

Value = Any
"""None | bool | int | float | str | bytes | tuple | list | Span | Dict | Set | Global | Object | Persistent |
Array | Opaque. (`Any`, because a recursive alias would make every reader cast.)"""

NEW: Final = "new"
"""The class's `__new__` runs, `__init__` does not (NEWOBJ, NEWOBJ_EX, copyreg._reconstructor)."""
CALL: Final = "call"
"""The function or class is called (REDUCE, OBJ, INST)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Long bytes or text left unread in the buffer. `encoding` is bytes, bytearray, utf-8 or raw-unicode-escape."""

    offset: int
    size: int
    encoding: str


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """A name the pickle asks the interpreter to import. `offset` is that of the opcode."""

    module: str
    name: str
    offset: int

    @property
    def path(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Dict:
    """A dictionary in the order it was filled. A key that is set twice appears twice; the last one holds."""

    pairs: list[tuple[Value, Value]] = field(default_factory=list)

    def get(self, key: str | int, default: Value = None) -> Value:
        """The value of a literal key."""
        for known, value in reversed(self.pairs):
            if type(known) is type(key) and known == key:
                return value
        return default

    def by_name(self) -> dict[str, Value]:
        """The entries whose keys are literal text."""
        return {key: value for key, value in self.pairs if isinstance(key, str)}


@dataclass(slots=True, eq=False)
class Set:
    """A set or frozenset."""

    items: list[Value]
    frozen: bool = False


@dataclass(slots=True, eq=False)
class Object:
    """What calling or instantiating `function` gives, and what is then put into it.

    `states` are the arguments of BUILD in order, `items` what is appended or added, `pairs` what is set by key.
    """

    function: Value
    args: Value
    how: str
    offset: int
    kwargs: Value = None
    states: list[Value] = field(default_factory=list)
    items: list[Value] = field(default_factory=list)
    pairs: list[tuple[Value, Value]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """`module.name` of the class or function; empty where that is not a plain name."""
        return self.function.path if isinstance(self.function, Global) else ""

    def attributes(self) -> dict[str, Value]:
        """The instance attributes that BUILD sets, slots included."""
        return {name: value for state in self.states for name, value in _named(state)}


def _named(state: Value) -> Iterator[tuple[str, Value]]:
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for part in parts:
        if isinstance(part, Dict):
            yield from part.by_name().items()


@dataclass(slots=True, eq=False)
class Persistent:
    """An object kept outside the stream, e.g. torch's ("storage", type, key, location, size)."""

    id: Value
    offset: int


@dataclass(frozen=True, slots=True)
class DType:
    """A numpy dtype as data. `code` is numpy's array-protocol string ("<f8", "|O", "|V64").

    `fields` are (name, dtype, offset) of a structured type; `shape` is that of a sub-array type.
    """

    code: str
    itemsize: int
    fields: tuple[tuple[str, DType, int], ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def has_objects(self) -> bool:
        """Whether its bytes would be pointers, and so are pickled one by one."""
        return self.code[1:2] == "O" or any(dtype.has_objects for _, dtype, _ in self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A numpy array whose elements lie in `data`: a span of the buffer, or bytes where they were escaped.

    `order` is "C" or "F". `data` of an object array is the tuple or list of its elements.
    """

    dtype: DType
    shape: tuple[int, ...]
    order: str
    data: Value

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A value the machine does not follow (an extension code, an out-of-band buffer) and why."""

    why: str
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Lump:
    """`count` values of plain data side by side that a machine asked for facts alone has stepped over.

    `even` and `odd` say whether the values at those places are all text, numbers, bytes or None. No reader meets one.
    """

    count: int
    even: bool
    odd: bool


class GaveUp(Exception):  # noqa: N818 - no error: the stream is followed another way
    """The machine cannot tell, or not soon; one that looks at every value can."""

"""Calls whose result is known without making them: the reconstructors of `copyreg`, and names in disguise."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from holdfast.core.formats.buffers import Buffer, Window
from holdfast.core.formats.pickle.facts import Kind, Notes
from holdfast.core.formats.pickle.graph import (
    CALL,
    NEW,
    Array,
    Dict,
    GaveUp,
    Global,
    Lump,
    Object,
    Opaque,
    Persistent,
    Set,
    Span,
    Value,
)

_PLAIN: Final = frozenset((str, bytes, int, float, bool, type(None), Span))
"""Values that hold no names."""
_TYPES: Final = "numpy.dtype"
"""Objects by the million that hold no names."""
UFUNC_RECONSTRUCT: Final = ("numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct")
TORCH_LOADER: Final = "torch.storage._load_from_bytes"
KIND_OF: Final = "builtins.type"
DILL_TYPE: Final = "dill._dill._load_type"
DILL_TUPLE: Final = "dill._dill._create_namedtuple"
DILL_REPR: Final = "dill._dill._eval_repr"
_RANGE: Final = re.compile(r"range\((-?[0-9]{1,18}(?:, -?[0-9]{1,18}){1,2})\)")
DILL_TYPES: Final = {"PartialType": ("functools", "partial")}
"""Names of dill's own for classes that are in neither of the two modules it looks in."""
NAME_MAKERS: Final = frozenset(
    ("builtins.getattr", KIND_OF, TORCH_LOADER, DILL_TYPE, DILL_TUPLE, DILL_REPR, *UFUNC_RECONSTRUCT)
)
"""Functions that look a name up or load a file. Only their calls with literal arguments can be followed."""
RECONSTRUCTOR: Final = "copyreg._reconstructor"


def resolve(made: Object, notes: Notes, data: Buffer) -> Value:
    """The call's result where it is a plain name or a plain instance; the call itself otherwise."""
    if made.path == TORCH_LOADER:
        return _loaded(made, notes, data)
    known = _KNOWN.get(made.path)
    return made if known is None else known(made, notes)


def _loaded(made: Object, notes: Notes, data: Buffer) -> Value:
    """`_load_from_bytes(b"...")`: a whole torch file as a literal, which is a file of its own to whoever scans."""
    content = _literal(made.args[0], data) if isinstance(made.args, tuple) and len(made.args) == 1 else None
    if content is None:
        notes.add(Kind.COMPUTED_CALL, "torch.storage._load_from_bytes of what is not literal bytes", made.offset)
    else:
        notes.enclose(content, made.args[0])
    return Opaque("what a torch file within the pickle holds", made.offset)


def _literal(value: Value, data: Buffer) -> Window | None:
    """Bytes as every protocol writes them: as they are, left in the buffer, or as text encoded while loading."""
    match value:
        case bytes():
            return Window.whole(value)
        case Span(encoding="bytes"):
            return Window(data, value.offset, value.offset + value.size)
        case Object(path="_codecs.encode", args=(str() as text, "latin1"), kwargs=None, states=[], items=[], pairs=[]):
            try:
                return Window.whole(text.encode("latin-1"))
            except UnicodeEncodeError:
                return None
    return None


def _reconstructed(made: Object, notes: Notes) -> Value:
    """`copyreg._reconstructor(cls, base, state)`: an instance without `__init__`, as protocols 0 and 1 write it."""
    if not (isinstance(made.args, tuple) and len(made.args) == 3 and isinstance(made.args[0], Global)):
        notes.add(Kind.COMPUTED_CALL, "copyreg._reconstructor of what is not a class", made.offset)
        return made
    cls, base, state = made.args
    notes.add(Kind.CONSTRUCT, cls.path, made.offset)
    if not isinstance(base, Global):
        notes.add(Kind.COMPUTED_CALL, describe(base), made.offset)
    elif base.path != "builtins.object":
        notes.add(Kind.CALL, base.path, made.offset)
    return Object(cls, () if state is None else (state,), NEW, made.offset)


def _attribute(made: Object, notes: Notes) -> Value:
    """`getattr(Class, "name")`: how protocols 2 and 3 write a nested name."""
    match made.args:
        case (Global() as owner, str() as name) if "." not in name:
            notes.add(Kind.DOTTED_NAME, f"{owner.module}:{owner.name}.{name}", made.offset)
            return Global(owner.module, f"{owner.name}.{name}", made.offset)
    notes.add(Kind.COMPUTED_NAME, "getattr of " + ", ".join(map(describe, _items(made.args))), made.offset)
    return Opaque("an attribute looked up while loading", made.offset)


def _ufunc(made: Object, notes: Notes) -> Value:
    """`_ufunc_reconstruct("module", "name")` imports a name that no GLOBAL mentions."""
    match made.args:
        case (str() as module, str() as name):
            found = Global(module, name, made.offset)
            notes.add(Kind.INDIRECT_IMPORT, found.path, made.offset)
            return found
    notes.add(Kind.COMPUTED_NAME, "_ufunc_reconstruct of computed names", made.offset)
    return Opaque("a ufunc looked up while loading", made.offset)


def _kind(made: Object, notes: Notes) -> Value:
    """`type(None)`: how picklers write the types that have no name of their own."""
    match made.args:
        case (None,):
            return Global("types", "NoneType", made.offset)
        case (Global(path="builtins.Ellipsis" | "builtins.NotImplemented") as single,):
            return Global("types", f"{single.name}Type", made.offset)
    notes.add(Kind.COMPUTED_CALL, "type of " + ", ".join(map(describe, _items(made.args))), made.offset)
    return Opaque("a class made or looked up while loading", made.offset)


def _dill_type(made: Object, notes: Notes) -> Value:
    """`_load_type("slice")` looks up a class of `builtins` or of `types` by its name."""
    match made.args:
        case (str() as name,):
            home = "builtins" if isinstance(vars(builtins).get(name), type) else "types"
            found = Global(*DILL_TYPES.get(name, (home, name)), made.offset)
            notes.add(Kind.INDIRECT_IMPORT, found.path, made.offset)
            return found
    notes.add(Kind.COMPUTED_NAME, "_load_type of computed names", made.offset)
    return Opaque("a class looked up while loading", made.offset)


def _dill_repr(made: Object, notes: Notes) -> Value:
    """`_eval_repr("Ellipsis")` evaluates a text: only what dill itself writes for constants and ranges is followed."""
    match made.args:
        case ("Ellipsis" | "NotImplemented" as name,):
            return Global("builtins", name, made.offset)
        case (str() as text,) if found := _RANGE.fullmatch(text):
            bounds = tuple(int(bound) for bound in found[1].split(", "))
            return Object(Global("builtins", "range", made.offset), bounds, CALL, made.offset)
    notes.add(Kind.COMPUTED_CALL, "_eval_repr of " + ", ".join(map(describe, _items(made.args))), made.offset)
    return Opaque("what a text says when it is evaluated", made.offset)


def _dill_tuple(made: Object, notes: Notes) -> Value:
    """`_create_namedtuple("Name", fields, "module")` imports that name; where there is none it makes a named tuple."""
    match made.args:
        case (str() as name, tuple() as fields, str() as module) if all(isinstance(field, str) for field in fields):
            found = Global(module, name, made.offset)
            notes.add(Kind.INDIRECT_IMPORT, found.path, made.offset)
            if "." in name:
                notes.add(Kind.COMPUTED_NAME, f"a named tuple called {name}", made.offset)
            return found
    notes.add(Kind.COMPUTED_NAME, "_create_namedtuple of computed names", made.offset)
    return Opaque("a class looked up while loading", made.offset)


def _items(args: Value) -> list[Value]:
    return list(args[:4]) if isinstance(args, tuple | list) else [args]


def arguments(args: Value, looked: Callable[[int], None]) -> Iterator[str]:
    """The names handed to a call, however deep in containers and objects: what calls its arguments calls a partial too.

    `looked` is told how many values that took, and says where it is too much. Raises GaveUp.
    """
    pending, seen = [args], set[int]()
    while pending:
        value = pending.pop()
        if isinstance(value, Global):
            yield value.path
        elif isinstance(value, Lump):
            raise GaveUp
        elif id(value) not in seen:
            seen.add(id(value))
            parts = _within(value)
            looked(1 + len(parts))
            pending += [part for part in parts if type(part) not in _PLAIN]


def _within(value: Value) -> Sequence[Value]:
    match value:
        case tuple() | list():
            return value
        case Set():
            return value.items
        case Dict():
            return [part for pair in value.pairs for part in pair]
        case Object() if value.path != _TYPES:
            pairs = [part for pair in value.pairs for part in pair]
            return [value.args, value.kwargs, *value.states, *value.items, *pairs]
        case Array():
            return (value.data,)
    return ()


def describe(value: Value) -> str:
    """A short phrase for a value that stands where a plain name or literal should."""
    match value:
        case Global():
            return value.path
        case Object():
            return f"the result of {value.path}" if value.path else "the result of a computed call"
        case Opaque():
            return value.why
        case Persistent():
            return "a persistent object"
        case Span():
            return f"{value.size:,} bytes"
        case list() | tuple() | Dict() | Set():
            return f"a {type(value).__name__.lower()}"
    return repr(value)[:60]


_KNOWN: Final[dict[str, Callable[[Object, Notes], Value]]] = {
    RECONSTRUCTOR: _reconstructed,
    "builtins.getattr": _attribute,
    KIND_OF: _kind,
    DILL_TYPE: _dill_type,
    DILL_TUPLE: _dill_tuple,
    DILL_REPR: _dill_repr,
    **dict.fromkeys(UFUNC_RECONSTRUCT, _ufunc),
}

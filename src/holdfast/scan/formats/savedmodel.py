"""TensorFlow SavedModels and bare graphs: every operator, of the function library too, and the paths they are given.

Source: saved_model.proto, meta_graph.proto, graph.proto, function.proto, node_def.proto, attr_value.proto,
saved_object_graph.proto (field numbers below). Nothing is loaded; what is not walked is plain data to TensorFlow too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.protobuf import BYTES, MAX_WAITING, Field, fields, listed
from holdfast.scan.formats.kerasconfig import read_config_text
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_MESSAGES: Final = 2_000_000
_MODEL, _META, _GRAPH, _NODE, _LIBRARY, _FUNCTION, _ASSET, _OBJECTS, _OBJECT, _USER, _KERAS, _LAYER = range(12)
_INSIDE: Final[dict[int, dict[int, int]]] = {
    _MODEL: {2: _META},
    _META: {2: _GRAPH, 6: _ASSET, 7: _OBJECTS},
    _GRAPH: {1: _NODE, 2: _LIBRARY},
    _NODE: {},
    _LIBRARY: {1: _FUNCTION},
    _FUNCTION: {3: _NODE},
    _ASSET: {},
    _OBJECTS: {1: _OBJECT},
    _OBJECT: {4: _USER},
    _USER: {},
    _KERAS: {1: _LAYER},
    _LAYER: {},
}
"""Which field of which message holds which message."""
_ROOTS: Final = {"savedmodel": _MODEL, "graphdef": _GRAPH, "keras-metadata": _KERAS}
_SAVER: Final = frozenset(
    ("SaveV2", "RestoreV2", "MergeV2Checkpoints", "Save", "Restore", "SaveSlices", "RestoreSlice")
)


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Walk every message that can hold an operator, a file name or a layer's configuration."""
    pending: list[tuple[int, Window]] = [(_ROOTS[seen.format], window)]
    paths = _Paths()
    count = 0
    while pending:
        kind, message = pending.pop()
        count += 1
        if count > MAX_MESSAGES:
            raise Fault("budget", "too many messages", message.start - window.start)
        found = listed(message)
        if len(pending) + len(found) > MAX_WAITING:
            raise Fault("budget", f"more than {MAX_WAITING:,} messages side by side", message.start - window.start)
        for field in found:
            inner = _INSIDE[kind].get(field.number)
            if inner is not None and field.wire == BYTES:
                pending.append((inner, message.part(field.offset, field.size)))
            elif inner is not None:
                raise Fault("malformed", "a message that is none", message.start - window.start)
        at = message.start - window.start
        if kind == _NODE:
            paths.node(message, found, seen, at)
        elif kind in _LOOK:
            _LOOK[kind](message, found, seen, at)
    paths.state(seen)
    seen.parsed = len(window)


def operators_of(node: Window) -> list[str]:
    """The operator of one NodeDef that stands by itself, as in the options of a TensorFlow Lite operator."""
    return [node.read(part.offset, part.size).decode("utf-8", "replace") for part in fields(node) if part.number == 2]


def _text(message: Window, found: list[Field], number: int) -> str:
    """The last value of a text field, which is the one that holds."""
    texts = [field for field in found if field.number == number and field.wire == BYTES]
    return message.read(texts[-1].offset, texts[-1].size).decode("utf-8", "backslashreplace") if texts else ""


class _Paths:
    """Operators, stated once each, and the constant text that savers take for a path."""

    def __init__(self) -> None:
        self.operators: set[str] = set()
        self.texts: dict[str, tuple[str, int]] = {}
        self.savers: set[str] = set()

    def node(self, message: Window, found: list[Field], seen: Seen, at: int) -> None:
        operator = _text(message, found, 2)
        if operator not in self.operators:
            self.operators.add(operator)
            seen.add("tensorflow-operator", operator[:120], at)
        if operator == "Const":
            text = _constant(message, found)
            if text:
                self.texts[_text(message, found, 1)] = (text, at)
        elif operator in _SAVER:
            inputs = [field for field in found if field.number == 3 and field.wire == BYTES]
            self.savers |= {message.read(field.offset, field.size).decode("utf-8", "replace") for field in inputs[:1]}

    def state(self, seen: Seen) -> None:
        """A saver's own path comes from whoever loads the model; one that the graph fixes elsewhere does not."""
        for source in sorted(self.savers):
            text, at = self.texts.get(source.partition(":")[0], ("", 0))
            if text and (escapes(text) or "://" in text):
                seen.add("path-escape", text[:200], at)


def _constant(message: Window, found: list[Field]) -> str:
    """The first text of a Const: attr (5) value, AttrValue.tensor (8), TensorProto.string_val (8)."""
    for field in found:
        if field.number != 5 or field.wire != BYTES:
            continue
        entry = message.part(field.offset, field.size)
        value = _part(entry, 2)
        tensor = None if value is None else _part(value, 8)
        text = None if tensor is None else _part(tensor, 8)
        if text is not None and len(text) < 4096:
            return text.read(0, len(text)).decode("utf-8", "replace")
    return ""


def _part(message: Window, number: int) -> Window | None:
    for field in fields(message):
        if field.number == number and field.wire == BYTES:
            return message.part(field.offset, field.size)
    return None


def _asset(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    """AssetFileDef: the name of a file below the model's own assets folder."""
    name = _text(message, found, 2)
    if escapes(name) or "://" in name:
        seen.add("path-escape", name[:200], at)


def _user(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    """SavedUserObject: Keras keeps a layer's configuration as text in `metadata` (3)."""
    _configured(_text(message, found, 3), seen, at)


def _layer(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    """SavedObject of keras_metadata.pb, which Keras 2 writes beside a SavedModel: the same text in field 5."""
    _configured(_text(message, found, 5), seen, at)


def _configured(text: str, seen: Seen, at: int) -> None:
    if text.lstrip().startswith("{"):
        read_config_text(text, seen, offset=at)
    elif text:
        read_signs(text, seen)


_LOOK: Final[dict[int, Callable[[Window, list[Field], Seen, int], None]]] = {
    _ASSET: _asset,
    _USER: _user,
    _LAYER: _layer,
}

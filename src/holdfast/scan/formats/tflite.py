"""TensorFlow Lite: one flatbuffer of operators, tensors and buffers, constants behind it, and files packed at its end.

Source: schema.fbs of TensorFlow Lite, version 3; fields are numbered in its order. Built-in operators compute. A custom
one is machine code that the runtime must have; one whose name begins with Flex runs TensorFlow's own operator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes, find_end, read_zip
from holdfast.core.formats.flatbuffer import Table
from holdfast.core.formats.flexbuffer import first_texts
from holdfast.scan.formats.archives import read_member
from holdfast.scan.formats.polyglot import is_zip
from holdfast.scan.formats.savedmodel import operators_of
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

VERSION: Final = 3
MAX_TABLES: Final = 1_000_000
SLACK: Final = 1 << 16
"""Bytes of tables that are not walked, such as options, which may lie behind everything that is."""
_CODES, _GRAPHS, _DESCRIPTION, _BUFFERS, _METADATA, _GROUPS, _EXTERNAL = 1, 2, 3, 4, 6, 8, 9
_SCALES: Final = ((0, 4), (1, 4), (2, 4), (3, 8))
"""Vectors of a tensor's quantisation, and the width of their elements: minima, maxima, scales, zero points."""
_CUSTOM: Final = 32
_FLEX: Final = "Flex"
_OWN: Final = frozenset(("AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"))
"""Custom operators that are part of the runtime itself."""


@dataclass(slots=True)
class _Walk:
    """What the walk of one model keeps: how far its bytes reach, and what it may still cost."""

    window: Window
    seen: Seen
    reach: int = 0
    left: int = MAX_TABLES
    parts: list[tuple[int, int]] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)

    def tables(self, table: Table, number: int) -> list[Table]:
        found = table.tables(number)
        self.left -= len(found)
        if self.left < 0:
            raise Fault("budget", f"more than {MAX_TABLES:,} tables", table.at)
        self.reach = max([self.reach, *(item.at + 4 for item in found)])
        return found

    def extent(self, table: Table, number: int, width: int = 1) -> None:
        """A vector of elements of `width` bytes, checked to be within the file."""
        start, count = table.vector(number)
        self.window.part(start, count * width)
        self.reach = max(self.reach, start + count * width)

    def outside(self, offset: int, size: int) -> None:
        """Constants behind the flatbuffer; offsets 0 and 1 say that there are none."""
        if offset > 1 or size:
            if offset < 2 or offset + size > len(self.window):
                raise Fault("malformed", f"{size:,} bytes at {offset:,}, outside of the file", 0)
            self.parts.append((offset, offset + size))


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Every operator by its name, every buffer by its bounds, and the files at the end by what they are."""
    model = Table.root(window)
    if model.integer(0, 0) != VERSION:
        raise Fault("unsupported", f"version {model.integer(0, 0)} of the format", 0)
    walk = _Walk(window, seen, model.at + 4)
    buffers = walk.tables(model, _BUFFERS)
    for table in buffers:
        walk.extent(table, 0)
        walk.outside(table.number(1, 8), table.number(2, 8))
    names = [_name(code) for code in walk.tables(model, _CODES)]
    for graph in walk.tables(model, _GRAPHS):
        _graph(walk, graph, names, len(buffers))
    _notes(walk, model)
    _external(walk, model)
    _end(inspector, walk, depth)


def _name(code: Table) -> str:
    """The name of a custom operator, empty for a built-in one. Newer files number operators in a wider field."""
    number = max(code.integer(0, 0, 1), code.integer(3, 0))
    return (code.text(1) or "without a name") if number == _CUSTOM else ""


def _graph(walk: _Walk, graph: Table, names: list[str], buffers: int) -> None:
    for tensor in walk.tables(graph, 0):
        if not 0 <= tensor.integer(2, 0) < max(1, buffers):
            raise Fault("malformed", "a tensor of a buffer that does not exist", tensor.at)
        walk.extent(tensor, 3)
        scales = tensor.table(4)
        if scales is not None:
            for place, width in _SCALES:
                walk.extent(scales, place, width)
    for operator in walk.tables(graph, 3):
        number = operator.integer(0, 0)
        if not 0 <= number < len(names):
            raise Fault("malformed", "an operator of a kind that does not exist", operator.at)
        walk.extent(operator, 5)
        walk.outside(operator.number(9, 8), operator.number(10, 8))
        if names[number]:
            _custom(walk, operator, names[number])


def _custom(walk: _Walk, operator: Table, name: str) -> None:
    for kind, value in _runs(walk, operator, name):
        if (kind, value) not in walk.told:
            walk.told.add((kind, value))
            walk.seen.add(kind, value[:120], operator.at)


def _runs(walk: _Walk, operator: Table, name: str) -> list[tuple[str, str]]:
    if not name.startswith(_FLEX):
        return [] if name in _OWN else [("operator-domain", f"tflite.{name}")]
    # The delegate runs what the options say, whatever the operator is called.
    start, count = operator.vector(5)
    found = [("tensorflow-operator", name.removeprefix(_FLEX))]
    texts = first_texts(walk.window.part(start, count), 2) if count else []
    if texts:
        found.append(("tensorflow-operator", texts[0].decode("utf-8", "backslashreplace")))
    for text in texts[1:]:
        found += [("tensorflow-operator", inner) for inner in operators_of(Window.whole(text))]
    return found


def _notes(walk: _Walk, model: Table) -> None:
    texts = [model.text(_DESCRIPTION), *(entry.text(0) for entry in walk.tables(model, _METADATA))]
    read_signs("\n".join(texts), walk.seen)


def _external(walk: _Walk, model: Table) -> None:
    """Weights in files of their own, named by their groups: an entry says which group, where in it, and how much."""
    groups = [group.text(0) for group in walk.tables(model, _GROUPS)]
    for name in groups:
        outward = escapes(name) or "://" in name
        walk.seen.add("external-data" if outward else "external-file", name[:200], model.at)
    for entry in walk.tables(model, _EXTERNAL):
        group = entry.integer(1, 0)
        if not 0 <= group < len(groups):
            raise Fault("malformed", "weights of a file that is not named", entry.at)
        if groups[group] and not escapes(groups[group]):
            walk.seen.claims.add(str(PurePosixPath(groups[group])), entry.number(2, 8), entry.number(3, 8))


def _end(inspector: Inspector, walk: _Walk, depth: int) -> None:
    """Behind the flatbuffer lie its constants, and label files as a zip; nothing else has a reason to."""
    window, seen = walk.window, walk.seen
    end = len(window)
    if is_zip(window):
        end = _packed(inspector, walk, depth)
    reach = max([walk.reach, *(stop for _, stop in walk.parts)])
    if end - reach > SLACK:
        seen.unread += end - reach
        seen.add("trailing-bytes", f"{end - reach:,} bytes behind the model", reach)
    seen.parsed = len(window) - seen.unread - seen.skipped


def _packed(inspector: Inspector, walk: _Walk, depth: int) -> int:
    """The members of the zip; the bytes in front of it are the model, unless it begins within the model."""
    window, seen = walk.window, walk.seen
    archive = read_zip(window)
    inspector.enter(len(archive.entries))
    start = min((entry.header for entry in archive.entries), default=find_end(window))
    seen.facts += [fact for fact in archive.facts if not _prefix(fact)]
    if start < walk.reach:
        seen.add("polyglot", "an archive that begins within the model", start)
    for entry in archive.entries:
        read_member(inspector, window, seen, entry, depth)
    seen.skipped = 0
    return start


def _prefix(fact: Fact) -> bool:
    return fact.kind == "polyglot" and not fact.offset

"""CatBoost's binary models: a magic, a length, and one flatbuffer of trees and parameters.

Source: CatBoost's model.fbs (TModelCore: FormatVersion, ModelTrees, InfoMap, ModelPartIds). Plain data: what matters is
that the flatbuffer and the parts it names are the whole file. Models of categories have one part, tables of counts,
each a length and a flatbuffer (ctr_data.fbs); other parts, of texts and embeddings, are CatBoost's own and not read.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import find_end
from holdfast.core.formats.flatbuffer import Table
from holdfast.scan.formats.signs import MAX_TEXT, read_signs
from holdfast.scan.inspect import Inspector, Seen

VERSION: Final = b"FlabuffersModel_v1"
COUNTS: Final = "static_provider_v1"
MAX_COUNTS: Final = 1_000_000


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Check the frame and the root table; the trees are numbers."""
    size = int.from_bytes(window.part(4, 4).read(0, 4), "little")
    core = window.part(8, size)
    table = _number(core, 0, 4)
    if _text(core, table) != VERSION:
        raise Fault("unsupported", "a model of another version", 8)
    parts = Table(core, table).texts(3)
    if _field(core, table, 3) and not parts:
        raise Fault("malformed", "a list of parts that names none", 8)
    if parts not in ([], [COUNTS]):
        raise Fault("unsupported", f"a model with parts of its own kind: {', '.join(parts)[:100]}", 8)
    if not _field(core, table, 1):
        raise Fault("malformed", "a model without trees", 8)
    read_signs(core.read(0, MAX_TEXT).decode("latin-1"), seen)
    if find_end(window) >= 0:
        seen.add("polyglot", "an archive behind the model", find_end(window))
    end = _counts(window, 8 + size) if parts else 8 + size
    seen.parsed = end
    if len(window) > end:
        raise Fault("trailing-bytes", f"{len(window) - end:,} bytes behind the model", end)


def _counts(window: Window, at: int) -> int:
    """Where the tables of counts end that begin at `at`."""
    number = _number(window, at, 4)
    if number > MAX_COUNTS:
        raise Fault("budget", f"{number:,} tables", at)
    at += 4
    for _ in range(number):
        size = _number(window, at, 4)
        table = window.part(at + 4, size)
        Table.root(table).place(0)
        at += 4 + size
    return at


def _number(core: Window, at: int, size: int) -> int:
    return int.from_bytes(core.part(at, size).read(0, size), "little")


def _field(core: Window, table: int, number: int) -> int:
    """Where a field of a table lies; 0 where it has none."""
    vtable = table - int.from_bytes(core.part(table, 4).read(0, 4), "little", signed=True)
    if 4 + 2 * number + 2 > _number(core, vtable, 2):
        return 0
    offset = _number(core, vtable + 4 + 2 * number, 2)
    return table + offset if offset else 0


def _text(core: Window, table: int) -> bytes:
    at = _field(core, table, 0)
    if not at:
        return b""
    place = at + _number(core, at, 4)
    return core.part(place + 4, min(64, _number(core, place, 4))).read(0, 64)

"""Pickle and joblib files, compressed or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Window
from holdfast.core.formats.pickle import read_facts
from holdfast.core.formats.sniff import compression_of
from holdfast.scan.formats.polyglot import last_record
from holdfast.scan.inspect import Inspector, Seen


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Follow every stream. A compressed joblib file is unpacked first."""
    kind = compression_of(window)
    if kind is not None:
        from holdfast.scan.formats.archives import unpack

        unpack(inspector, window, seen, depth, kind)
        return
    reading = read_facts(window.data, window.start, window.end, inspector.meter)
    seen.facts += [moved(fact, -window.start) for fact in reading.facts]
    seen.parsed, seen.skipped, seen.unread = reading.parsed, reading.skipped, reading.unread
    read_enclosed(inspector, seen, reading.enclosed, depth)


LOADABLE: Final = ("torch-zip", "torch-legacy", "pickle", "tar")
"""What torch.load makes something of."""


def read_enclosed(inspector: Inspector, seen: Seen, enclosed: Iterable[Window], depth: int) -> None:
    """Torch files that the pickle holds as literal bytes and loads. Bytes unread in them are unread here."""
    for number, content in enumerate(enclosed):
        inspector.enter()
        inner = inspector.inspect(content, depth + 1)
        if inner.format not in LOADABLE:
            seen.add("malformed", f"has torch load {inner.format}")
        seen.take(inner, f"<torch {number}>")
        if inner.format == "torch-zip":
            seen.archives.add(last_record(content))
        lost = min(inner.unread, seen.parsed)
        seen.parsed, seen.unread = seen.parsed - lost, seen.unread + lost


def moved(fact: Fact, by: int) -> Fact:
    """The fact with its offset counted from elsewhere."""
    return fact if fact.offset is None else replace(fact, offset=fact.offset + by)

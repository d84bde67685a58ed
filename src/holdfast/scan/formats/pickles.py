"""Pickle and joblib files, compressed or not."""

from __future__ import annotations

from dataclasses import replace

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Window
from holdfast.core.formats.pickle import read_pickles
from holdfast.core.formats.sniff import compression_of
from holdfast.scan.inspect import Inspector, Seen


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:
    """Follow every stream. A compressed joblib file is unpacked first."""
    kind = compression_of(window)
    if kind is not None:
        from holdfast.scan.formats.archives import unpack

        unpack(inspector, window, seen, depth, kind)
        return
    reading = read_pickles(window.data, window.start, window.end, inspector.meter)
    seen.facts += [moved(fact, -window.start) for fact in reading.facts]
    seen.parsed, seen.skipped, seen.unread = reading.parsed, reading.skipped, reading.unread


def moved(fact: Fact, by: int) -> Fact:
    """The fact with its offset counted from elsewhere."""
    return fact if fact.offset is None else replace(fact, offset=fact.offset + by)

"""Core ML: what a model is made of, at any depth, and the weights beside it.

Source: Model.proto, NeuralNetwork.proto, MIL.proto of coremltools, and its blob storage, version 2 (field numbers
below). A custom layer or model is a class of the application's own, which no file holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import escapes
from holdfast.core.formats.protobuf import BYTES, MAX_WAITING, Field, listed
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_MESSAGES: Final = 2_000_000
MAX_FACTS: Final = 2_000
MAX_BLOBS: Final = 1_000_000
HOME: Final = "@model_path/"
"""What programs call the folder of their own package."""
_MODEL, _PIPE, _PIPELINE, _NET, _LAYER, _BRANCH, _LOOP, _CUSTOM, _LINK, _NOTE, _META = range(11)
_PROGRAM, _FUNCTION, _BLOCK, _STEP, _PAIR, _VALUE, _BLOB, _BODY, _STAGE, _NAMED, _ARGUMENT, _BOUND = range(11, 23)
_INSIDE: Final[dict[int, dict[int, int]]] = {
    _MODEL: {
        2: _NOTE,
        200: _PIPE,
        201: _PIPE,
        202: _PIPELINE,
        303: _NET,
        403: _NET,
        500: _NET,
        502: _PROGRAM,
        555: _CUSTOM,
        556: _LINK,
    },
    _PIPE: {1: _PIPELINE},
    _PIPELINE: {1: _MODEL},
    _NET: {1: _LAYER},
    _LAYER: {500: _STAGE, 605: _BRANCH, 615: _LOOP},
    _BRANCH: {1: _NET, 2: _NET},
    _LOOP: {3: _NET, 4: _NET},
    _NOTE: {100: _META},
    _PROGRAM: {2: _FUNCTION},
    _FUNCTION: {2: _BODY},
    _BODY: {3: _BLOCK},
    _BLOCK: {2: _NAMED},
    _NAMED: {3: _STEP, 4: _PAIR},
    _STEP: {2: _ARGUMENT, 4: _NAMED, 5: _PAIR},
    _ARGUMENT: {2: _BOUND},
    _BOUND: {1: _PAIR},
    _PAIR: {2: _VALUE},
    _VALUE: {5: _BLOB},
}
"""Which field of which message holds which message. Maps are messages of a key (1) and a value (2)."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Walk every message that can hold code's name, a file's name or text."""
    pending: list[tuple[int, Window]] = [(_MODEL, window)]
    count = 0
    told: set[str] = set()
    while pending:
        kind, message = pending.pop()
        count += 1
        if count > MAX_MESSAGES:
            raise Fault("budget", "too many messages", message.start - window.start)
        found = listed(message)
        if len(pending) + len(found) > MAX_WAITING:
            raise Fault("budget", f"more than {MAX_WAITING:,} messages side by side", message.start - window.start)
        for part in found:
            inner = _INSIDE.get(kind, {}).get(part.number)
            if inner is not None and part.wire == BYTES:
                pending.append((inner, message.part(part.offset, part.size)))
            elif inner is not None:
                raise Fault("malformed", "a message that is none", message.start - window.start)
        if len(seen.facts) > MAX_FACTS:
            raise Fault("budget", "too many files and classes of others", message.start - window.start)
        if kind == _BLOB:
            _blob(message, found, seen, told, message.start - window.start)
        elif kind in _LOOK:
            _LOOK[kind](message, found, seen, message.start - window.start)
    seen.parsed = len(window)


def _text(message: Window, found: list[Field], number: int) -> str:
    texts = [part for part in found if part.number == number and part.wire == BYTES]
    return message.read(texts[-1].offset, texts[-1].size).decode("utf-8", "backslashreplace") if texts else ""


def _model(_message: Window, found: list[Field], seen: Seen, at: int) -> None:
    """Models of unknown kinds are not understood; one in a serialised form of Core ML's own is not seen into."""
    for part in found:
        if part.number >= 200 and part.number not in KINDS:
            seen.add("unsupported", f"a Core ML model of kind {part.number}", at)


def _layer(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    name = _text(message, found, 10)
    seen.add("native-library", f"Core ML layer of class {name[:120] or 'without a name'}", at)


def _custom(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    name = _text(message, found, 1)
    seen.add("native-library", f"Core ML model of class {name[:120] or 'without a name'}", at)


def _link(message: Window, found: list[Field], seen: Seen, at: int) -> None:
    seen.add("unsupported", "a Core ML model that stands for another file", at)
    _signs(message, found, seen, at)


def _blob(message: Window, found: list[Field], seen: Seen, told: set[str], at: int) -> None:
    name = _text(message, found, 1)
    outward = escapes(name.removeprefix(HOME)) or "://" in name
    if name[:200] not in told:
        told.add(name[:200])
        seen.add("external-data" if outward else "external-file", name[:200], at)


def _signs(message: Window, _found: list[Field], seen: Seen, at: int) -> None:  # noqa: ARG001
    read_signs(message.read(0, 1 << 20).decode("utf-8", "replace"), seen)


KINDS: Final = frozenset(
    (
        *(200, 201, 202, 300, 301, 302, 303, 304, 400, 401, 402, 403, 404, 500, 501, 502, 555, 556, 560),
        *(600, 601, 602, 603, 604, 606, 607, 609, 610, 900, 2000, 2001, 2002, 2003, 2004, 2005, 2006),
    )
)
"""Kinds of models whose content is numbers, other models, or said above."""
_LOOK: Final[dict[int, Callable[[Window, list[Field], Seen, int], None]]] = {
    _MODEL: _model,
    _STAGE: _layer,
    _CUSTOM: _custom,
    _LINK: _link,
    _META: _signs,
}


def read_weights(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """Blobs one after another, each with a header of 64 bytes that says where its numbers lie, and how many."""
    count = int.from_bytes(window.read(0, 4), "little")
    if count > MAX_BLOBS:
        raise Fault("budget", f"{count:,} blobs", 0)
    at, skipped = 64, 0
    for _ in range(count):
        head = window.part(at, 64).read(0, 64)
        size, offset = (int.from_bytes(head[start : start + 8], "little") for start in (8, 16))
        if head[:4] != b"\xef\xbe\xad\xde" or offset != at + 64:
            raise Fault("malformed", "a blob that does not lie behind the one before", at)
        window.part(offset, size)
        skipped += size
        at = min(-(-(offset + size) // 64) * 64, len(window))
    if window.read(at, 1):
        raise Fault("trailing-bytes", f"{len(window) - at:,} bytes behind the last blob", at)
    seen.skipped = skipped
    seen.parsed = len(window) - skipped

"""Bodies that a careless server chokes on, each a small change of a valid one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DEPTH = 50_000
DIGITS = 200_000
LONG = 512 * 1024
INFLATED = 32 * 2**20
"""Bytes that a compressed body of about 32 KiB unpacks to."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A body, by name. `refuse`: only a refusal (4xx) will do; of the others it is enough that nothing breaks."""

    name: str
    body: bytes
    encoding: str | None = None
    refuse: bool = True


def payloads(valid: bytes) -> Iterator[Payload]:
    """From small to large, made from a valid request in JSON; bodies are up to half a MiB."""
    yield from _numbers(valid)
    yield from _shapes(valid)
    yield Payload("text that is no text", valid[:-1] + b', "x": "\xff\xfe\xed\xa0\x80"}')
    yield Payload("names in every script", _with(valid, {"\u202e\u0000\U0001f4a3" * 200: "\u0663"}), refuse=False)
    yield Payload("the same name many times", b'{"inputs": [], ' + b'"a": 1, ' * 20_000 + b'"b": 1}', refuse=False)
    yield Payload("deep nesting", b'{"inputs": ' + b"[" * DEPTH + b"]" * DEPTH + b"}")
    yield Payload("nested names", b'{"a":' * DEPTH + b"1" + b"}" * DEPTH)
    yield Payload("a number of 200,000 digits", b'{"inputs": [' + b"9" * DIGITS + b"]}")
    yield Payload("a text of half a MiB", _with(valid, {"inputs": ["x" * LONG]}))
    yield Payload("a compressed body that grows a thousandfold", gzip.compress(b" " * INFLATED, 9), "gzip")


def _numbers(valid: bytes) -> Iterator[Payload]:
    """The first number of the request, replaced."""
    for name, text in (
        ("not a number", b"NaN"),
        ("an infinite number", b"Infinity"),
        ("a number that overflows", b"1e999999"),
        ("a vanishing number", b"1e-999999"),
        ("a huge number", b"1e308"),
        ("minus zero", b"-0.0"),
        ("a text for a number", b'"1e3"'),
        ("null for a number", b"null"),
        ("a list for a number", b"[[[]]]"),
        ("an object for a number", b'{"a": 1}'),
        ("true for a number", b"true"),
    ):
        body = _first_value(valid, text)
        if body is not None:
            strict = name in ("a list for a number", "an object for a number")
            yield Payload(name, body, refuse=strict)


def _shapes(valid: bytes) -> Iterator[Payload]:
    """Columns too few and too many, shapes that lie, things of another kind."""
    document = json.loads(valid)
    for name, change in (("a column missing", -1), ("a column too many", 1)):
        body = _resized(document, change)
        if body is not None:
            yield Payload(name, body)
    for name, text in (("a list at the top", b"[]"), ("null at the top", b"null"), ("a number at the top", b"1")):
        yield Payload(name, text)
    yield Payload("inputs that are a number", b'{"inputs": 7}')
    tensor = _tensor(document)
    if tensor is not None:
        for name, shape in (("a shape beyond memory", [2**40, 2**20]), ("a negative shape", [-1, -1])):
            yield Payload(name, json.dumps({"inputs": [tensor | {"shape": shape}]}).encode())


def _tensor(document: Any) -> dict[str, Any] | None:
    inputs = document.get("inputs") if isinstance(document, dict) else None
    first = inputs[0] if isinstance(inputs, list) and inputs else None
    return first if isinstance(first, dict) and isinstance(first.get("data"), list) else None


def _first_value(valid: bytes, text: bytes) -> bytes | None:
    """The request with `text` in place of its first value; None where it has none."""
    document, mark = json.loads(valid), "\ue000value\ue000"
    tensor = _tensor(document)
    if tensor is not None and tensor["data"]:
        tensor["data"][0] = mark
    elif isinstance(document, dict) and isinstance(document.get("inputs"), list) and document["inputs"]:
        row = document["inputs"][0]
        if isinstance(row, list) and row:
            row[0] = mark
        else:
            document["inputs"][0] = mark
    else:
        return None
    return json.dumps(document, ensure_ascii=False).encode().replace(f'"{mark}"'.encode(), text)


def _resized(document: Any, change: int) -> bytes | None:
    """One column fewer or more, told truthfully; None for requests without columns."""
    tensor = _tensor(document)
    if tensor is None or len(tensor.get("shape", ())) != 2:
        return None
    data = tensor["data"][:change] if change < 0 else [*tensor["data"], 0.0]
    shape = [tensor["shape"][0], tensor["shape"][1] + change]
    return json.dumps({"inputs": [tensor | {"data": data, "shape": shape}]}).encode()


def _with(valid: bytes, more: dict[str, Any]) -> bytes:
    document = json.loads(valid)
    return json.dumps((document if isinstance(document, dict) else {}) | more).encode()

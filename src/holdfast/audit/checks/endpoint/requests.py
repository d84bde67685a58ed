"""Requests in the protocols that endpoints speak: valid ones of any number of rows, and malformed ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.core.contract import Contract, Feature

DEPTH = 20_000
QUESTION = "When are you open?"


class Speaker:
    """Writes requests for one protocol. With a contract a row holds a value inside the limits of each feature."""

    def __init__(self, protocol: str, contract: Contract | None) -> None:
        self.protocol = protocol
        self.row = [] if contract is None else [_inside(feature) for feature in contract.features]

    @property
    def fluent(self) -> bool:
        """Whether a valid request can be written at all: tensors need a contract that says how wide a row is."""
        return self.protocol == "json" or bool(self.row)

    def valid(self, rows: int = 1) -> bytes:
        """A request that a sound endpoint answers."""
        if self.protocol == "json":
            return _json({"inputs": [self.row or QUESTION] * rows})
        return _json(_tensor([rows, len(self.row)], self.row * rows))

    def padded(self, size: int) -> bytes:
        """A valid request with white space up to `size` bytes: only its length is unusual."""
        body = self.valid()
        return body[:-1] + b" " * max(0, size - len(body)) + body[-1:]

    def malformed(self) -> Iterator[tuple[str, bytes, bool]]:
        """Name, body, and whether only a refusal (4xx) will do; of the others it is enough that nothing breaks."""
        valid = self.valid()
        yield "broken JSON", valid[:-2], True
        yield "empty body", b"", True
        yield "no JSON at all", b"\x00\xff\xfe" * 20, True
        yield "no inputs", b'{"outputs": []}', True
        yield "inputs of a wrong type", b'{"inputs": null}', True
        yield "deep nesting", b'{"inputs": ' + b"[" * DEPTH + b"]" * DEPTH + b"}", False
        yield "a number beyond any float", b'{"inputs": [1' + b"0" * 5000 + b"]}", False
        if self.protocol != "json":
            yield from self._malformed_tensors()

    def _malformed_tensors(self) -> Iterator[tuple[str, bytes, bool]]:
        width, row = len(self.row), list(self.row)
        yield "texts for numbers", _json(_tensor([1, width], ["x"] * width)), True
        yield "a feature too few", _json(_tensor([1, width - 1], row[:-1])), True
        yield "a feature too many", _json(_tensor([1, width + 1], [*row, 0.0])), True
        yield "a shape that lies", _json(_tensor([1000, width], row)), True
        yield "a negative shape", _json(_tensor([-7, width], row)), True
        yield "an infinite number", _json(_tensor([1, width], [math.inf, *row[1:]])), True
        yield "not a number", _json(_tensor([1, width], [math.nan, *row[1:]])), False
        yield "huge numbers", _json(_tensor([1, width], [1e308] * width)), False


def _tensor(shape: list[int], data: Sequence[float | str]) -> dict[str, object]:
    return {"inputs": [{"name": "input", "shape": shape, "datatype": "FP64", "data": data}]}


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _inside(feature: Feature) -> float:
    if feature.type == "category":
        return feature.codes[0]
    return min(max(1.0, feature.min), feature.max)

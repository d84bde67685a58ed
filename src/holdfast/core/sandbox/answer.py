"""What a model answered, once it has been checked: everything a model says is hostile input."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain import Fact
from holdfast.core.errors import TargetError
from holdfast.core.sandbox.faults import target_error
from holdfast.core.sandbox.inside.wire import MAGIC
from holdfast.core.sandbox.limits import Isolation

MAX_HEADER = 256 * 1024
MAX_WIDTH = 10_000
MAX_LABEL = 200

Label = int | float | str | bool


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """`scores` is float64 (n, k), finite.

    Probabilities: a column per class (two for a binary model). Margins: as the library gives them (one column for a
    binary model). Regressors: one column, and no classes.
    """

    scores: NDArray[np.float64]
    classes: tuple[Label, ...]
    isolation: Isolation
    libraries: Mapping[str, str]
    facts: tuple[Fact, ...]


def header_size(head: bytes) -> int:
    """Length of the header behind the first 8 bytes of an answer."""
    magic, size = struct.unpack("<4sI", head)
    if magic != MAGIC or size > MAX_HEADER:
        raise lying("the answer does not start as an answer does")
    return int(size)


def read_header(text: bytes) -> dict[str, Any]:
    """The header of an answer, with the length of its one blob under `size`."""
    try:
        header = json.loads(text)
        blobs = header["blobs"]
        size = blobs[0] if blobs else 0
        if not (isinstance(header["ok"], bool) and len(blobs) <= 1 and type(size) is int and size >= 0):
            raise ValueError
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise lying("its header is not what was asked for") from None
    return {**header, "size": size}


def expected_size(header: Mapping[str, Any], rows: int) -> int:
    """The bytes that scores for `rows` rows take, if the header claims just that."""
    width = header.get("width")
    if type(width) is not int or not 1 <= width <= MAX_WIDTH or header.get("rows") != rows:
        raise lying(f"it has {_short(header.get('rows'))} rows of {_short(width)} scores; {rows} rows were asked for")
    if header["size"] != rows * width * 8:
        raise lying(f"{header['size']} bytes follow where {rows * width * 8} should")
    return rows * width * 8


def scores_of(blob: bytes, rows: int) -> NDArray[np.float64]:
    """The scores, finite."""
    scores = np.frombuffer(blob, dtype="<f8").reshape(rows, -1)
    if not np.isfinite(scores).all():
        raise lying("some scores are NaN or infinite")
    return scores


def classes_of(header: Mapping[str, Any], width: int) -> tuple[Label, ...]:
    """The class labels: none, or as many as there are scores (two for the margin of a binary model)."""
    labels = header.get("classes")
    if not isinstance(labels, list) or not all(_is_label(label) for label in labels):
        raise lying("its classes are not labels")
    if labels and len(labels) != width and (len(labels), width) != (2, 1):
        raise lying(f"it has {len(labels)} classes and {width} scores per row")
    return tuple(labels)


def lying(why: str) -> TargetError:
    """The error for an answer that does not fit the question."""
    return target_error("output", f"its answer cannot be used: {why}")


def _is_label(label: object) -> bool:
    if isinstance(label, float):
        return math.isfinite(label)
    return isinstance(label, int) or (isinstance(label, str) and len(label) <= MAX_LABEL)


def _short(value: object) -> str:
    return repr(value)[:40]

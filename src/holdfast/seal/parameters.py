"""Parameters as an attestation can say them: plain values, bounded, the same for the same parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

MAX_ENTRIES: Final = 2_000
MAX_TEXT: Final = 2_000
MAX_DEPTH: Final = 8


def plain(value: Any, depth: int = 0) -> Any:
    """A value for JSON. What has no plain form is named by its type: no address in memory gets into a statement."""
    value = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {str(key)[:MAX_TEXT]: plain(item, depth + 1) for key, item in list(value.items())[:MAX_ENTRIES]}
    if depth < MAX_DEPTH and isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value[:MAX_ENTRIES]]
    return type_name(value)


def type_name(value: Any) -> str:
    """`package.module.Name` of a function, a class, or an object's class."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"[:MAX_TEXT]


def parameters_of(estimator: Any) -> Any:
    """What an estimator says of itself in scikit-learn's way; {} where it says nothing."""
    ask = getattr(estimator, "get_params", None)
    return plain(ask()) if callable(ask) else {}

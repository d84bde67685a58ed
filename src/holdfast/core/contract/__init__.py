"""The feature contract: one declared input space for attacks, training, data checks, the gateway and the monitor.

Parsing a contract needs no numpy; `infer` and `FeatureMap` load it when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.core.contract.contract import Contract, Feature
from holdfast.core.contract.ir import TOLERANCE, Constraint, Derived, Factor, Row, Term

if TYPE_CHECKING:
    from holdfast.core.contract.featuremap import FeatureMap
    from holdfast.core.contract.mining import Draft, infer
    from holdfast.core.contract.repair import Projection
    from holdfast.core.contract.validity import Broken, Validity

__all__ = [
    "TOLERANCE",
    "Broken",
    "Constraint",
    "Contract",
    "Derived",
    "Draft",
    "Factor",
    "Feature",
    "FeatureMap",
    "Projection",
    "Row",
    "Term",
    "Validity",
    "infer",
]

_LAZY = {
    "Broken": "validity",
    "Draft": "mining",
    "FeatureMap": "featuremap",
    "Projection": "repair",
    "Validity": "validity",
    "infer": "mining",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)

"""Data sets under seal, models trained from nothing else, and the files of models signed and checked.

    from holdfast.seal import training

    with training("train.parquet", label="default", seed=7) as run:
        model = run.fit(estimator)
        run.save(model, "model.json")

Importing the room costs nothing; names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from holdfast.seal.checking import check
    from holdfast.seal.making import make
    from holdfast.seal.signing import sign
    from holdfast.seal.trainer import Training, training
    from holdfast.seal.verifying import verify

__all__ = ["Training", "check", "make", "sign", "training", "verify"]

_LAZY = {
    "Training": "trainer",
    "check": "checking",
    "make": "making",
    "sign": "signing",
    "training": "trainer",
    "verify": "verifying",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)

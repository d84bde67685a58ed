"""Writing a model by whatever way it has itself. No model library is imported here: a trained model brought its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.core.errors import UsageError
from holdfast.seal.parameters import type_name

Write = Callable[[Path], object]


def writer(model: Any) -> Write:
    """How `model` is written to a path. Raises UsageError HF-SEA-015 where it has no way we know.

    XGBoost, CatBoost and LightGBM boosters: `save_model`. LightGBM's estimators: their booster. torch modules: the
    state of their weights. scikit-learn's estimators and pipelines: joblib, which they come with.
    """
    for holder in (model, getattr(model, "booster_", None)):
        save = getattr(holder, "save_model", None)
        if callable(save):
            return lambda path: save(str(path))
    torch = sys.modules.get("torch")
    if torch is not None and callable(getattr(model, "state_dict", None)):
        return lambda path: torch.save(model.state_dict(), path)
    if callable(getattr(model, "get_params", None)) and "sklearn" in sys.modules:
        return lambda path: _joblib(model, path)
    raise UsageError(
        f"it is not known how to save a {type_name(model)}",
        cause="it has no save_model, is no torch module and no scikit-learn estimator",
        fix="say how: run.save(model, path, write=lambda path: ...), or save it yourself and run.attest(path)",
        code="HF-SEA-015",
    )


def _joblib(model: Any, path: Path) -> None:
    import joblib

    joblib.dump(model, path)

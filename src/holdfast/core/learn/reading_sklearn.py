"""What a fitted scikit-learn estimator keeps of its settings, read in the pickle's object graph; none is unpickled."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import Fault, Window, open_buffer
from holdfast.core.formats.containers import COMPRESSIONS, inflate
from holdfast.core.formats.instances import Instance, Source
from holdfast.core.formats.pickle import read_pickles
from holdfast.core.formats.sniff import compression_of, sniff_window
from holdfast.core.formats.steps import pipeline
from holdfast.core.learn.design import Design, Library

MAX_INFLATED = 2 << 30
MAX_NESTED = 8
_FAMILIES = {
    "RandomForestClassifier": Design(Library.FOREST, depth=0),
    "ExtraTreesClassifier": Design(Library.EXTRA_TREES, depth=0, resampled=False),
    "DecisionTreeClassifier": Design(Library.FOREST, trees=1, depth=0, resampled=False),
    "GradientBoostingClassifier": Design(Library.BOOSTING, depth=3),
    "HistGradientBoostingClassifier": Design(Library.HISTOGRAM, depth=0, leaves=31, min_rows=20, bins=255),
    "XGBClassifier": Design(Library.XGBOOST, rate=0.3, min_weight=1.0, l2=1.0),
    "LGBMClassifier": Design(Library.LIGHTGBM, depth=0, leaves=31, min_rows=20, min_weight=1e-3, bins=255),
    "LogisticRegression": Design(Library.LOGISTIC),
    "MLPClassifier": Design(Library.NET),
}
_NAMES = {
    "n_estimators": "trees",
    "max_iter": "trees",
    "max_depth": "depth",
    "max_leaf_nodes": "leaves",
    "num_leaves": "leaves",
    "learning_rate": "rate",
    "min_samples_leaf": "min_rows",
    "min_child_samples": "min_rows",
    "min_child_weight": "min_weight",
    "reg_lambda": "l2",
    "l2_regularization": "l2",
    "subsample": "row_share",
    "max_samples": "row_share",
    "colsample_bytree": "column_share",
    "max_bins": "bins",
    "max_bin": "bins",
    "bootstrap": "resampled",
}
_FOREIGN = {"MLPClassifier": {"max_iter", "learning_rate"}, "LogisticRegression": {"max_iter"}}
"""Words that mean something else there."""


def read_estimator(path: Path) -> Design | None:
    """The settings of the estimator at the end of the pipeline in `path`; None where there is none that is known."""
    try:
        with open_buffer(path) as data:
            found = _graph(data)
            return None if found is None else _design(_last(found, 0))
    except (FormatError, Fault):
        return None


def _graph(data: Any) -> Instance | None:
    window = Window.whole(data)
    kind = sniff_window(window)
    squeezed = compression_of(window) if kind == "joblib" or kind in COMPRESSIONS else None
    if squeezed is not None:
        data = inflate(window, squeezed, MAX_INFLATED).data
        kind = sniff_window(Window.whole(data))
    return Instance.maybe(read_pickles(data).value, Source(data)) if kind in ("pickle", "joblib") else None


def _last(found: Instance, nested: int) -> Instance:
    """The estimator inside pipelines and searches."""
    if nested > MAX_NESTED:
        return found
    if found.name == "Pipeline" and (steps := pipeline(found)):
        return _last(Instance.of(steps[-1], found.source), nested + 1)
    if "best_estimator_" in found.attributes:
        return _last(found.child("best_estimator_"), nested + 1)
    return found


def _design(found: Instance) -> Design | None:
    base = _FAMILIES.get(found.name)
    if base is None:
        return None
    skipped = _FOREIGN.get(found.name, set())
    said = ((ours, _setting(found, theirs)) for theirs, ours in _NAMES.items() if theirs not in skipped)
    given: dict[str, float | bool | None] = {name: value for name, value in said if value is not None and value != -1}
    if base.library in (Library.FOREST, Library.EXTRA_TREES, Library.BOOSTING):
        given["column_share"] = _looked_at(found, base.library)
    return base.told(given)


def _setting(found: Instance, name: str) -> float | bool | None:
    value = found.attributes.get(name)
    return value if isinstance(value, bool | int | float) else None  # text and None are defaults


def _looked_at(found: Instance, library: Library) -> float | None:
    """`max_features` as a share of the columns; "auto" and the default of forests are the root."""
    width = max(1, found.whole("n_features_in_"))
    value = found.attributes.get("max_features", None if library is Library.BOOSTING else "sqrt")
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value / width
    share = {"sqrt": math.sqrt(width), "auto": math.sqrt(width), "log2": math.log2(width)}
    return share.get(value, width) / width if isinstance(value, str) else 1.0

"""Versions of the model libraries an interpreter has, from the names of their metadata folders: nothing is imported."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

LIBRARIES = frozenset((
    *("xgboost", "xgboost-cpu", "lightgbm", "catboost", "scikit-learn", "numpy", "scipy", "pandas", "joblib"),
    *("onnx", "onnxruntime", "onnxruntime-gpu", "skl2onnx", "skops", "cloudpickle", "dill", "pyarrow", "polars"),
    *("torch", "tensorflow", "keras", "statsmodels", "category-encoders", "imbalanced-learn", "feature-engine"),
))  # fmt: skip
_METADATA = re.compile(r"(.+?)-(\d[^-]*)(?:-py[\d.]+)?\.(?:dist|egg)-info")


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Version by distribution name, for the model libraries among what lies in these site-packages folders."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            match = _METADATA.fullmatch(name)
            if match:
                found.setdefault(re.sub(r"[-_.]+", "-", match.group(1)).lower(), match.group(2))
    return {name: version for name, version in sorted(found.items()) if name in LIBRARIES}

"""Design of an artifact, read as data. Each file tells other things; what it keeps silent is the library's default."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import open_buffer
from holdfast.core.formats.read import read_trees
from holdfast.core.formats.trees import LEAF, Link, TreeEnsemble
from holdfast.core.learn.design import Design, Library
from holdfast.core.learn.reading_sklearn import read_estimator
from holdfast.core.learn.reading_xgboost import read_growth

GUESS = Design(Library.NET)
_TAIL_BYTES = 1 << 16
_SETTING = re.compile(r"^\[(\w+): ([-+.\deE]+)\]$", re.MULTILINE)
_LIGHTGBM = {
    "num_leaves": "leaves",
    "max_depth": "depth",
    "learning_rate": "rate",
    "min_data_in_leaf": "min_rows",
    "min_sum_hessian_in_leaf": "min_weight",
    "lambda_l2": "l2",
    "feature_fraction": "column_share",
    "max_bin": "bins",
}


def read_design(path: Path) -> Design:
    """How the model in `path` was trained; `GUESS` where it cannot be read. Never raises for what a file holds."""
    try:
        ensemble = read_trees(path).ensemble
    except FormatError:
        return read_estimator(path) or GUESS
    if ensemble.source == "sklearn-joblib":
        settings = read_estimator(path)
        return of_trees(ensemble) if settings is None else settings.told({"trees": rounds(ensemble)})
    if ensemble.source == "lightgbm-text":
        return of_trees(ensemble).told(_parameters(path))
    if ensemble.source.startswith("xgboost"):
        return of_trees(ensemble).told(read_growth(path))
    return of_trees(ensemble)


def of_trees(trees: TreeEnsemble) -> Design:
    """What the trees themselves show: how many, how deep, averaged or summed."""
    shape = {"trees": rounds(trees), "depth": depth(trees)}
    if trees.source.startswith("xgboost"):
        return Design(Library.XGBOOST, rate=0.3, min_weight=1.0, l2=1.0).told(shape)
    if trees.source.startswith("lightgbm"):
        return Design(Library.LIGHTGBM, leaves=31, min_rows=20, min_weight=1e-3, bins=255).told(shape)
    if trees.link is Link.MEAN:
        return Design(Library.FOREST, column_share=0.3).told(shape)
    return Design(Library.HISTOGRAM, min_rows=20, bins=255).told(shape)


def rounds(trees: TreeEnsemble) -> int:
    """Trees per output: of several classes each round grows one tree for each."""
    shared = bool(trees.tree_output.size) and int(trees.tree_output[0]) == -1
    return max(1, trees.n_trees if shared else trees.n_trees // max(1, trees.n_outputs))


def depth(trees: TreeEnsemble) -> int:
    """The longest path, in tests."""
    front, levels = trees.roots, 0
    while (inner := front[trees.feature[front] != LEAF]).size:
        front, levels = np.concatenate([trees.left[inner], trees.right[inner]]), levels + 1
    return levels


def _parameters(path: Path) -> dict[str, float | bool | None]:
    """LightGBM writes its settings behind the trees."""
    with open_buffer(path) as data:
        text = bytes(data[max(0, len(data) - _TAIL_BYTES) :]).decode("utf-8", "replace")
    said = {name: _number(value) for name, value in _SETTING.findall(text.rpartition("\nparameters:")[2])}
    found: dict[str, float | bool | None] = {ours: said.get(theirs) for theirs, ours in _LIGHTGBM.items()}
    if (found["depth"] or 0) <= 0:
        found["depth"] = None if found["leaves"] is None else 0  # "-1" is no bound
    found["row_share"] = said.get("bagging_fraction") if (said.get("bagging_freq") or 0) > 0 else None
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

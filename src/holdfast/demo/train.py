"""Trains one model of the demo, in a process of its own: `python -m holdfast.demo.train LEARNER FOLDER LABEL SEED`.

A library that has started its threads must not be forked afterwards, and the demo forks workers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]
THREADS = 2


def train(learner: str, folder: Path, artifact: str, label: str, seed: int) -> None:
    """Fit `learner` on `folder/train.parquet` and save it as `folder/artifact`."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "train.parquet")
    names = [name for name in table.column_names if name != label]
    X = np.column_stack([table[name].to_numpy().astype(np.float64) for name in names])
    LEARNERS[learner](X, table[label].to_numpy(), names, str(folder / artifact), seed)


def _xgboost(X: Matrix, y: Matrix, names: list[str], path: str, seed: int) -> None:
    import xgboost

    settings = {"objective": "binary:logistic", "max_depth": 5, "eta": 0.15, "subsample": 0.9}
    data = xgboost.DMatrix(X, label=y, feature_names=names)
    model = xgboost.train({**settings, "seed": seed, "nthread": THREADS}, data, num_boost_round=80)
    model.save_model(path)


def _lightgbm(X: Matrix, y: Matrix, names: list[str], path: str, seed: int) -> None:
    import lightgbm

    settings = {"objective": "binary", "num_leaves": 15, "min_child_samples": 40, "deterministic": True, "verbose": -1}
    model = lightgbm.train(
        {**settings, "seed": seed, "num_threads": THREADS, "force_row_wise": True},
        lightgbm.Dataset(X, label=y, feature_name=names),
        num_boost_round=80,
    )
    model.save_model(path)


def _scikit_learn(X: Matrix, y: Matrix, names: list[str], path: str, seed: int) -> None:
    import joblib
    import pandas
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=12, min_samples_leaf=40, random_state=seed)
    joblib.dump(model.fit(pandas.DataFrame(X, columns=names), y), path)


def _onnx(X: Matrix, y: Matrix, names: list[str], path: str, seed: int) -> None:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=60, max_depth=3, min_samples_leaf=40, random_state=seed).fit(X, y)
    inputs = [("input", FloatTensorType([None, len(names)]))]
    graph = convert_sklearn(model, initial_types=inputs, options={"zipmap": False})
    Path(path).write_bytes(graph.SerializeToString())


LEARNERS = {"xgboost": _xgboost, "lightgbm": _lightgbm, "scikit-learn": _scikit_learn, "onnx": _onnx}

if __name__ == "__main__":
    _learner, _folder, _artifact, _label, _seed = sys.argv[1:]
    train(_learner, Path(_folder), _artifact, _label, int(_seed))

"""Trains one model of the demo, in a process of its own: `python -m holdfast.demo.train LEARNER FOLDER LABEL SEED`.

A library that has started its threads must not be forked afterwards, and the demo forks workers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

THREADS = 2


def train(learner: str, folder: Path, artifact: str, label: str, seed: int) -> None:
    """Fit `learner` on `folder/train.parquet` and save it as `folder/artifact`."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(folder / "train.parquet").to_pandas()
    y = table.pop(label).to_numpy()
    LEARNERS[learner](table, y, str(folder / artifact), seed)


def _xgboost(X: Any, y: NDArray[Any], path: str, seed: int) -> None:
    import xgboost

    model = xgboost.XGBClassifier(
        n_estimators=80, max_depth=5, learning_rate=0.15, subsample=0.9, random_state=seed, n_jobs=THREADS
    )
    model.fit(X, y)
    model.save_model(path)


def _lightgbm(X: Any, y: NDArray[Any], path: str, seed: int) -> None:
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=80,
        num_leaves=15,
        min_child_samples=40,
        random_state=seed,
        n_jobs=THREADS,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    model.fit(X, y)
    model.booster_.save_model(path)


LEARNERS = {"xgboost": _xgboost, "lightgbm": _lightgbm}

if __name__ == "__main__":
    _learner, _folder, _artifact, _label, _seed = sys.argv[1:]
    train(_learner, Path(_folder), _artifact, _label, int(_seed))

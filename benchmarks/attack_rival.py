"""ART's HopSkipJump on the same rows, given a predict function that itself rounds and projects.

    .venv-rivals/bin/python benchmarks/attack_rival.py MODEL.json TASK.npz OUT.npz

Runs in the rivals' own environment and imports nothing of Holdfast. TASK holds rows, the training minimum and range,
and what the contract of `contracts/credit.yaml` says, as arrays; OUT gets the moved rows and CPU seconds.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import xgboost

warnings.filterwarnings("ignore")

from art.attacks.evasion import HopSkipJump  # noqa: E402
from art.estimators.classification import BlackBoxClassifier  # noqa: E402

PAY = slice(5, 11)
BILL_NOW = 11
PAID = slice(17, 23)


def project(X: np.ndarray, was: np.ndarray, task: dict[str, np.ndarray]) -> np.ndarray:
    """Rows as the contract allows them: integers, bounds, what may not move, the budget, the payment history."""
    found = np.clip(np.rint(X), task["low"], task["high"])
    found = np.where(task["fixed"], was, found)
    extra = np.maximum(found[:, PAID] - was[PAID], 0.0)
    spent = extra.sum(axis=1, keepdims=True)
    extra = np.where(spent > task["budget"], np.floor(extra * (task["budget"] / np.maximum(spent, 1.0))), extra)
    found[:, PAID] = was[PAID] + extra
    for month in range(4, -1, -1):
        now, before = found[:, PAY][:, month], found[:, PAY][:, month + 1]
        found[:, PAY.start + month] = np.where(now >= 3, np.minimum(now, np.maximum(2, before + 1)), now)
    owing = (found[:, PAY.start] >= 2) | (found[:, PAY.start] == 0)
    found[:, BILL_NOW] = np.where(owing, np.maximum(found[:, BILL_NOW], 1.0), found[:, BILL_NOW])
    return found


def classifier(
    booster: xgboost.Booster, was: np.ndarray, task: dict[str, np.ndarray]
) -> tuple[BlackBoxClassifier, Callable[[np.ndarray], np.ndarray]]:
    """The model as an endpoint that projects what it is sent, and the way back from [0, 1] to raw units."""

    def raw(Z: np.ndarray) -> np.ndarray:
        return project(Z.astype(np.float64) * task["range"] + task["least"], was, task)

    def predict(Z: np.ndarray) -> np.ndarray:
        flagged = booster.inplace_predict(raw(Z)) > 0.5
        return np.stack([~flagged, flagged], axis=1).astype(np.float32)

    return BlackBoxClassifier(predict, input_shape=(was.size,), nb_classes=2, clip_values=(0.0, 1.0)), raw


def main() -> None:
    """Attack row by row."""
    model, task_file, out = sys.argv[1:4]
    booster = xgboost.Booster(model_file=model)
    booster.set_param({"nthread": 1})
    task = dict(np.load(task_file))
    np.random.seed(0)
    moved, seconds = [], []
    for was in task["rows"]:
        endpoint, raw = classifier(booster, was, task)
        search = HopSkipJump(
            endpoint, norm=np.inf, max_iter=20, max_eval=2000, init_eval=50, init_size=500, verbose=False
        )
        start = ((was - task["least"]) / task["range"])[None].astype(np.float32)
        begun = time.process_time()
        found = search.generate(x=start)
        seconds.append(time.process_time() - begun)
        moved.append(raw(found)[0])
    np.savez(out, moved=np.array(moved), seconds=np.array(seconds))


if __name__ == "__main__":
    main()

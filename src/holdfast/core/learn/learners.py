"""XGBoost and LightGBM behind one face. Only the training process imports this: it starts the libraries' threads."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.read import read_buffer
from holdfast.core.formats.trees import LEAF, NUMERIC
from holdfast.core.learn.interface import Fitted, Growth, Learner

Floats = NDArray[np.float64]
ROWS_PER_THREAD = 50_000
MAX_THREADS = 2
MIN_ROWS_PER_HESSIAN = 4
"""LightGBM also counts rows: one row holds at most a quarter of a unit of second derivative."""


def learner_of(source: str, order: tuple[int, ...], names: tuple[str, ...]) -> Learner:
    """The library that made an artifact. `order` are the contract columns it reads, `names` what it calls them."""
    if source.startswith("xgboost"):
        return XGBoost(order, names, source.removeprefix("xgboost-"))
    return LightGBM(order, names)


@dataclass(frozen=True)
class XGBoost:
    """`form` is json or ubj."""

    order: tuple[int, ...]
    names: tuple[str, ...]
    form: str

    def fit(self, X: Floats, y: Floats, weights: Floats, growth: Growth, signs: tuple[int, ...], seed: int) -> Fitted:
        """Train by histogram on a fixed number of threads."""
        import xgboost

        settings = {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_depth": growth.depth,
            "eta": growth.rate,
            "min_child_weight": growth.min_leaf,
            "lambda": growth.l2,
            "colsample_bynode": growth.column_share,
            "max_bin": growth.bins,
            "monotone_constraints": "(" + ",".join(str(signs[column]) for column in self.order) + ")",
            "subsample": 0.8,
            "seed": seed,
            "nthread": threads(len(X)),
            "verbosity": 0,
        }
        rows = xgboost.DMatrix(
            X[:, self.order], y, weight=weights, feature_names=list(self.names) or None, nthread=threads(len(X))
        )
        return XGBoostFitted(self, xgboost.train(settings, rows, growth.trees))


@dataclass(frozen=True)
class XGBoostFitted:
    """A booster."""

    learner: XGBoost
    booster: Any

    def margins(self, X: Floats) -> Floats:
        """As the library computes them."""
        import xgboost

        rows = xgboost.DMatrix(
            X[:, self.learner.order], feature_names=list(self.learner.names) or None, nthread=threads(len(X))
        )
        return np.asarray(self.booster.predict(rows, output_margin=True), np.float64)

    def cuts(self) -> Mapping[int, Floats]:
        """Of the saved trees."""
        return _cuts(self.save(), self.learner.order)

    def shifted(self, shift: float) -> Fitted:
        """The intercept is a probability in the file; its log-odds move."""
        import xgboost

        document = json.loads(self.booster.save_raw("json"))
        settings = document["learner"]["learner_model_param"]
        written = str(settings["base_score"])
        base = float(written.strip("[]"))
        moved = repr(1 / (1 + math.exp(-(math.log(base / (1 - base)) + shift))))
        settings["base_score"] = f"[{moved}]" if written.startswith("[") else moved
        moved_booster = xgboost.Booster(model_file=bytearray(json.dumps(document).encode()))
        moved_booster.set_param({"nthread": MAX_THREADS})
        return XGBoostFitted(self.learner, moved_booster)

    def save(self) -> bytes:
        """JSON or UBJSON."""
        return bytes(self.booster.save_raw(self.learner.form))


@dataclass(frozen=True)
class LightGBM:
    """Saves text."""

    order: tuple[int, ...]
    names: tuple[str, ...]

    def fit(self, X: Floats, y: Floats, weights: Floats, growth: Growth, signs: tuple[int, ...], seed: int) -> Fitted:
        """Train deterministically."""
        import lightgbm

        settings = {
            "objective": "binary",
            "max_depth": growth.depth,
            "num_leaves": 2**growth.depth,
            "learning_rate": growth.rate,
            "min_sum_hessian_in_leaf": growth.min_leaf,
            "min_data_in_leaf": max(1, round(growth.min_leaf * MIN_ROWS_PER_HESSIAN)),
            "lambda_l2": growth.l2,
            "feature_fraction_bynode": growth.column_share,
            "max_bin": growth.bins - 1,
            "monotone_constraints": [signs[column] for column in self.order],
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "num_threads": threads(len(X)),
            "verbose": -1,
        }
        rows = lightgbm.Dataset(X[:, self.order], y, weight=weights, feature_name=list(self.names) or "auto")
        return LightGBMFitted(self, lightgbm.train(settings, rows, growth.trees))


@dataclass(frozen=True)
class LightGBMFitted:
    """A booster."""

    learner: LightGBM
    booster: Any

    def margins(self, X: Floats) -> Floats:
        """As the library computes them."""
        return np.asarray(self.booster.predict(X[:, self.learner.order], raw_score=True, num_threads=threads(len(X))))

    def cuts(self) -> Mapping[int, Floats]:
        """Of the saved trees."""
        return _cuts(self.save(), self.learner.order)

    def shifted(self, shift: float) -> Fitted:
        """There is no intercept in the file, so every leaf of the first tree moves."""
        import lightgbm

        moved = lightgbm.Booster(model_str=self.booster.model_to_string())
        first = self.booster.dump_model(num_iteration=1)["tree_info"][0]
        for leaf in range(first["num_leaves"]):
            moved.set_leaf_output(0, leaf, moved.get_leaf_output(0, leaf) + shift)
        return LightGBMFitted(self.learner, moved)

    def save(self) -> bytes:
        """Text."""
        return bytes(self.booster.model_to_string().encode())


def threads(rows: int) -> int:
    """By the rows alone, never the machine: sums over threads round differently. Small fits only lose by sharing."""
    return min(MAX_THREADS, 1 + rows // ROWS_PER_THREAD)


def _cuts(artifact: bytes, order: tuple[int, ...]) -> Mapping[int, Floats]:
    trees = read_buffer(artifact).ensemble
    tested = (trees.feature != LEAF) & (trees.category == NUMERIC)
    return {
        order[number]: np.unique(trees.threshold[tested & (trees.feature == number)])
        for number in np.unique(trees.feature[tested])
    }

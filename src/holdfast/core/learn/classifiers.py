"""Classifiers trained by a design. Only a training process imports this: the libraries start threads.

Each fit runs on one thread, so that its numbers depend on nothing but rows, labels, design and seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.learn.design import Design, Library

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Predict = Callable[[Floats], Floats]
"""Raw rows (n, d) to class probabilities (n, k)."""
_BINARY = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """What is told apart. `categories` are the columns that hold codes, not amounts."""

    classes: int
    categories: tuple[int, ...] = ()


def fit(design: Design, problem: Problem, X: Floats, y: Labels, seed: int) -> Predict:
    """Train on rows (n, d), NaN missing, and labels 0 to k-1 (n,)."""
    trained = np.unique(y)
    if trained.size < 2:
        return _constant(int(trained[0]) if trained.size else 0, problem.classes)
    match design.library:
        case Library.XGBOOST:
            return _xgboost(design, problem, X, y, seed)
        case Library.LIGHTGBM:
            return _lightgbm(design, problem, X, y, seed)
    return _scikit_learn(design, problem, X, y, seed)


def _constant(only: int, classes: int) -> Predict:
    """Rows of one class teach nothing else."""

    def predict(X: Floats) -> Floats:
        found = np.zeros((len(X), classes))
        found[:, only] = 1.0
        return found

    return predict


def _xgboost(design: Design, problem: Problem, X: Floats, y: Labels, seed: int) -> Predict:
    import xgboost

    objective = "binary:logistic" if problem.classes == _BINARY else "multi:softprob"
    settings = {
        "objective": objective,
        "tree_method": "hist",
        "max_depth": design.depth,
        "max_leaves": design.leaves,
        "eta": design.rate,
        "min_child_weight": design.min_weight,
        "lambda": design.l2,
        "subsample": design.row_share,
        "colsample_bytree": design.column_share,
        "max_bin": design.bins,
        "seed": seed,
        "nthread": 1,
        "verbosity": 0,
    } | ({} if problem.classes == _BINARY else {"num_class": problem.classes})
    rows = xgboost.QuantileDMatrix(X.astype(np.float32), y, max_bin=design.bins, nthread=1)
    booster = xgboost.train(settings, rows, design.trees)

    def predict(X: Floats) -> Floats:
        return _columns(booster.inplace_predict(X.astype(np.float32)), problem.classes)

    return predict


def _lightgbm(design: Design, problem: Problem, X: Floats, y: Labels, seed: int) -> Predict:
    import lightgbm

    settings = {
        "objective": "binary" if problem.classes == _BINARY else "multiclass",
        "max_depth": design.depth or -1,
        "num_leaves": min(design.leaves or 2 ** min(design.depth or 5, 14), 1 << 14),
        "learning_rate": design.rate,
        "min_data_in_leaf": design.min_rows,
        "min_sum_hessian_in_leaf": design.min_weight,
        "lambda_l2": design.l2,
        "bagging_fraction": design.row_share,
        "bagging_freq": int(design.row_share < 1),
        "feature_fraction": design.column_share,
        "max_bin": design.bins,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "num_threads": 1,
        "verbose": -1,
    } | ({} if problem.classes == _BINARY else {"num_class": problem.classes})
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), design.trees)

    def predict(X: Floats) -> Floats:
        return _columns(np.asarray(booster.predict(X, num_threads=1)), problem.classes)

    return predict


def _columns(scores: Any, classes: int) -> Floats:
    """(n, k); of two classes both libraries give the second alone."""
    given = np.asarray(scores, np.float64)
    return given if classes != _BINARY or given.ndim == 2 else np.column_stack([1.0 - given, given])


def _scikit_learn(design: Design, problem: Problem, X: Floats, y: Labels, seed: int) -> Predict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a net stops after a fixed number of rounds, settled or not
        model = _estimator(design, problem, X, seed).fit(X, y)
    seen = np.asarray(model.classes_, np.int64)

    def predict(X: Floats) -> Floats:
        found = np.zeros((len(X), problem.classes))
        found[:, seen] = model.predict_proba(X)
        return found

    return predict


def _estimator(design: Design, problem: Problem, X: Floats, seed: int) -> Any:
    match design.library:
        case Library.FOREST | Library.EXTRA_TREES:
            return _forest(design, X, seed)
        case Library.BOOSTING:
            return _boosting(design, seed)
        case Library.LOGISTIC:
            from sklearn.linear_model import LogisticRegression

            return _prepared(problem, X, LogisticRegression(max_iter=500))
        case Library.NET:
            from sklearn.neural_network import MLPClassifier

            net = MLPClassifier((64, 32), random_state=seed, max_iter=30, n_iter_no_change=30)
            return _prepared(problem, X, net)
    return _histogram(design, seed)


def _forest(design: Design, X: Floats, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    kind = RandomForestClassifier if design.library is Library.FOREST else ExtraTreesClassifier
    return kind(
        n_estimators=design.trees,
        max_depth=design.depth or None,
        max_leaf_nodes=design.leaves if design.leaves > 1 else None,
        min_samples_leaf=design.min_rows,
        max_features=max(1, round(design.column_share * X.shape[1])),
        bootstrap=design.resampled,
        max_samples=design.row_share if design.resampled and design.row_share < 1 else None,
        random_state=seed,
        n_jobs=1,
    )


def _boosting(design: Design, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(
        n_estimators=design.trees,
        max_depth=design.depth or None,
        learning_rate=design.rate,
        min_samples_leaf=design.min_rows,
        subsample=design.row_share,
        max_features=design.column_share,
        random_state=seed,
    )
    return _filled(model)


def _histogram(design: Design, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=design.trees,
        max_depth=design.depth or None,
        max_leaf_nodes=design.leaves if design.leaves > 1 else None,
        learning_rate=design.rate,
        min_samples_leaf=design.min_rows,
        l2_regularization=design.l2,
        max_bins=min(design.bins, 255),
        early_stopping=False,
        random_state=seed,
    )


def _filled(model: Any) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline

    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), model)


def _prepared(problem: Problem, X: Floats, model: Any) -> Any:
    """Amounts standardised, codes spread out: what a linear model or a net needs."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    codes = list(problem.categories)
    amounts = [column for column in range(X.shape[1]) if column not in set(codes)]
    scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    spread = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1.0),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False),
    )
    return make_pipeline(ColumnTransformer([("amounts", scaled, amounts), ("codes", spread, codes)]), model)

"""Saves models of everyday life, each in every protocol and compression: `python scan_benign_make.py FOLDER [PART]...`.

Run under the interpreter whose libraries are meant: every scikit-learn estimator that fits, pipelines and searches over
them, boosters, statistics, torch modules and pandas objects, as far as they are installed. Nothing is imported from
Holdfast. Prints one JSON line with the versions and counts. A part is a name in `PARTS`; without one, all are made.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

import scan_benign_files
import scan_benign_values

LIBRARIES = (
    *("numpy", "pandas", "scipy", "scikit-learn", "xgboost", "xgboost-cpu", "lightgbm", "catboost", "torch", "joblib"),
    *("cloudpickle", "dill", "statsmodels", "imbalanced-learn", "category-encoders", "optbinning"),
)
COMPRESSIONS = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4", "zstd")
SPECIAL: dict[str, Callable[[type], Any]] = {
    "ClassifierChain": lambda kind: kind(_logistic()),
    "ColumnTransformer": lambda kind: kind([("one", "passthrough", [0, 1])]),
    "FeatureUnion": lambda kind: kind([("one", _scaler()), ("two", _scaler())]),
    "FrozenEstimator": lambda kind: kind(fitted(_logistic())),
    "GaussianRandomProjection": lambda kind: kind(2),
    "GridSearchCV": lambda kind: kind(_logistic(), {"C": [0.1, 1.0]}, cv=2),
    "HalvingGridSearchCV": lambda kind: kind(_logistic(), {"C": [0.1, 1.0]}, cv=2),
    "HalvingRandomSearchCV": lambda kind: kind(_logistic(), {"C": [0.1, 1.0]}, cv=2),
    "MultiOutputClassifier": lambda kind: kind(_logistic()),
    "MultiOutputRegressor": lambda kind: kind(_ridge()),
    "OneVsOneClassifier": lambda kind: kind(_logistic()),
    "OneVsRestClassifier": lambda kind: kind(_logistic()),
    "OutputCodeClassifier": lambda kind: kind(_logistic()),
    "Pipeline": lambda kind: kind([("scale", _scaler()), ("model", _logistic())]),
    "RandomizedSearchCV": lambda kind: kind(_logistic(), {"C": [0.1, 1.0]}, cv=2, n_iter=2),
    "RegressorChain": lambda kind: kind(_ridge()),
    "RFE": lambda kind: kind(_logistic()),
    "RFECV": lambda kind: kind(_logistic(), cv=2),
    "SelectFromModel": lambda kind: kind(_logistic()),
    "SelfTrainingClassifier": lambda kind: kind(_logistic()),
    "SequentialFeatureSelector": lambda kind: kind(_logistic(), n_features_to_select=2, cv=2),
    "SparseCoder": lambda kind: kind(np.eye(5)),
    "SparseRandomProjection": lambda kind: kind(2),
    "StackingClassifier": lambda kind: kind([("a", _logistic()), ("b", _logistic())], cv=2),
    "StackingRegressor": lambda kind: kind([("a", _ridge()), ("b", _ridge())], cv=2),
    "TunedThresholdClassifierCV": lambda kind: kind(_logistic(), cv=2),
    "FixedThresholdClassifier": lambda kind: kind(_logistic()),
    "VotingClassifier": lambda kind: kind([("a", _logistic()), ("b", _logistic())]),
    "VotingRegressor": lambda kind: kind([("a", _ridge()), ("b", _ridge())]),
}


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def _ridge() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge()


def _scaler() -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def shapes() -> Iterator[tuple[Any, Any]]:
    """Data of which most estimators take one: numbers, counts, text, labels of several kinds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    y = (X[:, 0] + 0.3 * rng.normal(size=80) > 0).astype(int)
    yield X, y
    yield np.abs(X), y
    yield X, np.column_stack([y, 1 - y])
    yield (X[:, :1], X[:, 0])
    yield (["one two", "two three", "three four five", "one five"] * 20, y)
    yield ([{"a": 1.0, "b": "x"}, {"a": 2.0}] * 40, y)
    yield (y, y)
    yield (np.abs(X) / (1 + np.abs(X)), np.abs(X[:, 0]) + 0.1)
    yield (X @ X.T, y)


def fitted(model: Any) -> Any | None:
    """The model, fitted on the first data it takes, with labels or on the labels alone."""
    for X, y in shapes():
        for given in ((X, y), (y,), ([("a", "b"), ("c",)],)):
            try:
                return model.fit(*given)
            except Exception:
                continue
    return None


def estimators() -> Iterator[tuple[str, Any]]:
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators

    for name, kind in all_estimators():
        try:
            model = fitted(SPECIAL[name](kind) if name in SPECIAL else kind())
        except Exception:
            continue
        if model is not None:
            yield f"sklearn-{name}", model


def pipelines() -> Iterator[tuple[str, Any]]:
    import pandas as pd
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": ["x", "y", "z", "x"] * 20, "c": rng.integers(0, 9, 80)})
    y = rng.integers(0, 2, 80)
    encode = make_column_transformer((StandardScaler(), ["a", "c"]), (OneHotEncoder(handle_unknown="ignore"), ["b"]))
    order = make_column_transformer((SimpleImputer(), ["a", "c"]), (OrdinalEncoder(), ["b"]))
    yield "pipeline-logistic", make_pipeline(encode, _logistic()).fit(frame, y)
    yield "pipeline-forest", make_pipeline(order, RandomForestClassifier(5)).fit(frame, y)
    yield "pipeline-hist", make_pipeline(order, HistGradientBoostingClassifier(max_iter=3)).fit(frame, y)
    yield "pipeline-calibrated", CalibratedClassifierCV(make_pipeline(encode, _logistic()), cv=2).fit(frame, y)
    yield "pipeline-log1p", make_pipeline(FunctionTransformer(np.log1p), _scaler()).fit(np.abs(rng.normal(size=(9, 2))))


def save(folder: Path, name: str, value: Any) -> Iterator[str]:
    """One value in every protocol and compression, and by cloudpickle and dill."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            data = pickle.dumps(value, protocol)
        except Exception:
            return
        (folder / f"{name}-p{protocol}.pkl").write_bytes(data)
        yield f"p{protocol}"
    joblib.dump(value, folder / f"{name}.joblib")
    yield "joblib"
    for kind in COMPRESSIONS:
        try:
            joblib.dump(value, folder / f"{name}-{kind}.joblib", compress=(kind, 3))
        except (ImportError, ValueError):
            continue
        yield kind
    for module in ("cloudpickle", "dill"):
        try:
            file = io.BytesIO()
            __import__(module).dump(value, file)
        except ImportError:
            continue
        (folder / f"{name}-{module}.pkl").write_bytes(file.getvalue())
        yield module


PARTS: dict[str, Callable[[], Iterator[tuple[str, Any]]]] = {
    "estimators": estimators,
    "pipelines": pipelines,
    **scan_benign_values.PARTS,
}


def main() -> None:
    """Make everything, and say what of."""
    warnings.simplefilter("ignore")
    folder, wanted = Path(sys.argv[1]), sys.argv[2:] or [*PARTS, *scan_benign_files.PARTS]
    folder.mkdir(parents=True, exist_ok=True)
    values = files = 0
    for part in wanted:
        for name, value in PARTS[part]() if part in PARTS else ():
            values += 1
            files += sum(1 for _ in save(folder, name, value))
        for _ in scan_benign_files.PARTS[part](folder) if part in scan_benign_files.PARTS else ():
            values += 1
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    print(json.dumps({"versions": versions, "values": values, "pickles": files}))


if __name__ == "__main__":
    main()

"""Saves models of everyday life, each in every protocol and compression: `python scan_benign_make.py FOLDER`.

Run under the interpreter whose libraries are meant: every scikit-learn estimator that fits, pipelines and searches over
them, boosters, statistics, torch modules and pandas objects, as far as they are installed. Nothing is imported from
Holdfast. Prints one JSON line with the versions and counts.
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

LIBRARIES = (
    *("numpy", "pandas", "scipy", "scikit-learn", "xgboost", "xgboost-cpu", "lightgbm", "catboost", "torch", "joblib"),
    *("cloudpickle", "dill", "statsmodels", "imbalanced-learn", "category-encoders", "optbinning"),
)
COMPRESSIONS = ("zlib", "gzip", "bz2", "lzma", "xz", "lz4")
SPECIAL: dict[str, Callable[[type], Any]] = {
    "ClassifierChain": lambda kind: kind(_logistic()),
    "ColumnTransformer": lambda kind: kind([("one", "passthrough", [0, 1])]),
    "FeatureUnion": lambda kind: kind([("one", _scaler()), ("two", _scaler())]),
    "FrozenEstimator": lambda kind: kind(_logistic()),
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
    "SequentialFeatureSelector": lambda kind: kind(_logistic(), n_features_to_select=2, cv=2),
    "SparseCoder": lambda kind: kind(np.eye(5)),
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


def fitted(model: Any) -> Any | None:
    """The model, fitted on the first data it takes."""
    for X, y in shapes():
        try:
            return model.fit(X, y)
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


def boosters() -> Iterator[tuple[str, Any]]:
    X, y = next(iter(shapes()))
    for module, names in (
        ("xgboost", ("XGBClassifier", "XGBRegressor", "XGBRFClassifier")),
        ("lightgbm", ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")),
        ("catboost", ("CatBoostClassifier", "CatBoostRegressor")),
    ):
        try:
            library = __import__(module)
        except ImportError:
            continue
        for name in names:
            quiet = {"verbose": -1} if module == "lightgbm" else ({"verbose": 0} if module == "catboost" else {})
            if module == "catboost":
                quiet["allow_writing_files"] = False
            more = {"group": [40, 40]} if name == "LGBMRanker" else {}
            yield f"{module}-{name}", getattr(library, name)(n_estimators=3, **quiet).fit(X, y, **more)


def statistics() -> Iterator[tuple[str, Any]]:
    X, y = next(iter(shapes()))
    try:
        import statsmodels.api as sm

        yield "statsmodels-ols", sm.OLS(X[:, 0], X[:, 1:]).fit()
        yield "statsmodels-logit", sm.Logit(y, X[:, 1:]).fit(disp=0)
        yield (
            "statsmodels-glm",
            sm.GLM(np.abs(X[:, 0]), X[:, 1:], family=sm.families.Gamma(sm.families.links.Log())).fit(),
        )
    except ImportError:
        pass
    try:
        from imblearn.over_sampling import SMOTE
        from imblearn.pipeline import make_pipeline as make_imbalanced

        yield "imblearn-smote", make_imbalanced(SMOTE(k_neighbors=2), _logistic()).fit(X, y)
    except ImportError:
        pass
    try:
        import category_encoders as encoders

        words = np.array([["a"], ["b"], ["c"], ["a"]] * 20, dtype=object)
        for name in ("TargetEncoder", "WOEEncoder", "OrdinalEncoder", "BinaryEncoder"):
            yield f"encoders-{name}", getattr(encoders, name)().fit(words, y)
    except ImportError:
        pass
    try:
        from optbinning import OptimalBinning

        yield "optbinning", OptimalBinning(name="a", dtype="numerical").fit(X[:, 0], y)
    except ImportError:
        pass


def tables() -> Iterator[tuple[str, Any]]:
    try:
        import pandas as pd
    except ImportError:
        return
    times = pd.date_range("2026-01-01", periods=6, tz="UTC")
    frame = pd.DataFrame({"a": [1, 2, None] * 2, "b": list("xyzxyz"), "t": times, "c": pd.Categorical(list("uvuvuv"))})
    yield "pandas-frame", frame
    yield "pandas-series", frame["a"]
    yield "pandas-index", frame.set_index(["b", "t"]).index
    yield "pandas-grouped", frame.groupby("b")["a"].mean()
    yield "pandas-interval", pd.cut(pd.Series(range(6)), 3)
    yield "pandas-nullable", pd.array([1, None, 3], dtype="Int64")
    yield "numpy-values", {"a": np.arange(6), "b": np.float32(1), "c": np.array(["x"], dtype=object), "d": np.int8(3)}


def networks(folder: Path) -> Iterator[str]:
    """Torch files, saved by torch itself."""
    try:
        import torch
    except ImportError:
        return
    from torch import nn

    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.randn(4, 5)).sum().backward()
    optimiser.step()
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 1)
    things = {
        "module": model,
        "state": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "encoder": encoder,
        "lstm": nn.LSTM(5, 3),
        "conv": nn.Conv2d(1, 2, 3),
        "embedding": nn.Embedding(9, 4),
        "checkpoint": {"epoch": 3, "model": model.state_dict(), "optimiser": optimiser.state_dict()},
    }
    for name, thing in things.items():
        torch.save(thing, folder / f"torch-{name}.pt")
        torch.save(thing, folder / f"torch-{name}-legacy.pt", _use_new_zipfile_serialization=False)
        yield name
    torch.jit.save(torch.jit.script(model.eval()), folder / "torch-script.pt")
    yield "script"


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


def main() -> None:
    """Make everything, and say what of."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    values = files = 0
    for make in (estimators, pipelines, boosters, statistics, tables):
        for name, value in make():
            values += 1
            files += sum(1 for _ in save(folder, name, value))
    values += sum(1 for _ in networks(folder))
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    print(json.dumps({"versions": versions, "values": values, "pickles": files}))


if __name__ == "__main__":
    main()

"""Values that `scan_benign_make.py` saves beside scikit-learn's estimators: what people put into pickles with them."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import importlib
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Values = Iterator[tuple[str, Any]]


def data() -> tuple[np.ndarray, np.ndarray]:
    """80 rows of five numbers, and a label that follows from them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    return X, (X[:, 0] + 0.3 * rng.normal(size=80) > 0).astype(int)


def optional(name: str) -> Any | None:
    """A library, where it is installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def tried(name: str, make: Callable[[], Any]) -> Values:
    """A value that some versions of its library cannot make."""
    try:
        yield name, make()
    except Exception:
        return


def options() -> Values:
    """scikit-learn with the settings that bring other classes into a file: kernels, scorers, selectors, splitters."""
    from sklearn import (
        calibration,
        compose,
        ensemble,
        feature_extraction,
        gaussian_process,
        metrics,
        model_selection,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        svm,
    )

    X, y = data()
    kernels = gaussian_process.kernels
    kernel = kernels.ConstantKernel() * kernels.RBF() + kernels.WhiteKernel() + kernels.Matern()
    yield "options-kernel", gaussian_process.GaussianProcessRegressor(kernel).fit(X, X[:, 0])
    scorer = metrics.make_scorer(metrics.f1_score)
    forest = ensemble.RandomForestClassifier(3)
    grid = {"max_depth": [2, 3]}
    yield "options-scorer", model_selection.GridSearchCV(forest, grid, scoring=scorer, cv=2).fit(X, y)
    several = {"auc": "roc_auc", "f1": scorer}
    splitter = model_selection.StratifiedKFold(2, shuffle=True, random_state=0)
    search = model_selection.GridSearchCV(forest, grid, scoring=several, refit="auc", cv=splitter)
    yield "options-several-scorers", search.fit(X, y)
    yield "options-isotonic", calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic", cv=2).fit(X, y)
    yield "options-tree-index", neighbors.KNeighborsClassifier(algorithm="ball_tree", metric="manhattan").fit(X, y)
    yield "options-early-stop", neural_network.MLPClassifier((4,), early_stopping=True, max_iter=9).fit(X, y)
    yield "options-sparse", svm.SVC(probability=True).fit(optional("scipy.sparse").csr_matrix(X), y)
    words = ["one two", "two three", "three four five", "one five"] * 20
    text = pipeline.make_pipeline(feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2)), svm.LinearSVC())
    yield "options-text", text.fit(words, y)
    functions = preprocessing.FunctionTransformer(np.log1p, np.expm1, validate=True)
    yield "options-target", compose.TransformedTargetRegressor(transformer=functions).fit(np.abs(X), np.abs(X[:, 0]))
    yield "options-union", pipeline.make_union(functions, preprocessing.SplineTransformer()).fit(np.abs(X))
    yield "options-splitters", [model_selection.KFold(3), model_selection.TimeSeriesSplit(), splitter]
    yield "options-distributions", _searched(forest, X, y)


def _searched(model: Any, X: np.ndarray, y: np.ndarray) -> Any:
    """A random search keeps the distributions it drew from."""
    from scipy import stats
    from sklearn.model_selection import RandomizedSearchCV

    drawn = {"max_depth": stats.randint(2, 9), "min_impurity_decrease": stats.loguniform(1e-4, 1e-1)}
    return RandomizedSearchCV(model, drawn, n_iter=2, cv=2, random_state=0).fit(X, y)


def frames() -> Values:
    """Pipelines over data frames, with selectors, pandas output and native categories."""
    pd = optional("pandas")
    if pd is None:
        return
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    X, y = data()
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.Categorical(["x", "y", "z", "x"] * 20)})
    selectors = [
        ("number", StandardScaler(), make_column_selector(dtype_include=np.number)),
        ("word", OneHotEncoder(sparse_output=False), make_column_selector(pattern="b")),
    ]
    yield (
        "frames-selector",
        Pipeline([("columns", ColumnTransformer(selectors))]).set_output(transform="pandas").fit(frame),
    )
    yield "frames-categories", HistGradientBoostingRegressor(categorical_features=["b"], max_iter=3).fit(frame, y)
    yield "frames-checkpoint", {"model": StandardScaler().fit(frame[["a"]]), "columns": frame.columns, "rows": frame}


def boosters() -> Values:
    X, y = data()
    for module, names in (
        ("xgboost", ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRanker")),
        ("lightgbm", ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")),
        ("catboost", ("CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")),
    ):
        library = optional(module)
        if library is None:
            continue
        for name in names:
            quiet: dict[str, Any] = {"xgboost": {}, "lightgbm": {"verbose": -1}, "catboost": {"verbose": 0}}[module]
            quiet |= {"allow_writing_files": False} if module == "catboost" else {}
            ranked = {"group_id": np.repeat([0, 1], 40)} if module == "catboost" else {"group": [40, 40]}
            model = getattr(library, name)(n_estimators=3, **quiet)
            yield f"{module}-{name}", model.fit(X, y, **(ranked if "Ranker" in name else {}))
    yield from _bare_boosters(X, y)
    yield from _boosters_within(X, y)


def _bare_boosters(X: np.ndarray, y: np.ndarray) -> Values:
    """The boosters' own objects, without scikit-learn's interface."""
    xgboost, lightgbm = optional("xgboost"), optional("lightgbm")
    if xgboost is not None:
        yield "xgboost-booster", xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, y), 3)
        stop = xgboost.callback.EarlyStopping(2)
        model = xgboost.XGBClassifier(n_estimators=5, callbacks=[stop], eval_metric=["auc", "logloss"])
        yield "xgboost-early-stop", model.fit(X, y, eval_set=[(X, y)], verbose=False)
    if lightgbm is not None:
        yield "lightgbm-booster", lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 3)
        model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1)
        yield (
            "lightgbm-early-stop",
            model.fit(X, y, eval_set=[(X, y)], callbacks=[lightgbm.early_stopping(2, verbose=False)]),
        )


def _boosters_within(X: np.ndarray, y: np.ndarray) -> Values:
    """Boosters inside of scikit-learn's pipelines, searches and calibration."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    makers = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}
    for module, name in makers.items():
        library = optional(module)
        if library is not None:
            quiet = {"verbose": -1} if module == "lightgbm" else {}
            model = getattr(library, name)(n_estimators=3, **quiet)
            yield f"{module}-pipeline", make_pipeline(StandardScaler(), model).fit(X, y)
            yield f"{module}-search", GridSearchCV(model, {"max_depth": [2, 3]}, cv=2).fit(X, y)
            yield f"{module}-calibrated", CalibratedClassifierCV(model, cv=2).fit(X, y)


def statistics() -> Values:
    sm = optional("statsmodels.api")
    if sm is None:
        return
    X, y = data()
    families = sm.families
    yield "statsmodels-ols", sm.OLS(X[:, 0], X[:, 1:]).fit()
    yield "statsmodels-logit", sm.Logit(y, X[:, 1:]).fit(disp=0)
    yield "statsmodels-rlm", sm.RLM(X[:, 0], X[:, 1:]).fit()
    yield "statsmodels-glm", sm.GLM(np.abs(X[:, 0]), X[:, 1:], family=families.Gamma(families.links.Log())).fit()
    yield from tried("statsmodels-arima", lambda: sm.tsa.ARIMA(X[:, 0], order=(1, 0, 0)).fit())
    yield from tried("statsmodels-kde", lambda: sm.nonparametric.KDEUnivariate(X[:, 0]).fit())


def resampling() -> Values:
    """Every resampler of imbalanced-learn that fits, and its own pipeline."""
    if optional("imblearn") is None:
        return
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline
    from sklearn.linear_model import LogisticRegression

    X, y = data()
    yield "imblearn-pipeline", make_pipeline(SMOTE(k_neighbors=2), LogisticRegression()).fit(X, y)
    for part in ("over_sampling", "under_sampling", "combine", "ensemble"):
        module = importlib.import_module(f"imblearn.{part}")
        for name in module.__all__:
            yield from tried(f"imblearn-{name}", lambda module=module, name=name: getattr(module, name)().fit(X, y))


def encoders() -> Values:
    """Every encoder of category-encoders that fits, and optbinning."""
    library = optional("category_encoders")
    X, y = data()
    words = np.array([["a"], ["b"], ["c"], ["a"]] * 20, dtype=object)
    for name in getattr(library, "__all__", ()):
        yield from tried(f"encoders-{name}", lambda name=name: getattr(library, name)().fit(words, y))
    if optional("optbinning") is not None:
        from optbinning import OptimalBinning

        yield "optbinning", OptimalBinning(name="a", dtype="numerical").fit(X[:, 0], y)


def tables() -> Values:
    pd = optional("pandas")
    if pd is None:
        return
    times = pd.date_range("2026-01-01", periods=6, tz="UTC")
    frame = pd.DataFrame({"a": [1, 2, None] * 2, "b": list("xyzxyz"), "t": times, "c": pd.Categorical(list("uvuvuv"))})
    yield "pandas-frame", frame
    yield "pandas-series", frame["a"]
    yield "pandas-index", frame.set_index(["b", "t"]).index
    yield "pandas-grouped", frame.groupby("b")["a"].mean()
    yield "pandas-interval", pd.cut(pd.Series(range(6)), 3)
    yield "pandas-nullable", [pd.array([1, None, 3], dtype=kind) for kind in ("Int64", "Float32")]
    yield "pandas-words", [pd.array(["a", None], dtype="string"), pd.array([True, None], dtype="boolean")]
    yield "pandas-sparse", pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 0.0, 1.0])})
    yield "pandas-times", [times, pd.period_range("2026", periods=3, freq="M"), pd.to_timedelta([1, 2], "D"), pd.NaT]
    yield "pandas-scalars", [times[0], pd.Timedelta("1h"), pd.Period("2026", "Y"), pd.Interval(0, 1), pd.NA]
    yield "pandas-offsets", [pd.offsets.BDay(), pd.offsets.MonthEnd(), pd.Timestamp("2026-01-05", tz="Europe/Paris")]


def arrays() -> Values:
    """Values of numpy and scipy."""
    from scipy import interpolate, sparse, spatial, stats

    X, _ = data()
    record = np.zeros(3, dtype=[("a", "<f4"), ("b", "<i8", 2), ("c", "S3")])
    yield "numpy-values", {"a": np.arange(6), "b": np.float32(1), "c": np.array(["x"], dtype=object), "d": np.int8(3)}
    yield "numpy-order", [np.asfortranarray(X), X[::2], X.T, np.zeros((0, 3)), np.array(5.0), X.astype(">f8")]
    yield "numpy-records", [record, record[0], record.view(np.recarray), np.ma.masked_less(X, 0)]
    yield "numpy-times", [np.datetime64("2026-01-05"), np.arange("2026-01", "2026-02", dtype="datetime64[D]")]
    yield "numpy-words", [np.array(["a", "bc"]), np.array([b"a"]), np.str_("x"), np.bytes_(b"x"), np.complex64(1j)]
    yield "numpy-types", [np.dtype("f8"), np.float64, np.int8, np.add, np.log1p, np.mean, np.ndarray]
    yield "numpy-random", [np.random.RandomState(0), np.random.default_rng(0), np.random.SeedSequence(1)]
    yield "numpy-nested", np.array([{"a": X}, [X, None], "x"], dtype=object)
    yield "scipy-sparse", [sparse.csr_matrix(X), sparse.coo_matrix(X), sparse.csc_array(X), sparse.lil_matrix((3, 3))]
    curve = np.linspace(0, 1, 9)
    yield "scipy-curves", [interpolate.CubicSpline(curve, curve**2), interpolate.PchipInterpolator(curve, curve)]
    yield "scipy-interp1d", interpolate.interp1d(curve, curve**2)
    yield "scipy-tree", [spatial.cKDTree(X), spatial.KDTree(X)]
    yield "scipy-density", stats.gaussian_kde(X[:, 0])


def plain() -> Values:
    """Values of the standard library that stand beside a model in a dictionary."""
    yield (
        "plain-values",
        {
            "when": [datetime.datetime(2026, 1, 5, tzinfo=datetime.UTC), datetime.timedelta(1)],
            "exact": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), complex(1, 2), 2**70, -1.5e300],
            "held": [collections.OrderedDict(a=1), collections.Counter("abc"), collections.deque([1], 3), range(3)],
            "sets": [{1, 2}, frozenset("ab"), b"\xff" * 9, bytearray(b"x"), slice(1, 2), Ellipsis],
            "named": [uuid.UUID(int=5), pathlib.PurePosixPath("a/b"), collections.defaultdict(list, a=[1])],
            "kinds": [int, float, str, dict, len, max, NotImplemented, type(None), ValueError("x")],
        },
    )


def tensors() -> Values:
    """Torch in plain pickles, which write each storage as a torch file of its own."""
    torch = optional("torch")
    if torch is None:
        return
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.ReLU())
    yield "torch-tensor", torch.arange(6.0)
    yield "torch-module", model
    yield "torch-state", model.state_dict()
    yield "torch-mixed", {"scale": np.arange(3), "model": model.state_dict(), "kind": torch.float32}


PARTS: dict[str, Callable[[], Values]] = {
    "options": options,
    "frames": frames,
    "boosters": boosters,
    "statistics": statistics,
    "resampling": resampling,
    "encoders": encoders,
    "tables": tables,
    "arrays": arrays,
    "plain": plain,
    "tensors": tensors,
}

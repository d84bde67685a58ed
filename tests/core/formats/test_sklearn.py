"""scikit-learn models read out of pickles as data answer as scikit-learn does."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier
from threadpoolctl import threadpool_limits

from holdfast.core.domain.transform import Columns, Opaque, Ordinal, Scale
from holdfast.core.errors import FormatError
from holdfast.core.formats.margins import margins, scores
from holdfast.core.formats.pickle import read_pickles
from holdfast.core.formats.sklearn import read_graph
from holdfast.core.formats.trees import NUMERIC, Link, TreeEnsemble, TreeModel

N = 400


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """OpenMP threads that wait for each other on a busy machine make seconds out of milliseconds."""
    with threadpool_limits(1):
        yield


def rows(missing: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 5))
    X[:, 1] = np.round(X[:, 1] * 3)
    X[rng.random(X.shape) < missing] = np.nan
    return X


NOISE = np.random.default_rng(1).normal(size=N)
Y = np.nansum(rows(), 1) + NOISE
TEXTS = np.where(Y > 0, "good", "bad")
THREE = np.digitize(Y, np.quantile(Y, [0.3, 0.6])) + 5


def dumped(model: Any, protocol: int | None = None) -> bytes:
    if protocol is not None:
        return pickle.dumps(model, protocol=protocol)
    out = io.BytesIO()
    joblib.dump(model, out)
    return out.getvalue()


def read(model: Any, protocol: int | None = None) -> TreeModel:
    data = dumped(model, protocol)
    return read_graph(read_pickles(data).value, data)


def beside_thresholds(trees: TreeEnsemble, X: np.ndarray, seed: int = 0) -> np.ndarray:
    """Values on thresholds, on their float32 neighbours, and one step of either precision beside them."""
    rng = np.random.default_rng(seed)
    near = X.copy()
    for column in range(X.shape[1]):
        found = trees.threshold[(trees.feature == column) & (trees.category == NUMERIC)]
        found = found[np.abs(found) < 1e30]
        if found.size:
            pick = rng.choice(found, len(X))
            single = pick.astype(np.float32)
            down, up = (np.nextafter(single, np.float32(way)) for way in (-np.inf, np.inf))
            halfway = [(single.astype(float) + step.astype(float)) / 2 for step in (down, up)]
            steps = [pick, np.nextafter(pick, -np.inf), np.nextafter(pick, np.inf), single, down, up, *halfway]
            kept = ~np.isnan(X[:, column])
            near[kept, column] = np.stack(steps)[rng.integers(0, len(steps), len(X)), np.arange(len(X))][kept]
    return near


CLASSIFIERS = [
    RandomForestClassifier(8, max_depth=6),
    ExtraTreesClassifier(8),
    DecisionTreeClassifier(max_depth=5),
    ExtraTreeClassifier(),
    GradientBoostingClassifier(n_estimators=8),
    GradientBoostingClassifier(n_estimators=8, init="zero", learning_rate=0.3),
    GradientBoostingClassifier(n_estimators=30, n_iter_no_change=2),
    HistGradientBoostingClassifier(max_iter=8),
    HistGradientBoostingClassifier(max_iter=30, early_stopping=True, n_iter_no_change=2),
]
REGRESSORS = [
    RandomForestRegressor(8),
    ExtraTreesRegressor(8, max_depth=4),
    DecisionTreeRegressor(),
    GradientBoostingRegressor(n_estimators=8),
    GradientBoostingRegressor(n_estimators=8, loss="huber"),
    GradientBoostingRegressor(n_estimators=8, loss="absolute_error", init="zero"),
    GradientBoostingRegressor(n_estimators=8, loss="quantile", alpha=0.2),
    HistGradientBoostingRegressor(max_iter=8),
    HistGradientBoostingRegressor(max_iter=8, loss="absolute_error"),
    HistGradientBoostingRegressor(max_iter=8, loss="quantile", quantile=0.3),
    HistGradientBoostingRegressor(max_iter=8, loss="poisson"),
    HistGradientBoostingRegressor(max_iter=8, loss="gamma"),
]


def takes_missing(model: Any) -> bool:
    return not type(model).__name__.startswith("Gradient")


def compare(model: Any, X: np.ndarray, protocol: int | None = None) -> TreeModel:
    """Assert that margins and scores on X and beside all thresholds are those of `model`."""
    found = read(model, protocol)
    for asked in (X, beside_thresholds(found.ensemble, X)):
        answer = scores(found.ensemble, asked)
        if hasattr(model, "predict_proba"):
            assert np.allclose(answer, model.predict_proba(asked), rtol=1e-13, atol=1e-15)
        else:
            assert np.allclose(answer[:, 0], model.predict(asked), rtol=1e-13, atol=0)
        if hasattr(model, "decision_function"):
            wanted = model.decision_function(asked).reshape(len(asked), -1)
            assert np.array_equal(margins(found.ensemble, asked), wanted)
    return found


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("target", ["binary", "three"])
def test_classifiers(model: Any, target: str) -> None:
    X = rows(0.1 if takes_missing(model) else 0.0)
    y = TEXTS if target == "binary" else THREE
    found = compare(model.set_params(random_state=0).fit(X, y), X)
    assert found.classes == (("bad", "good") if target == "binary" else (5.0, 6.0, 7.0))
    assert found.ensemble.n_classes == len(found.classes)


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_regressors(model: Any) -> None:
    X = rows(0.1 if takes_missing(model) else 0.0)
    found = compare(model.set_params(random_state=0).fit(X, np.abs(Y) + 0.1), X)
    assert found.classes == ()
    assert found.ensemble.n_classes == 0


def test_exponential_loss_has_a_slope() -> None:
    model = GradientBoostingClassifier(n_estimators=8, loss="exponential", random_state=0).fit(rows(), TEXTS)
    assert compare(model, rows()).ensemble.slope == 2.0


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol(protocol: int) -> None:
    for model in (
        RandomForestClassifier(3),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(),
    ):
        compare(model.fit(rows(), TEXTS), rows(), protocol)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(["forest", "extra", "boosting", "hist"]),
    depth=st.integers(1, 8),
    rounds=st.integers(1, 8),
    missing=st.sampled_from([0.0, 0.3]),
    grid=st.sampled_from([1.0, 4.0, 1e9]),
    seed=st.integers(0, 10_000),
)
def test_decisions_beside_thresholds(
    kind: str, depth: int, rounds: int, missing: float, grid: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(150, 4)) * grid) / grid
    X[rng.random(X.shape) < (0.0 if kind == "boosting" else missing)] = np.nan
    y = (rng.normal(size=150) + np.nan_to_num(X[:, 0]) > 0).astype(int)
    made = {
        "forest": lambda: RandomForestClassifier(rounds, max_depth=depth, random_state=seed),
        "extra": lambda: ExtraTreesClassifier(rounds, max_depth=depth, random_state=seed),
        "boosting": lambda: GradientBoostingClassifier(n_estimators=rounds, max_depth=depth, random_state=seed),
        "hist": lambda: HistGradientBoostingClassifier(max_iter=rounds, max_depth=depth, max_bins=20),
    }
    compare(made[kind]().fit(X, y), X)


def test_hist_categories_go_through_their_encoder() -> None:
    """Unknown categories go where missing values go; the encoder sorts categorical columns to the front."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "n": rows(0.1)[:, 0],
            "c": pd.Categorical(rng.choice([f"k{i}" for i in range(40)], N)),
            "d": pd.Categorical(rng.integers(0, 9, N) * 100),
        }
    )
    table.loc[::9, "c"] = None
    y = (table["c"].cat.codes % 3 + rows()[:, 0] > 1).astype(int)
    model = HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=3, categorical_features="from_dtype")
    model.fit(table, y)
    found = read(model)
    [step] = found.transforms
    assert isinstance(step, Columns)
    assert [branch.columns for branch in step.branches] == [(1, 2), (0,)]
    [ordinal] = step.branches[0].steps
    assert isinstance(ordinal, Ordinal)
    inner = model._preprocessor.transform(table)
    assert np.array_equal(margins(found.ensemble, inner)[:, 0], model.decision_function(table))
    assert sum(len(codes) for codes in found.ensemble.category_sets) > 0
    other = table.assign(c="never seen", d=777)
    inner = model._preprocessor.transform(other)
    assert np.isnan(inner[:, :2]).all()
    assert np.array_equal(margins(found.ensemble, inner)[:, 0], model.decision_function(other))
    assert found.columns == ("n", "c", "d")


def test_hist_unknown_codes_are_missing_in_the_trees_too() -> None:
    X = rows()
    X[:, 3] = np.random.default_rng(0).choice([0, 2, 4, 6, 8], N)
    X[::5, 3] = np.nan
    y = (X[:, 3] > 3) | (Y > 1)
    model = HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=3, categorical_features=[3]).fit(X, y)
    model._bin_mapper.bin_thresholds_[0] = np.array([0.0, 2.0, 3.0])
    found = read(model).ensemble
    codes = np.zeros((256, 5))
    codes[:, 0] = np.arange(256)
    raw = np.zeros((256, 1), order="F") + model._baseline_prediction
    model._predict_iterations(codes, model._predictors, raw, False, 1)
    assert np.array_equal(margins(found, codes), raw)


def test_pipelines_give_steps_names_and_labels() -> None:
    table = pd.DataFrame({"a": rows(0.1)[:, 0], "b": rows()[:, 1], "c": np.where(NOISE > 0, "x", "y")})
    front = ColumnTransformer(
        [("n", make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b"]), ("c", OneHotEncoder(), ["c"])]
    )
    model = make_pipeline(front, "passthrough", RandomForestClassifier(5)).fit(table, TEXTS)
    found = read(model)
    assert found.columns == ("a", "b", "c")
    assert found.classes == ("bad", "good")
    assert len(found.transforms) == 1
    inner = model[:-1].transform(table)
    assert np.array_equal(scores(found.ensemble, inner), model.predict_proba(table))


def test_nested_pipelines_keep_their_column_names() -> None:
    table = pd.DataFrame({"a": rows()[:, 0], "b": rows()[:, 1]})
    front = make_pipeline(make_pipeline(StandardScaler()), StandardScaler())
    model = make_pipeline(front, DecisionTreeClassifier(max_depth=3)).fit(table, TEXTS)
    found = read(model)
    assert found.columns == ("a", "b")
    assert [type(step) for step in found.transforms] == [Scale, Scale]


def test_searches_give_their_best_estimator() -> None:
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4]}, cv=2).fit(rows(), TEXTS)
    assert np.array_equal(scores(read(search).ensemble, rows()), search.predict_proba(rows()))


def test_xgboost_inside_a_pipeline() -> None:
    X = rows(0.1)
    inner = xgb.XGBClassifier(n_estimators=30, early_stopping_rounds=2, n_jobs=1, learning_rate=0.8)
    inner.fit(X[:300], THREE[:300] - 5, eval_set=[(X[300:], THREE[300:] - 5)], verbose=False)
    for model in (inner, inner.get_booster()):
        found = read(model)
        asked = X if model is inner else xgb.DMatrix(X)
        assert np.array_equal(margins(found.ensemble, X), model.predict(asked, output_margin=True))
    plain = xgb.XGBClassifier(n_estimators=3, n_jobs=1)
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), plain).fit(X, THREE - 5)
    found = read(pipe)
    assert isinstance(found.transforms[1], Scale)
    inside = pipe[:-1].transform(X)
    assert np.array_equal(margins(found.ensemble, inside), plain.predict(inside, output_margin=True))


def test_xgboost_with_a_missing_mark_is_opaque() -> None:
    model = xgb.XGBClassifier(n_estimators=2, missing=-1.0, n_jobs=1).fit(rows(), THREE - 5)
    assert isinstance(read(model).transforms[0], Opaque)


def test_lightgbm_inside_a_pickle_stops_at_its_best_round() -> None:
    X = rows(0.1)
    model = lgb.LGBMClassifier(n_estimators=40, learning_rate=0.8, n_jobs=1, verbose=-1, min_child_samples=2)
    model.fit(X[:300], TEXTS[:300], eval_set=[(X[300:], TEXTS[300:])], callbacks=[lgb.early_stopping(2, verbose=False)])
    assert 0 < model.best_iteration_ < 40
    found = read(model)
    assert found.classes == ("bad", "good")
    assert np.array_equal(margins(found.ensemble, X)[:, 0], model.booster_.predict(X, raw_score=True))
    booster = read(model.booster_)
    assert np.array_equal(margins(booster.ensemble, X)[:, 0], model.booster_.predict(X, raw_score=True))


def test_old_classifiers_keep_counts() -> None:
    """Before 1.3 a leaf held weighted counts, normalised when asked."""
    model = DecisionTreeClassifier(max_depth=4).fit(rows(), TEXTS)
    counts = np.asarray(model.tree_.value) * model.tree_.weighted_n_node_samples[:, None, None]
    data = pickle.dumps((model, counts))
    node, old = read_pickles(data).value
    node.states[0].pairs.append(("_sklearn_version", "1.2.2"))
    node.attributes()["tree_"].states[0].pairs.append(("values", old))
    found = read_graph(node, data).ensemble
    assert np.array_equal(scores(found, rows()), model.predict_proba(rows()))


@pytest.mark.shared
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(30, min_samples_leaf=5, random_state=0),
        GradientBoostingClassifier(n_estimators=30, random_state=0),
        HistGradientBoostingClassifier(max_iter=60, categorical_features=[1, 2, 3]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_credit_margins_are_the_librarys(shared: Path, model: Any) -> None:
    table = pd.read_parquet(shared / "data/tabular/uci_default_credit.parquet")
    X, y = table.iloc[:, 1:-1].to_numpy(np.float64), table.iloc[:, -1].to_numpy().astype(int)
    model.fit(X[::5], y[::5])
    trees = read(model).ensemble
    inner = model._preprocessor.transform(X) if isinstance(model, HistGradientBoostingClassifier) else X
    if isinstance(model, RandomForestClassifier):
        assert np.array_equal(scores(trees, inner), model.predict_proba(X))
    else:
        assert np.array_equal(margins(trees, inner)[:, 0], model.decision_function(X))


# --- what is refused


def refused(model: Any) -> str:
    with pytest.raises(FormatError) as fault:
        read(model)
    return fault.value.code


def test_what_is_no_tree_model() -> None:
    assert refused(LogisticRegression().fit(rows(), TEXTS)) == "HF-FMT-014"
    assert refused(AdaBoostClassifier(n_estimators=2).fit(rows(), TEXTS)) == "HF-FMT-014"
    assert refused({"a": 1}) == "HF-FMT-014"
    assert refused(io.BytesIO) == "HF-FMT-014"
    assert refused(make_pipeline(StandardScaler()).fit(rows())) == "HF-FMT-014"


def test_what_has_no_form_here() -> None:
    assert refused(RandomForestRegressor(2).fit(rows(), np.stack([Y, Y], 1))) == "HF-FMT-013"
    started = GradientBoostingClassifier(n_estimators=2, init=LogisticRegression())
    assert refused(started.fit(rows(), TEXTS)) == "HF-FMT-013"
    assert refused(RandomForestClassifier()) == "HF-FMT-011"


def test_contradictions_are_refused() -> None:
    forest = RandomForestClassifier(3).fit(rows(), TEXTS)
    forest.classes_ = np.array(["a", "b", "c"])
    assert refused(forest) == "HF-FMT-011"
    forest = RandomForestClassifier(3).fit(rows(), TEXTS)
    forest.n_features_in_ = 1
    assert refused(forest) == "HF-FMT-011"
    forest.n_features_in_ = 10**12
    assert refused(forest) == "HF-FMT-012"
    forest.n_features_in_, forest.estimators_ = 5, []
    assert refused(forest) == "HF-FMT-011"
    hist = HistGradientBoostingClassifier(max_iter=2).fit(rows(), TEXTS)
    nodes = hist._predictors[0][0].nodes
    nodes["left"][0] = 0
    assert refused(hist) == "HF-FMT-011"
    nodes["left"][0] = 4_000_000_000
    assert refused(hist) == "HF-FMT-011"
    hist = HistGradientBoostingClassifier(max_iter=2).fit(rows(), TEXTS)
    hist._predictors[0][0].nodes["is_categorical"][0] = 1
    assert refused(hist) == "HF-FMT-011"


def test_shared_trees_do_not_multiply() -> None:
    forest = RandomForestClassifier(1).fit(rows(), TEXTS)
    forest.estimators_ = forest.estimators_ * 1000
    data = dumped(forest)
    value = read_pickles(data).value
    assert read_graph(value, data).ensemble.n_trees == 1000
    with pytest.raises(FormatError) as fault:
        read_graph(value, data, limit=100_000)
    assert fault.value.code == "HF-FMT-012"


SMALL = [
    dumped(RandomForestClassifier(2, max_depth=2, random_state=0).fit(rows(), TEXTS)),
    dumped(GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=0).fit(rows(), TEXTS), 4),
    dumped(HistGradientBoostingClassifier(max_iter=2, max_depth=2).fit(rows(), TEXTS), 2),
    dumped(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=2)).fit(rows(), TEXTS), 5),
]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_pickles_are_refused_or_read(data: st.DataObject) -> None:
    """Nothing but FormatError ever leaves the reader."""
    raw = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw))) if data.draw(st.booleans()) else len(raw)
    damaged = bytes(raw[:cut])
    try:
        model = read_graph(read_pickles(damaged).value, damaged)
    except FormatError:
        return
    if model.ensemble.n_features < 1000:
        margins(model.ensemble, np.zeros((3, model.ensemble.n_features)))


def test_links() -> None:
    assert read(RandomForestClassifier(2).fit(rows(), TEXTS)).ensemble.link is Link.MEAN
    assert read(HistGradientBoostingClassifier(max_iter=2).fit(rows(), THREE)).ensemble.link is Link.SOFTMAX

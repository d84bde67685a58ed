"""LightGBM text models read as data answer as LightGBM does, bit for bit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from holdfast.core.domain.transform import Columns, Opaque, Ordinal
from holdfast.core.errors import FormatError
from holdfast.core.formats.lightgbm import read_text
from holdfast.core.formats.margins import margins, scores
from holdfast.core.formats.trees import NUMERIC, ZERO_BAND, Link, TreeEnsemble, TreeModel

N = 800
ODD_CODES = [-1, -0.5, -0.9, 0.5, 1.5, 31, 1e6, 2**25, 2**31, 1e30, -1e9, 5.999]
NEAR_ZERO = [0.0, -0.0, 1e-35, -1e-35, ZERO_BAND, -ZERO_BAND, 1e-36, 5e-324, np.nextafter(ZERO_BAND, 1), np.nan]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """OpenMP threads that wait for each other on a busy machine make seconds out of milliseconds."""
    with threadpool_limits(1):
        yield


def rows(seed: int = 0, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    X[:, 1] = np.round(X[:, 1] * 3)
    X[:, 2] = np.where(rng.random(n) < 0.4, 0, X[:, 2])
    X[:, 4] = rng.integers(0, 5, n)
    X[:, 5] = rng.integers(0, 70, n)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 3] = np.nan_to_num(X[:, 3])
    return X


def target(X: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=len(X))
    return np.nansum(X[:, :4], 1) + np.nan_to_num(X[:, 4]) % 2 + np.nan_to_num(X[:, 5]) % 7 + noise


def train(params: dict[str, Any], y: np.ndarray, rounds: int = 8, X: np.ndarray | None = None) -> lgb.Booster:
    X = rows() if X is None else X
    group = [len(X)] if "rank" in str(params.get("objective")) else None
    fixed = {"num_threads": 1, "verbose": -1, "min_data_per_group": 5, "cat_smooth": 1, "seed": 4}
    return lgb.train({**fixed, **params}, lgb.Dataset(X, y, categorical_feature=[4, 5], group=group), rounds)


def read(booster: lgb.Booster) -> TreeModel:
    return read_text(booster.model_to_string().encode())


def beside_thresholds(trees: TreeEnsemble, X: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows whose values lie on thresholds, one float step beside them, or as near zero as can be."""
    rng = np.random.default_rng(seed)
    near = X.copy()
    for column in range(X.shape[1]):
        found = trees.threshold[(trees.feature == column) & (trees.category == NUMERIC)]
        if found.size:
            pick = rng.choice(found, len(X))
            steps = np.stack([pick, np.nextafter(pick, -np.inf), np.nextafter(pick, np.inf), pick.astype(np.float32)])
            near[:, column] = steps[rng.integers(0, len(steps), len(X)), np.arange(len(X))]
            small = rng.random(len(X)) < 0.1
            near[small, column] = rng.choice(NEAR_ZERO, small.sum())
    return near


Y = target(rows())
BINARY = (np.median(Y) < Y).astype(int)
THREE = np.digitize(Y, np.quantile(Y, [0.3, 0.6]))
FOREST = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}
SETTINGS = [
    ({"objective": "binary"}, BINARY),
    ({"objective": "binary", "zero_as_missing": True}, BINARY),
    ({"objective": "binary", "use_missing": False}, BINARY),
    ({"objective": "binary", "sigmoid": 2.5}, BINARY),
    ({"objective": "binary", "boosting": "dart", "drop_rate": 0.5}, BINARY),
    ({"objective": "binary", "max_cat_to_onehot": 100}, BINARY),
    ({"objective": "binary", **FOREST}, BINARY),
    ({"objective": "multiclass", "num_class": 3}, THREE),
    ({"objective": "multiclassova", "num_class": 3}, THREE),
    ({"objective": "multiclass", "num_class": 3, **FOREST}, THREE),
    ({"objective": "regression"}, Y * 1000),
    ({"objective": "regression", **FOREST}, Y),
    ({"objective": "regression_l1"}, Y),
    ({"objective": "quantile", "alpha": 0.2}, Y),
    ({"objective": "poisson"}, np.abs(Y)),
    ({"objective": "gamma"}, np.abs(Y) + 1),
    ({"objective": "tweedie"}, np.abs(Y)),
    ({"objective": "cross_entropy"}, BINARY),
    ({"objective": "lambdarank"}, BINARY),
]


@pytest.mark.parametrize(("params", "y"), SETTINGS, ids=lambda item: str(item)[:60] if isinstance(item, dict) else "")
def test_margins_and_scores_are_the_librarys(params: dict[str, Any], y: np.ndarray) -> None:
    rounds = 8
    booster = train(params, y, rounds)
    trees = read(booster).ensemble
    X = np.vstack([rows(), rows(seed=7), beside_thresholds(trees, rows())])
    X[: len(ODD_CODES), 4] = ODD_CODES
    X[: len(ODD_CODES), 5] = ODD_CODES[::-1]
    wanted = booster.predict(X, raw_score=True).reshape(len(X), -1)
    # LightGBM's raw score of a forest is the sum; what it hands to the link, and our margin, is the mean.
    wanted = wanted / rounds if "boosting" in params and params["boosting"] == "rf" else wanted
    assert np.array_equal(margins(trees, X), wanted)
    predicted = booster.predict(X).reshape(len(X), -1)
    found = scores(trees, X)
    shown = found[:, 1:] if predicted.shape[1] == 1 and found.shape[1] == 2 else found
    assert np.allclose(shown, predicted, rtol=1e-14, atol=1e-15)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    leaves=st.integers(2, 40),
    rounds=st.integers(1, 12),
    bins=st.integers(2, 64),
    missing=st.sampled_from([0.0, 0.3, 0.9]),
    zeros=st.sampled_from([0.0, 0.5]),
    zero_as_missing=st.booleans(),
    use_missing=st.booleans(),
    grid=st.sampled_from([1.0, 4.0, 1e6]),
    seed=st.integers(0, 10_000),
)
def test_decisions_beside_thresholds(
    leaves: int,
    rounds: int,
    bins: int,
    missing: float,
    zeros: float,
    zero_as_missing: bool,
    use_missing: bool,
    grid: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(150, 6)) * grid) / grid
    X[rng.random(X.shape) < zeros] = 0
    X[:, 4:] = rng.integers(0, 40, (150, 2))
    X[rng.random(X.shape) < missing] = np.nan
    y = (rng.normal(size=150) + np.nan_to_num(X[:, 0]) > 0).astype(int)
    params = {"num_leaves": leaves, "max_bin": bins, "min_data_in_leaf": 2, "min_data_in_bin": 1}
    flags = {"zero_as_missing": zero_as_missing, "use_missing": use_missing}
    booster = train({"objective": "binary", **params, **flags}, y, rounds, X)
    trees = read(booster).ensemble
    near = beside_thresholds(trees, X, seed)
    assert np.array_equal(margins(trees, near)[:, 0], booster.predict(near, raw_score=True))


def test_rounds_limit_the_trees() -> None:
    booster = train({"objective": "multiclass", "num_class": 3}, THREE)
    found = read_text(booster.model_to_string().encode(), rounds=2)
    assert found.ensemble.n_trees == 6
    assert np.array_equal(margins(found.ensemble, rows()), booster.predict(rows(), raw_score=True, num_iteration=2))


def test_a_split_off_of_missing_values_has_an_infinite_threshold() -> None:
    X = np.where(np.arange(100) % 2, np.nan, np.random.default_rng(0).normal(size=100))[:, None]
    y = np.isnan(X[:, 0]) + np.random.default_rng(1).normal(size=100)
    params = {"objective": "regression", "num_leaves": 2, "max_bin": 2, "min_data_in_leaf": 2, "num_threads": 1}
    booster = lgb.train({**params, "verbose": -1}, lgb.Dataset(X, y), 1)
    trees = read(booster).ensemble
    assert np.isinf(trees.threshold).any()
    asked = np.array([[0.0], [1.5e308], [np.inf], [-np.inf], [np.nan]])
    assert np.array_equal(margins(trees, asked)[:, 0], booster.predict(asked, raw_score=True, num_threads=1))


def test_a_model_without_trees() -> None:
    head, _, rest = TEXT.partition("Tree=0")
    text = re.sub("tree_sizes=.*", "tree_sizes=", head) + "end of trees" + rest.partition("end of trees")[2]
    trees = read_text(text.encode()).ensemble
    wanted = lgb.Booster(model_str=text).predict(rows(), raw_score=True, num_threads=1)
    assert np.array_equal(margins(trees, rows())[:, 0], wanted)


def test_constant_model_is_one_leaf() -> None:
    booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(np.zeros((50, 2)), np.arange(50) % 2), 3)
    trees = read(booster).ensemble
    assert np.array_equal(margins(trees, np.ones((4, 2)))[:, 0], booster.predict(np.ones((4, 2)), raw_score=True))


def test_frame_categories_become_an_ordinal_step() -> None:
    pd = pytest.importorskip("pandas")
    names = ["", "ä", "zz"]
    frame = pd.DataFrame({"a": rows()[:, 0], "b": pd.Categorical(np.array(names)[np.arange(N) % 3], names)})
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lgb.Dataset(frame, BINARY), 3)
    model = read(booster)
    [step] = model.transforms
    assert isinstance(step, Columns)
    [ordinal] = step.branches[1].steps
    assert isinstance(ordinal, Ordinal)
    assert ordinal.categories == (tuple(names),)
    inner = np.column_stack([frame["a"], [names.index(name) for name in frame["b"]]])
    assert np.array_equal(margins(model.ensemble, inner)[:, 0], booster.predict(frame, raw_score=True))
    assert model.columns == ("a", "b")


def test_frame_categories_without_columns_are_opaque() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"b": pd.Categorical(np.array(["x", "y"])[np.arange(N) % 2])})
    text = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(frame, BINARY), 1).model_to_string()
    [step] = read_text(re.sub(r"categorical_feature: 0", "categorical_feature: ", text).encode()).transforms
    assert isinstance(step, Opaque)


def test_facts_about_the_model() -> None:
    model = read(train({"objective": "multiclass", "num_class": 3}, THREE))
    assert (model.ensemble.link, model.ensemble.n_classes, model.ensemble.n_outputs) == (Link.SOFTMAX, 3, 3)
    assert model.classes == (0.0, 1.0, 2.0)
    assert (model.ensemble.n_features, model.ensemble.n_trees) == (6, 24)


@pytest.mark.shared
def test_credit_margins_are_the_librarys(shared: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.read_parquet(shared / "data/tabular/uci_default_credit.parquet")
    X, y = frame.iloc[:, 1:-1].to_numpy(np.float64), frame.iloc[:, -1].to_numpy().astype(int)
    fixed = {"objective": "binary", "verbose": -1, "num_threads": 1}
    booster = lgb.train(fixed, lgb.Dataset(X[::3], y[::3], categorical_feature=[1, 2, 3]), 100)
    trees = read(booster).ensemble
    for rows_ in (X, beside_thresholds(trees, X)):
        assert np.array_equal(margins(trees, rows_)[:, 0], booster.predict(rows_, raw_score=True))


# --- what is refused

TEXT = train({"objective": "binary"}, BINARY, 2).model_to_string()


def first(name: str, index: int, value: str) -> str:
    """TEXT with one value of the first line `name=...` replaced, and tree_sizes dropped."""

    def put(match: re.Match[str]) -> str:
        values = match.group(2).split(" ")
        values[index] = value
        return match.group(1) + " ".join(values)

    return re.sub(rf"^({name}=)(.*)$", put, re.sub(r"tree_sizes=.*\n", "", TEXT), count=1, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (first("left_child", 0, "10000"), "HF-FMT-011"),
        (first("left_child", 0, "-10000"), "HF-FMT-011"),
        (first("left_child", 1, "0"), "HF-FMT-011"),
        (first("left_child", 0, "x"), "HF-FMT-011"),
        (first("left_child", 0, "1_0"), "HF-FMT-011"),
        (first("left_child", 0, "1.5"), "HF-FMT-011"),
        (first("left_child", 0, "1 1"), "HF-FMT-011"),
        (first("split_feature", 0, "6"), "HF-FMT-011"),
        (first("leaf_value", 0, "nan"), "HF-FMT-011"),
        (first("leaf_value", 0, "1e999"), "HF-FMT-011"),
        (first("threshold", 0, "nan"), "HF-FMT-011"),
        (first("threshold", 0, "-inf"), "HF-FMT-011"),
        (first("threshold", 0, "infinite"), "HF-FMT-011"),
        (first("threshold", 0, "77777"), "HF-FMT-011"),
        (first("cat_boundaries", 0, "1"), "HF-FMT-011"),
        (first("cat_boundaries", 1, "99999"), "HF-FMT-011"),
        (first("cat_threshold", 0, "4294967296"), "HF-FMT-011"),
        (first("decision_type", 0, "14"), "HF-FMT-011"),
        (first("num_leaves", 0, "99999999999"), "HF-FMT-012"),
        (first("num_leaves", 0, "0"), "HF-FMT-011"),
        (first("num_leaves", 0, "2"), "HF-FMT-011"),
        (first("max_feature_idx", 0, "99999999999"), "HF-FMT-012"),
        (first("num_tree_per_iteration", 0, "99999999999"), "HF-FMT-012"),
        (first("num_tree_per_iteration", 0, "0"), "HF-FMT-011"),
        (first("objective", 0, "own"), "HF-FMT-013"),
        (first("objective", 1, "sigmoid:-1"), "HF-FMT-011"),
        (first("objective", 1, "sqrt"), "HF-FMT-013"),
        (first("is_linear", 0, "1"), "HF-FMT-013"),
        (TEXT.replace("tree_sizes=", "tree_sizes=1"), "HF-FMT-011"),
        (TEXT.replace("Tree=1\n", "Tree=7\n"), "HF-FMT-011"),
        (TEXT.replace("Tree=0\n", "Tree=0\nTree=0\n"), "HF-FMT-011"),
        (TEXT.replace("end of trees", "end of"), "HF-FMT-010"),
        (TEXT[: len(TEXT) // 8], "HF-FMT-010"),
        (TEXT.replace("label_index=0", "label_index=0\nlabel_index=0"), "HF-FMT-011"),
    ],
)
def test_contradictions_are_refused(text: str, code: str) -> None:
    assert text != TEXT
    with pytest.raises(FormatError) as fault:
        read_text(text.encode())
    assert fault.value.code == code


def test_mixed_missing_types_are_refused() -> None:
    numeric = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(rows(), BINARY), 1).model_to_string()
    text = re.sub(r"tree_sizes=.*\n", "", numeric)
    kinds = re.search(r"decision_type=(.*)", text)
    assert kinds is not None
    assert "10" in kinds.group(1).split()
    text = text.replace(kinds.group(0), kinds.group(0).replace("10", "6", 1).replace("8", "4", 1))
    with pytest.raises(FormatError) as fault:
        read_text(text.encode())
    assert fault.value.code == "HF-FMT-013"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_text_is_refused_or_read(data: st.DataObject) -> None:
    """Nothing but FormatError ever leaves the reader."""
    raw = bytearray(TEXT[: TEXT.index("feature_importances")].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw))) if data.draw(st.booleans()) else len(raw)
    try:
        model = read_text(bytes(raw[:cut]))
    except FormatError:
        return
    margins(model.ensemble, np.zeros((3, model.ensemble.n_features)))

"""XGBoost models read as data answer as XGBoost does, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from holdfast.core.domain.transform import Columns, Opaque, Ordinal, Passthrough
from holdfast.core.errors import FormatError
from holdfast.core.formats.margins import leaves, margins, scores
from holdfast.core.formats.trees import NUMERIC, Link, TreeModel
from holdfast.core.formats.xgboost import read_json, read_ubj

N = 800
TYPES = ["q", "q", "q", "q", "c", "c"]
ODD_CODES = [-1, -0.5, 0.5, 1.5, 31, 1e6, 2**24, 2**25, 2**31, 1e30, -1e9, 5.999]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """OpenMP threads that wait for each other on a busy machine make seconds out of milliseconds."""
    with threadpool_limits(1):
        yield


def rows(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 6)).astype(np.float32)
    X[:, 1] = np.round(X[:, 1] * 3)
    X[:, 4] = rng.integers(0, 5, N)
    X[:, 5] = rng.integers(0, 30, N)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def target(X: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=len(X))
    return np.nansum(X[:, :4], 1) + np.nan_to_num(X[:, 4]) % 2 + np.nan_to_num(X[:, 5]) % 7 + noise


def matrix(X: np.ndarray, y: np.ndarray | None = None) -> xgb.DMatrix:
    return xgb.DMatrix(X, y, feature_types=TYPES, enable_categorical=True)


def train(params: dict[str, Any], y: np.ndarray, rounds: int = 8, X: np.ndarray | None = None) -> xgb.Booster:
    return xgb.train({"nthread": 1, "seed": 3, **params}, matrix(rows() if X is None else X, y), rounds)


def both(booster: xgb.Booster) -> list[TreeModel]:
    return [read_json(bytes(booster.save_raw("json"))), read_ubj(bytes(booster.save_raw("ubj")))]


def beside_thresholds(model: TreeModel, X: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows whose values lie on thresholds, and one float step to either side, in float32 and float64."""
    rng = np.random.default_rng(seed)
    near = np.array(X, np.float64)
    trees = model.ensemble
    for column in range(X.shape[1]):
        found = trees.threshold[(trees.feature == column) & (trees.category == NUMERIC)].astype(np.float32)
        if found.size:
            pick = rng.choice(found, len(X))
            steps = np.stack(
                [
                    pick.astype(np.float64),
                    np.nextafter(pick, np.float32(-np.inf)).astype(np.float64),
                    np.nextafter(pick, np.float32(np.inf)).astype(np.float64),
                    np.nextafter(pick.astype(np.float64), -np.inf),
                    np.nextafter(pick.astype(np.float64), np.inf),
                ]
            )
            near[:, column] = steps[rng.integers(0, len(steps), len(X)), np.arange(len(X))]
    return near


Y = target(rows())
BINARY = (np.median(Y) < Y).astype(int)
THREE = np.digitize(Y, np.quantile(Y, [0.3, 0.6]))
SETTINGS = [
    ({"objective": "binary:logistic"}, BINARY),
    ({"objective": "binary:logistic", "max_cat_to_onehot": 100}, BINARY),
    ({"objective": "binary:logistic", "gamma": 2, "max_depth": 8}, BINARY),
    ({"objective": "binary:logistic", "num_parallel_tree": 3, "subsample": 0.5}, BINARY),
    ({"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.4}, BINARY),
    ({"objective": "binary:logistic", "base_score": 0.2}, BINARY),
    ({"objective": "binary:logitraw"}, BINARY),
    ({"objective": "binary:hinge"}, BINARY),
    ({"objective": "reg:logistic"}, BINARY),
    ({"objective": "multi:softprob", "num_class": 3}, THREE),
    ({"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.4}, THREE),
    ({"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2, "subsample": 0.5}, THREE),
    ({"objective": "reg:squarederror"}, Y * 1000),
    ({"objective": "reg:squarederror"}, np.stack([Y, Y**2], 1)),
    ({"objective": "reg:absoluteerror"}, Y),
    ({"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]}, Y),
    ({"objective": "reg:gamma"}, np.abs(Y) + 1),
    ({"objective": "reg:tweedie"}, np.abs(Y)),
    ({"objective": "count:poisson"}, np.abs(Y).round()),
    ({"objective": "survival:cox"}, np.abs(Y) + 1),
    ({"objective": "rank:pairwise"}, BINARY),
]


@pytest.mark.parametrize(("params", "y"), SETTINGS, ids=lambda item: str(item)[:60] if isinstance(item, dict) else "")
def test_margins_and_scores_are_the_librarys(params: dict[str, Any], y: np.ndarray) -> None:
    booster = train(params, y)
    X = np.vstack([rows(), rows(seed=7)])
    X[: len(ODD_CODES), 4] = ODD_CODES
    X[: len(ODD_CODES), 5] = ODD_CODES[::-1]
    wanted = booster.predict(matrix(X), output_margin=True).reshape(len(X), -1)
    predicted = booster.predict(matrix(X)).reshape(len(X), -1)
    if params["objective"] == "binary:logitraw":
        predicted = 1 / (1 + np.exp(-predicted.astype(np.float64)))
    for model in both(booster):
        assert np.array_equal(margins(model.ensemble, X), wanted)
        found = scores(model.ensemble, X)
        shown = found[:, 1:] if predicted.shape[1] == 1 and found.shape[1] == 2 else found
        assert np.allclose(shown, predicted, rtol=1e-6, atol=2e-7)


def test_vector_leaves_are_read() -> None:
    X = rows()
    y = np.stack([Y, Y**2], 1)
    plain = xgb.DMatrix(X, y)
    params = {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree", "nthread": 1}
    booster = xgb.train(params, plain, 6)
    for model in both(booster):
        assert model.ensemble.leaf.shape[1] == 2
        assert np.array_equal(margins(model.ensemble, X), booster.predict(plain, output_margin=True))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    depth=st.integers(1, 7),
    rounds=st.integers(1, 12),
    eta=st.floats(0.01, 1.0),
    method=st.sampled_from(["hist", "approx"]),
    bins=st.integers(3, 64),
    missing=st.sampled_from([0.0, 0.3, 0.9]),
    grid=st.sampled_from([1.0, 4.0, 1e6]),
    seed=st.integers(0, 10_000),
)
def test_decisions_beside_thresholds(
    depth: int, rounds: int, eta: float, method: str, bins: int, missing: float, grid: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(150, 6)) * grid) / grid
    X[:, 4:] = rng.integers(0, 9, (150, 2))
    X[rng.random(X.shape) < missing] = np.nan
    y = (rng.normal(size=150) + np.nan_to_num(X[:, 0]) > 0).astype(int)
    params = {"max_depth": depth, "eta": eta, "tree_method": method, "max_bin": bins, "base_score": 0.5}
    booster = train({"objective": "binary:logistic", **params}, y, rounds, X)
    for model in both(booster):
        near = beside_thresholds(model, X, seed)
        ends = booster.predict(matrix(near), output_margin=True)
        assert np.array_equal(margins(model.ensemble, near)[:, 0], ends)


def test_thresholds_on_data_values() -> None:
    """The exact method and integer columns put values on thresholds: '<' must not become '<='."""
    X = np.random.default_rng(5).integers(0, 4, (300, 6)).astype(float)
    y = (X[:, 0] + X[:, 1] > 3).astype(int)
    booster = xgb.train({"objective": "binary:logistic", "tree_method": "approx"}, xgb.DMatrix(X, y), 5)
    for model in both(booster):
        on = X.copy()
        on[:, :] = np.random.default_rng(6).choice(model.ensemble.threshold, X.shape)
        assert np.array_equal(margins(model.ensemble, on)[:, 0], booster.predict(xgb.DMatrix(on), output_margin=True))


def test_early_stopping_follows_whoever_saved(tmp_path: Path) -> None:
    X, path = rows()[:, :4], tmp_path / "model.ubj"
    wrapper = xgb.XGBClassifier(n_estimators=40, early_stopping_rounds=2, learning_rate=1.0, n_jobs=1)
    wrapper.fit(X[:500], BINARY[:500], eval_set=[(X[500:], BINARY[500:])], verbose=False)
    assert wrapper.best_iteration + 1 < wrapper.get_booster().num_boosted_rounds()
    plain = read_ubj(bytes(wrapper.get_booster().save_raw("ubj")))
    full = wrapper.get_booster().predict(xgb.DMatrix(X), output_margin=True)
    assert np.array_equal(margins(plain.ensemble, X)[:, 0], full)
    wrapper.save_model(path)
    saved = read_ubj(path.read_bytes())
    assert np.array_equal(margins(saved.ensemble, X)[:, 0], wrapper.predict(X, output_margin=True))
    assert "early stopping" in saved.ensemble.notes[0]


def test_serialised_booster_is_read() -> None:
    booster = train({"objective": "binary:logistic"}, BINARY)
    state = bytes(booster.__getstate__()["handle"])
    assert np.array_equal(
        margins(read_ubj(state).ensemble, rows())[:, 0], booster.predict(matrix(rows()), output_margin=True)
    )


def test_frame_categories_become_an_ordinal_step() -> None:
    pd = pytest.importorskip("pandas")
    names = ["", "a", "zz"]
    frame = pd.DataFrame({"a": rows()[:, 0], "b": pd.Categorical(np.array(names)[np.arange(N) % 3], names)})
    model = xgb.XGBClassifier(n_estimators=3, enable_categorical=True, n_jobs=1).fit(frame, BINARY)
    for found in both(model.get_booster()):
        [step] = found.transforms
        assert isinstance(step, Columns)
        assert isinstance(step.branches[0].steps[0], Passthrough)
        ordinal = step.branches[1].steps[0]
        assert isinstance(ordinal, Ordinal)
        assert sorted(ordinal.categories[0]) == names
        code = np.array([ordinal.categories[0].index(name) for name in frame["b"]])
        inner = np.column_stack([frame["a"], code])
        assert np.array_equal(margins(found.ensemble, inner)[:, 0], model.predict(frame, output_margin=True))
        assert found.columns == ("a", "b")


def test_categories_that_xgboost_garbles_are_opaque() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"b": pd.Categorical(np.array(["éab", "x"])[np.arange(N) % 2])})
    model = xgb.XGBClassifier(n_estimators=1, enable_categorical=True, n_jobs=1).fit(frame, BINARY)
    assert [type(found.transforms[0]) for found in both(model.get_booster())] == [Opaque, Opaque]


def test_facts_about_the_model() -> None:
    [model, _] = both(train({"objective": "multi:softprob", "num_class": 3}, THREE))
    assert (model.ensemble.link, model.ensemble.n_classes, model.ensemble.n_outputs) == (Link.SOFTMAX, 3, 3)
    assert model.classes == (0.0, 1.0, 2.0)
    assert model.ensemble.n_features == 6
    assert model.ensemble.n_trees == 24


def test_leaves_are_the_librarys() -> None:
    booster = train({"objective": "binary:logistic"}, BINARY)
    [model, _] = both(booster)
    ends = leaves(model.ensemble, rows())
    wanted = booster.predict(matrix(rows()), pred_leaf=True)
    for mine, other in zip(ends.T, wanted.T, strict=True):
        assert len(set(zip(mine, other, strict=True))) == len(set(mine)) == len(set(other))


@pytest.mark.shared
def test_credit_margins_are_the_librarys(shared: Path) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.read_parquet(shared / "data/tabular/uci_default_credit.parquet")
    X, y = frame.iloc[:, 1:-1].to_numpy(np.float64), frame.iloc[:, -1].to_numpy().astype(int)
    params = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1}
    booster = xgb.train(params, xgb.DMatrix(X[::3], y[::3]), 100)
    wanted = booster.predict(xgb.DMatrix(X), output_margin=True)
    for model in both(booster):
        assert np.array_equal(margins(model.ensemble, X)[:, 0], wanted)
        near = beside_thresholds(model, X)
        assert np.array_equal(
            margins(model.ensemble, near)[:, 0], booster.predict(xgb.DMatrix(near), output_margin=True)
        )


# --- what is refused


def edited(change: Any) -> bytes:
    document = json.loads(bytes(train({"objective": "binary:logistic"}, BINARY, 2).save_raw("json")))
    learner = document["learner"]
    change(learner, learner["gradient_booster"]["model"]["trees"][0])
    return json.dumps(document).encode()


def put(name: str, index: int, value: object) -> Any:
    def change(_: Any, tree: Any) -> None:
        tree[name][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("left_children", 0, 10_000), "HF-FMT-011"),
        (put("left_children", 0, -7), "HF-FMT-011"),
        (put("left_children", 1, 0), "HF-FMT-011"),
        (put("left_children", 0, 2), "HF-FMT-011"),
        (put("left_children", 0, -1), "HF-FMT-011"),
        (put("left_children", 0, 2**80), "HF-FMT-011"),
        (put("left_children", 0, "1"), "HF-FMT-011"),
        (put("split_indices", 0, 6), "HF-FMT-011"),
        (put("split_conditions", -1, 1e300), "HF-FMT-011"),
        (put("split_conditions", 0, None), "HF-FMT-011"),
        (put("split_conditions", 0, float("nan")), "HF-FMT-010"),
        (lambda _, tree: tree["split_conditions"].pop(), "HF-FMT-011"),
        (lambda _, tree: tree.pop("default_left"), "HF-FMT-010"),
        (lambda _, tree: tree.update(categories_nodes=[0, 0], categories_segments=[0, 0]), "HF-FMT-011"),
        (
            lambda _, tree: tree.update(
                categories=[1, 2], categories_nodes=[0, 1], categories_segments=[0, 0], categories_sizes=[2, 2]
            ),
            "HF-FMT-011",
        ),
        (
            lambda _, tree: tree.update(
                categories=[2**40], categories_nodes=[0], categories_segments=[0], categories_sizes=[1]
            ),
            "HF-FMT-011",
        ),
        (lambda learner, _: learner["learner_model_param"].update(base_score="x"), "HF-FMT-011"),
        (lambda learner, _: learner["learner_model_param"].update(base_score="[1E0]"), "HF-FMT-011"),
        (lambda learner, _: learner["learner_model_param"].update(base_score="[5E-1,5E-1]"), "HF-FMT-011"),
        (lambda learner, _: learner["learner_model_param"].update(num_class="1000000000"), "HF-FMT-012"),
        (lambda learner, _: learner["learner_model_param"].update(num_feature="1000000000"), "HF-FMT-012"),
        (lambda learner, _: learner["objective"].update(name="my:own"), "HF-FMT-013"),
        (lambda learner, _: learner["gradient_booster"].update(name="gblinear"), "HF-FMT-014"),
        (lambda learner, _: learner["gradient_booster"]["model"]["tree_info"].pop(), "HF-FMT-011"),
        (lambda learner, _: learner["gradient_booster"]["model"]["tree_info"].__setitem__(0, 5), "HF-FMT-011"),
    ],
)
def test_contradictions_are_refused(change: Any, code: str) -> None:
    with pytest.raises(FormatError) as fault:
        read_json(edited(change))
    assert fault.value.code == code


def test_depth_is_bounded() -> None:
    for data in (b"[" * 100_000, b'{"learner":' * 50_000):
        with pytest.raises(FormatError):
            read_json(data)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    """Nothing but FormatError ever leaves the readers."""
    form = data.draw(st.sampled_from(["json", "ubj"]))
    raw = bytearray(SMALL[form])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw))) if data.draw(st.booleans()) else len(raw)
    try:
        model = (read_json if form == "json" else read_ubj)(bytes(raw[:cut]))
    except FormatError:
        return
    margins(model.ensemble, np.zeros((3, model.ensemble.n_features)))


SMALL = {form: bytes(train({"objective": "binary:logistic"}, BINARY, 2).save_raw(form)) for form in ("json", "ubj")}

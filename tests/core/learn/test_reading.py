"""What a file tells of its training is what it was trained with."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest

from holdfast.core.learn.design import MAX_TREES, Design, Library
from holdfast.core.learn.reading import GUESS, read_design
from holdfast.core.learn.reading_xgboost import read_growth

RNG = np.random.default_rng(5)
X = RNG.normal(size=(800, 5))
Y = (X[:, 0] + RNG.normal(size=800) > 0).astype(int)


@pytest.mark.parametrize("form", ["json", "ubj"])
@pytest.mark.parametrize(("rate", "l2", "least"), [(0.1, 1.0, 1.0), (0.37, 2.5, 4.0), (0.02, 0.0, 1.0)])
def test_xgboost_tells_rate_and_penalty_by_its_sums(
    tmp_path: Path, form: str, rate: float, l2: float, least: float
) -> None:
    import xgboost

    settings = {"eta": rate, "lambda": l2, "min_child_weight": least, "max_depth": 4, "subsample": 0.8, "nthread": 1}
    path = tmp_path / f"model.{form}"
    xgboost.train({"objective": "binary:logistic", **settings}, xgboost.DMatrix(X, Y), 12).save_model(path)
    found = read_design(path)
    assert (found.library, found.trees, found.depth) == (Library.XGBOOST, 12, 4)
    assert found.rate == pytest.approx(rate, rel=1e-3)
    assert found.l2 == pytest.approx(l2, abs=2e-3)
    assert 0.9 * least <= found.min_weight <= 2 * least
    assert set(found.read) == {"depth", "l2", "min_weight", "rate", "trees"}


def test_of_several_classes_rounds_are_counted(tmp_path: Path) -> None:
    import xgboost

    settings = {"objective": "multi:softprob", "num_class": 3, "eta": 0.2, "max_depth": 3, "nthread": 1}
    path = tmp_path / "model.json"
    xgboost.train(settings, xgboost.DMatrix(X, RNG.integers(0, 3, 800)), 7).save_model(path)
    found = read_design(path)
    assert (found.trees, found.rate) == (7, pytest.approx(0.2, rel=1e-3))


def test_lightgbm_writes_its_settings_down(tmp_path: Path) -> None:
    import lightgbm

    settings = {"num_leaves": 9, "learning_rate": 0.07, "min_data_in_leaf": 33, "lambda_l2": 1.5, "num_threads": 1}
    more = {"bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.6, "max_bin": 63, "verbose": -1}
    path = tmp_path / "model.txt"
    lightgbm.train({"objective": "binary", **settings, **more}, lightgbm.Dataset(X, Y), 11).save_model(path)
    found = read_design(path)
    assert (found.library, found.trees, found.leaves, found.depth) == (Library.LIGHTGBM, 11, 9, 0)
    assert (found.rate, found.min_rows, found.l2, found.bins) == (0.07, 33, 1.5, 63)
    assert (found.row_share, found.column_share) == (0.7, 0.6)


def test_scikit_learn_keeps_its_settings(tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    forest = RandomForestClassifier(7, max_depth=5, min_samples_leaf=3, max_features=2, n_jobs=1)
    hist = HistGradientBoostingClassifier(max_iter=9, learning_rate=0.3, max_leaf_nodes=6, early_stopping=False)
    found = {}
    for name, model in (("forest", forest), ("hist", hist), ("line", LogisticRegression())):
        joblib.dump(make_pipeline(StandardScaler(), model).fit(X, Y), tmp_path / name)
        found[name] = read_design(tmp_path / name)
    assert found["forest"].library is Library.FOREST
    assert (found["forest"].trees, found["forest"].depth, found["forest"].min_rows) == (7, 5, 3)
    assert found["forest"].column_share == pytest.approx(2 / 5)
    assert found["forest"].resampled
    assert (found["hist"].library, found["hist"].trees, found["hist"].leaves) == (Library.HISTOGRAM, 9, 6)
    assert found["hist"].rate == 0.3
    assert found["line"].library is Library.LOGISTIC


@pytest.mark.parametrize("content", [b"", b"{}", b"hello", b'{"learner": {"gradient_booster": {"model": 3}}}'])
def test_what_cannot_be_read_is_guessed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    assert read_design(path) == GUESS
    assert read_growth(path) == {}


def test_hostile_sums_tell_nothing(tmp_path: Path) -> None:
    import json

    import xgboost

    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, Y), 4)
    document = json.loads(booster.save_raw("json"))
    for field, value in (("sum_hessian", [-1e30]), ("base_weights", [float("nan")]), ("left_children", [10**6])):
        changed = json.loads(json.dumps(document))
        for tree in changed["learner"]["gradient_booster"]["model"]["trees"]:
            tree[field] = value * len(tree[field])
        (tmp_path / "m.json").write_text(json.dumps(changed).replace("NaN", "1e39"))
        assert read_growth(tmp_path / "m.json") == {}


def test_settings_are_kept_within_reason() -> None:
    found = Design(Library.XGBOOST).told({"trees": 1e12, "rate": float("nan"), "depth": -4, "l2": None})
    assert (found.trees, found.rate, found.depth, found.l2) == (MAX_TREES, 1e-4, 0, 0.0)
    assert found.read == ("depth", "rate", "trees")

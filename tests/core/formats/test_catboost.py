"""CatBoost models, JSON and binary, answer as CatBoost does."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.domain.transform import Columns, Ordinal
from holdfast.core.errors import FormatError
from holdfast.core.formats.catboost import read_json
from holdfast.core.formats.catboost_hash import hash_of, numbers_of
from holdfast.core.formats.margins import margins, scores
from holdfast.core.formats.read import read_buffer, read_trees

catboost = pytest.importorskip("catboost", reason="catboost is not installed")

FORMS = ["model.json", "model.cbm"]
OPTIONS: dict[str, Any] = {"verbose": 0, "thread_count": 1, "allow_writing_files": False, "random_seed": 0}


def rows(n: int = 300, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).astype(np.float32).astype(np.float64)
    X[:, 3] = rng.integers(0, 4, n)
    X[rng.random(n) < 0.15, 1] = np.nan
    return X, (X[:, 0] + np.nan_to_num(X[:, 1]) + (X[:, 3] == 2) > 0).astype(int)


def saved(model: Any, folder: Path, form: str, pool: Any = None) -> Path:
    path = folder / form
    if form.endswith(".json"):
        model.save_model(str(path), format="json", pool=pool)
    else:
        model.save_model(str(path))
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide", "Depthwise"])
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
def test_two_classes(tmp_path: Path, form: str, policy: str, nan_mode: str) -> None:
    X, y = rows()
    model = catboost.CatBoostClassifier(12, depth=4, grow_policy=policy, nan_mode=nan_mode, **OPTIONS).fit(X, y)
    found = read_trees(saved(model, tmp_path, form))
    near = X.copy()
    for column in range(X.shape[1]):
        cuts = found.ensemble.threshold[found.ensemble.feature == column].astype(np.float32)
        if cuts.size:
            near[:100, column] = np.resize(np.nextafter(cuts, np.float32(1e38)), 100)
            near[100:200, column] = np.resize(cuts, 100)
    for data in (X, near):
        raw = model.predict(data, prediction_type="RawFormulaVal")
        np.testing.assert_allclose(margins(found.ensemble, data)[:, 0], raw, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scores(found.ensemble, X), model.predict_proba(X), atol=1e-12)
    assert found.classes == (0.0, 1.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
def test_several_classes(tmp_path: Path, form: str, loss: str, policy: str) -> None:
    X, _ = rows()
    y = (X[:, 0] > 0.3).astype(int) + (X[:, 2] > 0)
    model = catboost.CatBoostClassifier(8, depth=3, loss_function=loss, grow_policy=policy, **OPTIONS).fit(X, y)
    found = read_trees(saved(model, tmp_path, form))
    raw = model.predict(X, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(margins(found.ensemble, X), raw, atol=1e-12)
    np.testing.assert_allclose(scores(found.ensemble, X), model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_regression_keeps_its_bias_and_scale(tmp_path: Path, form: str) -> None:
    X, _ = rows()
    model = catboost.CatBoostRegressor(8, depth=3, **OPTIONS).fit(X, X[:, 0] * 3 + 40)
    model.set_scale_and_bias(1.5, 7.0)
    found = read_trees(saved(model, tmp_path, form))
    np.testing.assert_allclose(margins(found.ensemble, X)[:, 0], model.predict(X), rtol=1e-12)
    assert found.classes == ()


def one_hot_model(texts: bool) -> tuple[Any, Any, Any]:
    pandas = pytest.importorskip("pandas")
    X, y = rows()
    frame = pandas.DataFrame({f"f{i}": X[:, i] for i in range(5)})
    codes = frame["f3"].astype(int)
    frame["f3"] = codes.map({0: "north", 1: "south", 2: "east", 3: "west"}) if texts else codes
    model = catboost.CatBoostClassifier(12, depth=3, cat_features=["f3"], one_hot_max_size=10, **OPTIONS).fit(frame, y)
    return model, frame, catboost.Pool(frame, y, cat_features=["f3"])


@pytest.mark.parametrize(("form", "texts"), [("model.json", False), ("model.cbm", False), ("model.json", True)])
def test_one_hot_categories_reach_the_trees_as_positions(tmp_path: Path, form: str, texts: bool) -> None:
    model, frame, pool = one_hot_model(texts)
    found = read_trees(saved(model, tmp_path, form, pool))
    assert found.columns == ("f0", "f1", "f2", "f3", "f4")
    values = '["east", "north", "south", "west"]' if texts else "[0, 1, 2, 3]"
    names = "\n".join(
        f"  f{i}: {{type: {'category, values: ' + values if i == 3 else 'number'}, missing: true, move: any}}"
        for i in range(5)
    )
    contract = Contract.parse(f"version: 1\nfeatures:\n{names}\n")
    raw = contract.encode({name: frame[name].to_numpy() for name in frame})
    inner = FeatureMap.of(contract, found.transforms, found.columns).apply(raw)
    expected = model.predict(frame, prediction_type="RawFormulaVal")
    assert len(found.ensemble.category_sets) > 0
    np.testing.assert_allclose(margins(found.ensemble, inner)[:, 0], expected, atol=1e-12)
    [columns] = found.transforms
    assert isinstance(columns, Columns)
    assert isinstance(columns.branches[3].steps[0], Ordinal)


def test_a_binary_of_texts_says_how_to_save_it(tmp_path: Path) -> None:
    model, _, _ = one_hot_model(texts=True)
    with pytest.raises(FormatError, match="cannot be read as trees") as caught:
        read_trees(saved(model, tmp_path, "model.cbm"))
    assert "pool=" in str(caught.value.cause)


@pytest.mark.parametrize("form", FORMS)
def test_counters_of_categories_are_refused(tmp_path: Path, form: str) -> None:
    _, frame, _ = one_hot_model(texts=True)
    pool = catboost.Pool(frame, frame["f3"].isin(["east", "north"]), cat_features=["f3"])
    model = catboost.CatBoostClassifier(5, depth=3, one_hot_max_size=2, **OPTIONS).fit(pool)
    with pytest.raises(FormatError) as caught:
        read_trees(saved(model, tmp_path, form, pool))
    assert caught.value.code == "HF-FMT-013"
    assert "CTR" in str(caught.value.cause)


def test_hashes_are_catboosts() -> None:
    assert [hash_of(str(n)) for n in (0, 1, 2, 3)] == [2856682258, 1121341681, 3010176887, 593172586]
    assert numbers_of([hash_of("1234"), hash_of("zz")]) == {hash_of("1234"): (1234,)}


def test_what_is_cut_off_or_changed_is_refused(tmp_path: Path) -> None:
    X, y = rows()
    model = catboost.CatBoostClassifier(3, depth=3, **OPTIONS).fit(X, y)
    whole = saved(model, tmp_path, "model.cbm").read_bytes()
    rng = np.random.default_rng(0)
    for end in (12, 40, len(whole) // 2, len(whole) - 9):
        with pytest.raises(FormatError):
            read_buffer(whole[:end])
    for _ in range(200):
        broken = bytearray(whole)
        for at in rng.integers(8, len(whole), 4):
            broken[at] = rng.integers(256)
        with contextlib.suppress(FormatError):
            margins(read_buffer(bytes(broken)).ensemble, np.zeros((1, 5)))


@pytest.mark.parametrize("part", ["scale_and_bias", "features_info", "model_info", "oblivious_trees"])
def test_a_document_without_a_part_is_refused(tmp_path: Path, part: str) -> None:
    X, y = rows()
    path = saved(catboost.CatBoostClassifier(3, depth=3, **OPTIONS).fit(X, y), tmp_path, "model.json")
    document = json.loads(path.read_text())
    document[part] = [{"leaf_values": [1.0, 2.0]}] if part == "oblivious_trees" else {}
    with pytest.raises(FormatError):
        read_json(json.dumps(document).encode())

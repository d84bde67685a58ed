"""Fitted scikit-learn preprocessing read as data does what scikit-learn does."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from holdfast.core.domain.transform import (
    Columns,
    Impute,
    OneHot,
    Opaque,
    Ordinal,
    Passthrough,
    Scale,
    Transform,
)
from holdfast.core.errors import FormatError
from holdfast.core.formats.instances import Source
from holdfast.core.formats.pickle import Dict, Object, read_pickles
from holdfast.core.formats.steps import steps_of

N = 200


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "a": rng.normal(size=N) * 100,
            "b": rng.normal(size=N),
            "c": rng.choice(["x", "y", "z"], N),
            "d": rng.integers(0, 4, N).astype(float),
            "e": rng.choice(["", "long name", "é"], N),
        }
    )
    table.loc[::7, "a"] = np.nan
    return table


def read(step: Any, protocol: int = 5) -> tuple[Transform, ...]:
    data = pickle.dumps(step, protocol=protocol)
    return steps_of(read_pickles(data).value, Source(data))


def same(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)


def apply(step: Transform, X: np.ndarray) -> np.ndarray:
    """What a transform's docstring says, row by row: the oracle's side of the comparison."""
    if isinstance(step, Scale):
        X = X.astype(float)
        factor, offset = np.array(step.factor), np.array(step.offset)
        return X * factor + offset if step.multiply else (X - offset) / factor
    if isinstance(step, Impute):
        filled = [[s if x != x else x for x, s in zip(row, step.statistics, strict=True)] for row in X]
        marks = [[float(row[j] != row[j]) for j in step.indicators] for row in X]
        return np.array([[*a, *b] for a, b in zip(filled, marks, strict=True)], object)
    if isinstance(step, OneHot):
        dropped = step.dropped or (None,) * len(step.categories)
        return np.array(
            [
                [
                    float(same(x, category))
                    for x, known, gone in zip(row, step.categories, dropped, strict=True)
                    for position, category in enumerate(known)
                    if position != gone
                ]
                for row in X
            ]
        )
    if isinstance(step, Ordinal):
        return np.array([[code(x, known, step) for x, known in zip(row, step.categories, strict=True)] for row in X])
    if isinstance(step, Columns):
        parts = []
        for branch in step.branches:
            part = X[:, list(branch.columns)]
            for inner in branch.steps:
                part = apply(inner, part)
            parts.append(part)
        return np.hstack(parts)
    assert isinstance(step, Passthrough)
    return X


def code(x: object, known: tuple[object, ...], step: Ordinal) -> float:
    if x != x and step.missing_value is not None:
        return step.missing_value
    found = [position for position, category in enumerate(known) if same(x, category)]
    if found:
        return float(found[0])
    assert step.unknown_value is not None
    return step.unknown_value


def numeric() -> np.ndarray:
    X = frame()[["a", "b", "d"]].to_numpy(copy=True)
    X[:, 2] += 0.1
    return X


FULL = numeric()[~np.isnan(numeric()).any(axis=1)]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "step",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        StandardScaler(with_mean=False, with_std=False),
        MinMaxScaler((-1, 3)),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_centering=False),
        RobustScaler(with_scaling=False, unit_variance=True),
        FunctionTransformer(),
        "passthrough",
    ],
    ids=repr,
)
def test_numeric_steps(step: Any, protocol: int) -> None:
    step = make_pipeline(step).fit(FULL)
    found = FULL
    for part in read(step, protocol):
        found = apply(part, found)
    assert np.array_equal(found, step.transform(FULL))


@pytest.mark.parametrize(
    "step",
    [
        SimpleImputer(),
        SimpleImputer(strategy="median", add_indicator=True),
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant", fill_value=-9.0),
    ],
    ids=repr,
)
def test_imputers(step: Any) -> None:
    X = numeric()
    [part] = read(step.fit(X))
    assert np.array_equal(apply(part, X).astype(float), step.transform(X))


@pytest.mark.parametrize(
    "step",
    [
        OneHotEncoder(sparse_output=False),
        OneHotEncoder(sparse_output=False, drop="first"),
        OneHotEncoder(sparse_output=False, drop="if_binary", handle_unknown="ignore"),
        OneHotEncoder(sparse_output=False, drop=["y", "é", 2.0]),
        OrdinalEncoder(),
        OrdinalEncoder(categories=[["z", "y", "x"], ["", "é", "long name"], [3.0, 1.0, 0.0, 2.0]]),
    ],
    ids=repr,
)
def test_encoders(step: Any) -> None:
    X = frame()[["c", "e", "d"]].to_numpy(object)
    [part] = read(step.fit(X))
    assert np.array_equal(apply(part, X), step.transform(X))


def test_ordinal_encoder_with_missing_and_unknown_values() -> None:
    X = np.array([[1.0], [2.0], [np.nan], [5.0]])
    step = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2).fit(X)
    [part] = read(step)
    asked = np.array([[5.0], [np.nan], [77.0]])
    assert np.array_equal(apply(part, asked), step.transform(asked))


def columns_of(*parts: Any, **options: Any) -> ColumnTransformer:
    return ColumnTransformer(list(parts), **options)


@pytest.mark.parametrize(
    "step",
    [
        columns_of(("n", StandardScaler(), ["b", "d"]), ("c", OneHotEncoder(), ["c", "e"]), sparse_threshold=0),
        columns_of(("n", SimpleImputer(), ["a"]), remainder="drop"),
        columns_of(("n", StandardScaler(), [1]), ("o", OrdinalEncoder(), [4, 2]), remainder="drop"),
        columns_of(("n", MinMaxScaler(), slice(0, 2)), ("gone", "drop", ["c"]), ("p", "passthrough", ["d"])),
        columns_of(("n", MinMaxScaler(), [False, True, False, True, False])),
        columns_of(("o", OrdinalEncoder(), make_column_selector(dtype_exclude="number")), remainder=MaxAbsScaler()),
        columns_of(
            ("n", Pipeline([("i", SimpleImputer()), ("s", StandardScaler())]), ["a", "b"]),
            ("c", make_pipeline(OrdinalEncoder(), MinMaxScaler()), ["c"]),
            ("none", "passthrough", []),
            remainder="drop",
        ),
        columns_of(("o", OrdinalEncoder(), ["c", "e"]), remainder="passthrough"),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_column_transformers(step: ColumnTransformer, protocol: int) -> None:
    table = frame()
    wanted = step.fit(table).transform(table)
    [part] = read(step, protocol)
    found = apply(part, table.to_numpy(object)).astype(float)
    assert np.array_equal(found, np.asarray(wanted, float), equal_nan=True)


@pytest.mark.parametrize(
    "step",
    [
        PCA(2),
        MinMaxScaler(clip=True),
        FunctionTransformer(np.log1p),
        columns_of(("n", StandardScaler(), [0]), transformer_weights={"n": 2.0}),
        SimpleImputer(missing_values=0.1),
    ],
    ids=repr,
)
def test_what_has_no_description_is_opaque(step: Any) -> None:
    [part] = read(step.fit(FULL))
    assert isinstance(part, Opaque)


def test_samplers_do_nothing_when_a_model_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("imblearn.over_sampling._random")
    module.Sampler = type("Sampler", (), {"__module__": module.__name__})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imblearn", ModuleType("imblearn"))
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", ModuleType("imblearn.over_sampling"))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert read(module.Sampler()) == ()


def test_infrequent_categories_are_opaque() -> None:
    X = frame()[["c"]]
    for step in (OneHotEncoder(max_categories=2), OrdinalEncoder(max_categories=2)):
        assert isinstance(read(step.fit(X))[0], Opaque)


def test_imputer_that_drops_a_column_is_opaque() -> None:
    X = FULL.copy()
    X[:, 1] = np.nan
    assert isinstance(read(SimpleImputer().fit(X))[0], Opaque)


def test_unfitted_and_broken_steps_are_refused() -> None:
    with pytest.raises(FormatError) as fault:
        read(StandardScaler())
    assert fault.value.code == "HF-FMT-011"
    broken = StandardScaler().fit(FULL)
    broken.scale_ = broken.scale_[:1]
    with pytest.raises(FormatError):
        read(broken)
    encoder = OneHotEncoder(drop="first").fit(frame()[["c"]])
    encoder.drop_idx_ = np.array([7], object)
    with pytest.raises(FormatError):
        read(encoder)


def test_endless_pipelines_are_refused() -> None:
    data = pickle.dumps(make_pipeline(StandardScaler().fit(FULL)))
    node = read_pickles(data).value
    assert isinstance(node, Object)
    state = node.states[0]
    assert isinstance(state, Dict)
    state.pairs.append(("steps", [("self", node)]))
    with pytest.raises(FormatError):
        steps_of(node, Source(data))


def test_shared_parts_do_not_multiply() -> None:
    """Eight levels of pipelines, each naming the next one a thousand times, would be 10^24 steps."""
    step: Any = StandardScaler().fit(FULL)
    for _ in range(8):
        step = Pipeline([(f"s{number}", step) for number in range(1000)])
    data = pickle.dumps(step)
    with pytest.raises(FormatError) as fault:
        steps_of(read_pickles(data).value, Source(data))
    assert fault.value.code == "HF-FMT-012"

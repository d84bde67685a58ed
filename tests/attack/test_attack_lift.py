"""Decisions on bins are decisions on values, to the last bit, whatever lies between a column and a threshold."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from forests import forest, target_of
from holdfast.attack import TreeTarget
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.domain.transform import Opaque
from holdfast.core.errors import TargetError
from holdfast.core.formats.margins import leaves
from holdfast.core.formats.read import read_trees
from holdfast.core.formats.trees import TreeModel

Floats = NDArray[np.float64]

CONTRACT = Contract.parse(
    """
    version: 1
    features:
      a: {type: number, move: any, missing: true}
      b: {type: integer, min: -5, max: 5, move: any, missing: true}
      c: {type: category, values: [0, 1, 2, 7], move: any, missing: true}
      unused: {type: number, move: any}
    """
)


def bin_of(target: TreeTarget, column: int, value: float) -> int:
    grid = target.grid
    if np.isnan(value):
        return int(grid.size[column])
    lows = grid.low[grid.start[column] :][: grid.size[column]]
    place = int(np.searchsorted(lows, value, side="right")) - 1
    assert value <= grid.high[grid.start[column] + place]
    return place


def ends(target: TreeTarget, row: Floats) -> list[int]:
    """Leaves reached by bins, read from the lifted arrays in plain Python."""
    bins = [bin_of(target, column, value) for column, value in enumerate(row)]
    return [_end(target, bins, int(root)) for root in target.forest.roots]


def _end(target: TreeTarget, bins: list[int], node: int) -> int:
    while True:
        column, cut, left, right = (int(value) for value in target.forest.nodes[node])
        if column < 0:
            return node
        place = bins[column]
        if cut < 0:
            passes = bool(int(target.forest.mask[-1 - cut + place // 64]) >> (place % 64) & 1)
        elif place == target.grid.size[column]:
            passes = bool(target.forest.default_left[node])
        else:
            passes = place < cut
        node = left if passes else right


def edge_values(target: TreeTarget, column: int) -> list[float]:
    """The ends of every bin, and their neighbours."""
    grid = target.grid
    slots = slice(grid.start[column], grid.start[column] + grid.size[column])
    edges = np.concatenate([grid.low[slots], grid.high[slots]])
    edges = edges[np.isfinite(edges)]
    around = [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
    return np.unique(np.concatenate(around)).tolist() if edges.size else [0.0]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    operator=st.sampled_from(["<", "<="]),
    dtype=st.sampled_from(["float32", "float64"]),
    zero_is_missing=st.booleans(),
    by_set=st.booleans(),
)
def test_bins_decide_as_values_do(seed: int, operator: str, dtype: str, zero_is_missing: bool, by_set: bool) -> None:
    rng = np.random.default_rng(seed)
    cuts = [[-1.5, 0.0, 0.1, 1e-40, 3.3e8], [-2.0, 0.5, 1.0, 3.0], [0.5, 1.0, 2.5], [0.0]]
    ensemble = forest(
        rng,
        cuts,
        depth=4,
        codes={1: 4, 2: 8} if by_set else {},
        operator=operator,
        dtype=dtype,
        zero_is_missing=zero_is_missing,
    )
    target = target_of(ensemble, CONTRACT)
    columns = [
        [*edge_values(target, 0), np.nan, -0.0, 0.0, 1e300],
        [-5.0, -1.0, 0.0, 1.0, 2.0, 3.0, 5.0, np.nan],
        [0.0, 1.0, 2.0, 7.0, np.nan],
        [0.0, -1.0],
    ]
    X = np.column_stack([rng.choice(values, 60) for values in columns])
    assert [ends(target, row) for row in X] == leaves(ensemble, X).tolist()


def test_a_float32_comparison_turns_at_its_exact_float64() -> None:
    target = target_of(forest(np.random.default_rng(1), [[0.1], [0.0], [0.0], [0.0]]), CONTRACT)
    low = target.grid.low[target.grid.start[0] + 1]
    assert np.float32(low) == np.float32(0.1)
    assert np.float32(np.nextafter(low, -np.inf)) < np.float32(0.1)


def raw_rows(rng: np.random.Generator, n: int) -> Floats:
    a = rng.normal(size=n) * 100
    a[rng.random(n) < 0.1] = np.nan
    b = rng.integers(-5, 6, n).astype(float)
    return np.column_stack([a, b, rng.choice([0.0, 1.0, 2.0, 7.0], n), rng.normal(size=n)])


PIPELINE_CONTRACT = Contract.parse(
    """
    version: 1
    features:
      a: {type: number, move: any, missing: true}
      b: {type: integer, min: -5, max: 5, move: any}
      c: {type: category, values: [0, 1, 2, 7], move: any}
      d: {type: number, move: any}
    """
)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler((-3, 7)), RobustScaler()])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_a_lifted_pipeline_decides_as_scikit_learn_does(scaler: object, encoder: object, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    X = raw_rows(rng, 400)
    y = (np.nan_to_num(X[:, 0]) / 100 + X[:, 1] / 5 + (X[:, 2] == 7) + X[:, 3] > 0.3).astype(int)
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", scaler)])
    columns = ColumnTransformer([("numbers", numbers, [0, 3]), ("codes", encoder, [2]), ("plain", "passthrough", [1])])
    model = GradientBoostingClassifier(n_estimators=15, max_depth=3, random_state=0)
    pipeline = Pipeline([("columns", columns), ("model", model)]).fit(X, y)
    path = tmp_path / "model.joblib"
    joblib.dump(pipeline, path)
    read = read_trees(path)
    target = TreeTarget.of(read, PIPELINE_CONTRACT, FeatureMap.of(PIPELINE_CONTRACT, read.transforms))
    probes = _boundary_rows(target, X, rng)
    assert len(probes) > 100
    inner = pipeline[:-1].transform(probes).astype(np.float32)
    theirs = np.column_stack([tree.apply(inner) for tree in model.estimators_[:, 0]])
    own = np.array([ends(target, row) for row in probes]) - target.forest.roots
    assert (own == theirs).all()


def _boundary_rows(target: TreeTarget, X: Floats, rng: np.random.Generator) -> Floats:
    """Rows of X with one column set to the edge of a bin, one ulp below, one above."""
    rows = []
    for column, values in enumerate(edge_values(target, column) for column in range(4)):
        if column in (0, 3):
            for value in values:
                row = X[rng.integers(len(X))].copy()
                row[column] = value
                rows.append(row)
    return np.array(rows)


def test_a_forest_of_probabilities_keeps_its_scores(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    X = np.nan_to_num(raw_rows(rng, 300))
    y = rng.integers(0, 3, 300)
    model = RandomForestClassifier(n_estimators=7, max_depth=4, random_state=0).fit(X, y)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    target = TreeTarget.of(read_trees(path), PIPELINE_CONTRACT, FeatureMap.of(PIPELINE_CONTRACT, ()))
    np.testing.assert_allclose(target.scores(X), model.predict_proba(X), rtol=1e-12)
    lifted = np.array([sum(target.forest.leaf[node] for node in ends(target, row)) for row in X])
    np.testing.assert_allclose(lifted, model.predict_proba(X), rtol=1e-9)


def test_an_opaque_step_is_refused_with_its_name() -> None:
    ensemble = forest(np.random.default_rng(0), [[0.0]] * 4)
    opaque = FeatureMap.of(CONTRACT, (Opaque("PCA"),))
    with pytest.raises(TargetError, match="white box") as caught:
        TreeTarget.of(TreeModel(ensemble), CONTRACT, opaque)
    assert caught.value.code == "HF-ATK-001"
    assert "PCA" in caught.value.cause


def test_other_columns_than_the_contract_leads_to_are_refused() -> None:
    with pytest.raises(TargetError) as caught:
        target_of(forest(np.random.default_rng(0), [[0.0]] * 3), CONTRACT)
    assert caught.value.code == "HF-ATK-002"


def test_more_parts_than_the_search_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.attack.lift.MAX_BINS", 3)
    with pytest.raises(TargetError) as caught:
        target_of(forest(np.random.default_rng(0), [np.arange(9.0)] * 4, trees=20), CONTRACT)
    assert caught.value.code == "HF-ATK-006"

"""Moves found in lifted trees change the decision of the library that trained the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.formats.read import read_trees

Floats = NDArray[np.float64]

CONTRACT = Contract.parse(
    """
    version: 1
    features:
      income:  {type: number, min: 0, max: 200, move: up}
      debt:    {type: integer, min: 0, max: 100, move: any}
      region:  {type: category, values: [0, 1, 2, 3], move: any, cost: 3.0}
      age:     {type: integer, min: 18, max: 90, move: never}
      late:    {type: number, min: 0, max: 40, move: down, missing: true}
      load:    {type: number, derived: debt / age}
    relations:
      - {id: afford, rule: debt <= income + 40}
      - {id: spend, rule: income - was(income) + was(debt) - debt <= 60}
    """
)


def applicants(n: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    income, age = rng.gamma(4, 15, n).clip(0, 200), rng.integers(18, 91, n)
    debt = np.minimum(rng.integers(0, 101, n), np.floor(income + 40))
    late = np.where(rng.random(n) < 0.15, np.nan, rng.exponential(5, n).clip(0, 40))
    X = CONTRACT.derive(np.column_stack([income, debt, rng.integers(0, 4, n), age, late, np.zeros(n)]))
    risk = debt / 20 - income / 30 + np.nan_to_num(late, nan=8) / 6 + (X[:, 2] == 2) + rng.normal(size=n)
    return X, (risk > np.median(risk)).astype(np.int64)


def pipeline(model: Any) -> Pipeline:
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer([("numbers", numbers, [0, 1, 3, 4, 5]), ("region", OneHotEncoder(), [2])])
    return Pipeline([("columns", columns), ("model", model)])


def xgboost_model() -> Any:
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=40, max_depth=4, n_jobs=1)


def lightgbm_model() -> Any:
    lightgbm = pytest.importorskip("lightgbm")
    return lightgbm.LGBMClassifier(n_estimators=40, num_leaves=15, n_jobs=1, verbose=-1)


MODELS: dict[str, Callable[[], Any]] = {
    "xgboost.json": xgboost_model,
    "lightgbm.txt": lightgbm_model,
    "histogram.joblib": lambda: HistGradientBoostingClassifier(max_iter=30, random_state=0, categorical_features=[2]),
    "forest.joblib": lambda: pipeline(RandomForestClassifier(25, max_depth=6, random_state=0)),
    "boosting.joblib": lambda: pipeline(GradientBoostingClassifier(n_estimators=30, random_state=0)),
}


def save(model: Any, path: Path) -> None:
    if path.suffix == ".json":
        model.save_model(path)
    elif path.suffix == ".txt":
        model.booster_.save_model(path)
    else:
        joblib.dump(model, path)


@pytest.mark.parametrize("name", MODELS)
def test_the_library_agrees(name: str, tmp_path: Path) -> None:
    X, y = applicants(900, 0)
    model = MODELS[name]().fit(X[:600], y[:600])
    save(model, tmp_path / name)
    read = read_trees(tmp_path / name)
    target = TreeTarget.of(read, CONTRACT, FeatureMap.of(CONTRACT, read.transforms))
    flagged = X[600:][model.predict(X[600:]) == 1][:60]
    result = _attack(target, flagged, CONTRACT.scales(X[:600]))
    assert result.success.mean() > 0.3
    assert result.valid[result.success].all()
    assert CONTRACT.validate(result.adversarial[result.success], flagged[result.success]).valid.all()
    assert (model.predict(result.adversarial[result.success]) == 0).all()
    assert (result.adversarial[:, 3] == flagged[:, 3]).all()


def _attack(target: TreeTarget, rows: Floats, scales: Floats) -> EvasionResult:
    return attack(target, rows, goal=Goal(0), budget=Budget(), contract=CONTRACT, scales=scales)


@pytest.mark.shared
def test_flagged_defaulters_of_the_credit_data(shared: Path, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    parquet = pytest.importorskip("pyarrow.parquet")
    contract = Contract.load(Path(__file__).parents[2] / "benchmarks/contracts/credit.yaml")
    table = parquet.read_table(shared / "data/tabular/uci_default_credit.parquet").drop_columns(["ID"])
    label = "default.payment.next.month"
    X = contract.encode({name: table[name].to_numpy() for name in table.column_names if name != label})
    y = table[label].to_numpy()
    contract.check_training(X)
    model = xgboost.XGBClassifier(n_estimators=60, max_depth=6, learning_rate=0.1, n_jobs=1).fit(X[:20_000], y[:20_000])
    model.save_model(tmp_path / "model.json")
    target = TreeTarget.of(read_trees(tmp_path / "model.json"), contract, FeatureMap.of(contract, ()))
    held = X[20_000:]
    rows = held[(y[20_000:] == 1) & (model.predict(held) == 1)][:40]
    result = attack(target, rows, goal=Goal(0), budget=Budget(), contract=contract, scales=contract.scales(X[:20_000]))
    assert result.success.mean() >= 0.97
    moved = result.adversarial[result.success]
    np.testing.assert_array_equal(contract.round(moved, rows[result.success]), moved)
    assert contract.validate(moved, rows[result.success]).valid.all()
    assert (model.predict(moved) == 0).all()
    extra = moved[:, -6:] - rows[result.success][:, -6:]
    assert (extra >= 0).all()
    assert (extra.sum(axis=1) <= 20_000).all()

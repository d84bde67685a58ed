"""What real libraries train: many classes, native categories, missing values, forests, ONNX; each hit is theirs too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack
from holdfast.attack.interface import Limit, Norm
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.formats.read import read_trees

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

TEXT = """
version: 1
features:
  amount: {type: number, min: 0, max: 100, move: any, missing: true}
  count:  {type: integer, min: 0, max: 50, move: any, missing: true}
  kind:   {type: category, values: [0, 1, 2, 3, 4], move: any}
  age:    {type: integer, min: 18, max: 90, move: never}
"""
CONTRACT = Contract.parse(TEXT)
KIND = [2]


def table(n: int, classes: int, missing: bool, seed: int = 0) -> tuple[Floats, Labels]:
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.gamma(2, 15, n).clip(0, 100), rng.integers(0, 51, n), rng.integers(0, 5, n), rng.integers(18, 91, n)]
    ).astype(np.float64)
    score = X[:, 0] / 20 - X[:, 1] / 15 + 2 * np.isin(X[:, 2], [1, 4]) + X[:, 3] / 60 + rng.normal(0, 0.5, n)
    y = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    if missing:
        gone = rng.random(n) < 0.2
        X[gone, 0] = np.nan
        y = np.where(gone & (rng.random(n) < 0.8), 0, y)
    return X, y


def xgboost_model() -> Any:
    library = pytest.importorskip("xgboost")
    types = ["q", "q", "c", "q"]
    return library.XGBClassifier(
        n_estimators=20, max_depth=4, n_jobs=1, enable_categorical=True, feature_types=types, max_cat_to_onehot=2
    )


class LightGBM:
    """LightGBM's classifier, told which column is a category."""

    def __init__(self) -> None:
        library = pytest.importorskip("lightgbm")
        self.model = library.LGBMClassifier(n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1, min_child_samples=5)

    def fit(self, X: Floats, y: Labels) -> LightGBM:
        self.model.fit(X, y, categorical_feature=KIND)
        return self

    def predict(self, X: Floats) -> Labels:
        return np.asarray(self.model.predict(X))


MODELS: dict[str, Callable[[], Any]] = {
    "xgboost.json": xgboost_model,
    "lightgbm.txt": LightGBM,
    "histogram.joblib": lambda: HistGradientBoostingClassifier(max_iter=15, random_state=0, categorical_features=KIND),
    "forest.joblib": lambda: RandomForestClassifier(20, max_depth=7, random_state=0, n_jobs=1),
}


def save(model: Any, path: Path) -> None:
    if path.suffix == ".json":
        model.save_model(path)
    elif path.suffix == ".txt":
        model.model.booster_.save_model(path)
    else:
        joblib.dump(model, path)


def target_of(path: Path) -> TreeTarget:
    read = read_trees(path)
    return TreeTarget.of(read, CONTRACT, FeatureMap.of(CONTRACT, read.transforms))


def run(target: TreeTarget, rows: Floats, scales: Floats, goal: Goal) -> EvasionResult:
    return attack(target, rows, goal=goal, budget=Budget(), contract=CONTRACT, scales=scales)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("classes", [2, 3])
def test_the_library_confirms_each_hit(name: str, classes: int, tmp_path: Path) -> None:
    X, y = table(700, classes, missing=True)
    model = MODELS[name]().fit(X[:500], y[:500])
    save(model, tmp_path / name)
    target, rows = target_of(tmp_path / name), X[500:][model.predict(X[500:]) == classes - 1][:25]
    scales, reached = CONTRACT.scales(X[:500]), dict[Norm, Floats]()
    free = [(CONTRACT, Norm.LINF), (CONTRACT, Norm.L2)]
    for contract, norm in [*free, (only("kind"), Norm.L1), (only("amount", RISE), Norm.L0)]:
        goal = Goal(0, minimise=norm)
        result = attack(target, rows, goal=goal, budget=Budget(), contract=contract, scales=scales)
        hit, moved = result.success, result.adversarial[result.success]
        assert (model.predict(moved) == 0).all()
        assert contract.validate(moved, rows[hit]).valid.all()
        assert (result.floor <= result.distance + 1e-12).all()
        if contract is CONTRACT:
            assert hit.mean() > 0.5
        reached[norm] = moved
    assert len(reached[Norm.L1]) or classes > 2, "no category was changed"
    assert np.isnan(reached[Norm.L0]).any(), "no value was made to be missing"


RISE = 'relations:\n  - {id: rise, rule: "amount >= was(amount)"}\n'
"""Then only a missing amount helps."""


def only(name: str, rules: str = "") -> Contract:
    """The contract where one column alone may move."""
    lines = [line if name in line else line.replace("move: any", "move: never") for line in TEXT.splitlines()]
    return Contract.parse("\n".join(lines) + "\n" + rules)


def test_onnx_forests_are_confirmed_by_onnxruntime(tmp_path: Path) -> None:
    convert = pytest.importorskip("skl2onnx", reason="skl2onnx makes the model")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime confirms the hits")
    X, y = table(600, 3, missing=False)
    model = RandomForestClassifier(15, max_depth=6, random_state=0, n_jobs=1).fit(X[:400], y[:400])
    made = convert.to_onnx(model, X[:1].astype(np.float32), options={"zipmap": False})
    (tmp_path / "forest.onnx").write_bytes(made.SerializeToString())
    session = runtime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])

    def predict(rows: Floats) -> Labels:
        return np.asarray(session.run(None, {session.get_inputs()[0].name: rows.astype(np.float32)})[0])

    rows = X[400:][predict(X[400:]) == 2][:15]
    result = run(target_of(tmp_path / "forest.onnx"), rows, CONTRACT.scales(X), Goal(0))
    assert result.success.mean() > 0.8
    assert (predict(result.adversarial[result.success]) == 0).all()


def test_a_deep_forest_within_limits(tmp_path: Path) -> None:
    X, y = table(1500, 2, missing=False)
    model = RandomForestClassifier(300, max_depth=12, random_state=0, n_jobs=1).fit(X[:1200], y[:1200])
    joblib.dump(model, tmp_path / "deep.joblib")
    rows = X[1200:][model.predict(X[1200:]) == 1][:4]
    goal = Goal(0, minimise=Norm.L1, within=(Limit(Norm.LINF, 0.6),))
    budget = Budget(nodes_per_row=1_000_000, restarts=1)
    target, scales = target_of(tmp_path / "deep.joblib"), CONTRACT.scales(X)
    result = attack(target, rows, goal=goal, budget=budget, contract=CONTRACT, scales=scales)
    assert result.success.any()
    assert (result.linf[result.success] <= 0.6 + 1e-12).all()
    assert (model.predict(result.adversarial[result.success]) == 0).all()

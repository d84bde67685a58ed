"""quality.performance: the model's own answers from the sandbox, against scikit-learn's metrics on a direct run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

import bank
from holdfast.audit.checks.quality.performance import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.target import Parts, Target
from holdfast.core.errors import DataError


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("bank"))
    bank.train(made)
    return made


def test_figures_equal_those_of_a_direct_run(parts: Parts) -> None:
    import xgboost

    with Target(parts) as target:
        seen = observe(target, NoParams(), Budget())
        columns, labels = target.features(target.test), target.labels(target.test)
    booster = xgboost.Booster(model_file=str(parts.artifact))
    matrix = np.column_stack([columns[name] for name in columns])
    scores = booster.predict(xgboost.DMatrix(matrix, feature_names=list(columns)))
    decided = (scores >= 0.5).astype(int)
    assert {m.name: m.value for m in seen.measurements} == pytest.approx(
        {
            "quality.auc": roc_auc_score(labels, scores),
            "quality.accuracy": accuracy_score(labels, decided),
            "quality.recall": recall_score(labels, decided),
            "quality.precision": precision_score(labels, decided),
            "quality.flag_rate": decided.mean(),
        }
    )
    assert {m.n for m in seen.measurements} == {labels.size}
    assert [fact.kind for fact in seen.facts] == ["sandbox.isolation"]


def test_the_threshold_is_the_tasks(parts: Parts) -> None:
    strict = replace(parts, model=replace(parts.model, task=replace(parts.model.task, threshold=0.9)))
    rates = []
    for one in (parts, strict):
        with Target(one) as target:
            seen = observe(target, NoParams(), Budget())
        rates.append(next(m.value for m in seen.measurements if m.name == "quality.flag_rate"))
    assert rates[1] < rates[0]


@pytest.mark.parametrize("label", ["missing", "text", "one class", "fraction"])
def test_labels_that_are_no_classes_are_the_users_error(parts: Parts, tmp_path: Path, label: str) -> None:
    columns = bank.rows(50, 2)
    y = columns["y"].astype(float)
    y[3] = {"missing": np.nan, "fraction": 0.5}.get(label, y[3])
    if label == "one class":
        y[:] = 0
    columns["y"] = y.astype(str) if label == "text" else y
    if label == "text":
        columns["y"][0] = "yes"
    pq.write_table(pa.table(columns), tmp_path / "test.parquet")
    with Target(replace(parts, test=tmp_path / "test.parquet")) as target, pytest.raises(DataError) as caught:
        observe(target, NoParams(), Budget())
    assert caught.value.code == "HF-DAT-021"

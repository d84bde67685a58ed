"""evasion.search: figures that follow from the rows found, confirmed by the model's own library."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.audit.checks.evasion.search import EvasionParams, observe
from holdfast.audit.interface import Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.observation import Observation, Status

BOXES = (0.002, 0.01, 0.05)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("bank"))
    bank.train(made)
    return made


def look(parts: Parts, **params: object) -> Observation:
    with Target(parts) as target:
        return observe(target, EvasionParams(rows=40, boxes=BOXES, **params), Budget())  # type: ignore[arg-type]


def numbers(seen: Observation) -> dict[tuple[str, float | None], float]:
    return {(m.name, m.at.get("linf")): m.value for m in seen.measurements}


def test_figures_are_consistent_and_repeatable(parts: Parts) -> None:
    seen = look(parts)
    found = numbers(seen)
    recall = found["evasion.recall", None]
    for box in BOXES:
        assert found["evasion.robust_recall", box] == pytest.approx(recall * found["evasion.robust_share", box])
    shares = [found["evasion.robust_share", box] for box in BOXES]
    assert shares == sorted(shares, reverse=True)
    assert 1 - shares[-1] <= found["evasion.success_share", None] + 1e-12
    assert found["evasion.success_share", None] > 0.2
    assert not [fact for fact in seen.facts if fact.kind == "evasion.unconfirmed"]
    assert look(parts) == seen


def test_recall_is_what_the_models_own_library_flags(parts: Parts) -> None:
    import xgboost

    with Target(parts) as target:
        columns, labels = target.features(target.test), target.labels(target.test)
    booster = xgboost.Booster(model_file=str(parts.artifact))
    matrix = np.column_stack([columns[name] for name in columns])
    scores = booster.predict(xgboost.DMatrix(matrix, feature_names=list(columns)))
    recall = float((scores[labels == 1] >= 0.5).mean())
    assert numbers(look(parts))["evasion.recall", None] == pytest.approx(recall)


def test_an_attacker_who_may_move_nothing_gets_nowhere(parts: Parts, tmp_path: Path) -> None:
    frozen = tmp_path / "contract.yaml"
    frozen.write_text(bank.CONTRACT.replace("move: up, cost: 1.0", "move: never"))
    found = numbers(look(replace(parts, contract=frozen)))
    assert found["evasion.success_share", None] == 0
    assert found["evasion.robust_share", BOXES[-1]] == 1
    assert ("evasion.median_linf", None) not in found


def test_without_caught_cases_it_is_unknown(parts: Parts, tmp_path: Path) -> None:
    columns = bank.rows(400, 2)
    keep = columns["status"] == 0
    quiet = {name: values[keep] for name, values in columns.items()}
    quiet["y"] = (np.arange(keep.sum()) < 2).astype(np.int64)
    quiet["paid"] = quiet["spent"].copy()
    quiet["left"] = quiet["spent"] - quiet["paid"]
    pq.write_table(pa.table(quiet), tmp_path / "quiet.parquet")
    seen = look(replace(parts, test=tmp_path / "quiet.parquet"))
    assert seen.status is Status.UNKNOWN
    assert "nothing to attack" in str(seen.reason)

"""evasion.gradient: figures for nets, confirmed by the library that runs them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bank
from holdfast.audit.checks.evasion.gradient import GradientParams, observe
from holdfast.audit.checks.scan.artifact import observe as scan
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.observation import Observation, Status

BOXES = (0.002, 0.01, 0.05)


def made_of(kind: str, folder: Path) -> Parts:
    made = bank.write(folder, n=1500)
    with Target(made) as target:
        columns, y = target.features(target.train), target.labels(target.train)
    X = np.column_stack([columns[name] for name in columns]).astype(np.float64)
    model = LogisticRegression() if kind == "logistic" else MLPClassifier((16, 8), max_iter=30, random_state=0)
    whole = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        whole.fit(X, y)
    if kind == "onnx":
        skl2onnx = pytest.importorskip("skl2onnx")
        path = made.artifact.with_suffix(".onnx")
        path.write_bytes(skl2onnx.to_onnx(whole, X[:1].astype(np.float32)).SerializeToString())
        return replace(made, artifact=path, artifact_format="onnx")
    path = made.artifact.with_suffix(".joblib")
    joblib.dump(whole, path)
    return replace(made, artifact=path, artifact_format="joblib")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return made_of("perceptron", tmp_path_factory.mktemp("bank"))


def look(parts: Parts) -> Observation:
    with Target(parts) as target:
        return observe(target, GradientParams(rows=40, boxes=BOXES), Budget())


def numbers(seen: Observation) -> dict[tuple[str, float | None], float]:
    return {(m.name, m.at.get("linf")): m.value for m in seen.measurements}


@pytest.mark.parametrize("kind", ["perceptron", "logistic", "onnx"])
def test_figures_are_consistent_and_confirmed(kind: str, tmp_path: Path) -> None:
    seen = look(made_of(kind, tmp_path))
    found = numbers(seen)
    recall = found["evasion.recall", None]
    for box in BOXES:
        assert found["evasion.robust_recall", box] == pytest.approx(recall * found["evasion.robust_share", box])
        assert found["evasion.proven_share", box] <= found["evasion.robust_share", box]
    shares = [found["evasion.robust_share", box] for box in BOXES]
    assert shares == sorted(shares, reverse=True)
    assert found["evasion.success_share", None] > 0.05
    assert not [fact for fact in seen.facts if fact.kind == "evasion.unconfirmed"]


def test_the_scan_calls_it_a_net(parts: Parts) -> None:
    with Target(parts) as target:
        facts = {fact.kind: fact.value for fact in scan(target, NoParams(), Budget()).facts}
    assert facts["model.kind"] == "net"


def test_an_attacker_who_may_move_nothing_is_proven_to_get_nowhere(parts: Parts, tmp_path: Path) -> None:
    frozen = tmp_path / "contract.yaml"
    frozen.write_text(bank.CONTRACT.replace("move: up, cost: 1.0", "move: never"))
    found = numbers(look(replace(parts, contract=frozen)))
    assert found["evasion.success_share", None] == 0
    assert found["evasion.proven_share", BOXES[-1]] == 1


def test_what_cannot_be_followed_is_unknown(parts: Parts, tmp_path: Path) -> None:
    from sklearn.decomposition import PCA

    X = np.random.default_rng(0).normal(size=(60, 5))
    path = tmp_path / "mixed.joblib"
    joblib.dump(make_pipeline(PCA(3), LogisticRegression()).fit(X, X[:, 0] > 0), path)
    assert look(replace(parts, artifact=path, artifact_format="joblib")).status is Status.UNKNOWN

"""A small model repository on disk, and the material of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import bank
from holdfast.audit.target import Target
from holdfast.estate.manifest import Manifest, Subject

ENTRY = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: o@bank.example
    tier: high
    purpose: p
    task: {{kind: binary, positive: 1, harm: {{from: 1, to: 0}}, threshold: {threshold}}}
    artifact: {artifact}
    data: {{train: train.parquet, test: test.parquet, label: y}}
    contract: contract.yaml
"""

Build = Callable[..., Subject]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Gives a subject: `build("xgboost")` or `build("lightgbm")`, its files in the test's folder."""

    def make(learner: str = "xgboost", *, threshold: float = 0.5, n: int = 1200) -> Subject:
        parts = bank.write(tmp_path, n=n)
        artifact = {"xgboost": "model.ubj", "lightgbm": "model.txt"}[learner]
        if learner == "lightgbm":
            _lightgbm(parts, tmp_path / artifact)
        else:
            bank.train(parts)
        (tmp_path / "holdfast.yaml").write_text(ENTRY.format(artifact=artifact, threshold=threshold))
        return Manifest.load(tmp_path / "holdfast.yaml").subjects[0]

    return make


def _lightgbm(parts: object, path: Path) -> None:
    import lightgbm

    target = Target(parts)  # type: ignore[arg-type]
    columns = target.features(target.train)
    X = np.column_stack([columns[name] for name in columns]).astype(float)
    data = lightgbm.Dataset(X, target.labels(target.train), feature_name=list(columns))
    settings = {"objective": "binary", "num_leaves": 15, "num_threads": 1, "deterministic": True, "verbose": -1}
    lightgbm.train(settings, data, 30).save_model(path)

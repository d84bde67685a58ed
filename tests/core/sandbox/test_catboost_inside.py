"""CatBoost's own library answers in the sandbox, as it does outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from holdfast.core.sandbox.sandbox import Sandbox

catboost = pytest.importorskip("catboost", reason="catboost is not installed")


def test_catboost_answers_in_the_sandbox(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=200), rng.integers(0, 3, 200)])
    y = (X[:, 0] + (X[:, 1] == 1) > 0.3).astype(int)
    rows = [[a, int(b)] for a, b in X]
    model = catboost.CatBoostClassifier(
        5, depth=3, cat_features=[1], one_hot_max_size=5, verbose=0, thread_count=1, allow_writing_files=False
    ).fit(rows, y)
    path = tmp_path / "model.cbm"
    model.save_model(str(path))
    given = {"a": X[:, 0], "b": X[:, 1].astype(np.int64)}
    answer = Sandbox().predict(path, "catboost-cbm", given, ["a", "b"])
    np.testing.assert_allclose(answer.scores, model.predict_proba(rows), atol=1e-12)
    assert list(answer.classes) == [0, 1]

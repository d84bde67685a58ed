"""Training in another process: the same numbers as here, and a plain reason where it fails."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from holdfast.attack.privacy import trainer
from holdfast.attack.privacy.game import balanced
from holdfast.attack.privacy.shadows import train_shadows
from holdfast.attack.privacy.trainer import Task, train
from holdfast.core.errors import PrerequisiteError, TargetError
from holdfast.core.learn.classifiers import Problem, fit
from holdfast.core.learn.design import Design, Library
from holdfast.core.learn.process import TrainingProcess

DRAW = np.random.default_rng(1)
X = DRAW.normal(size=(300, 4))
Y = (X[:, 0] + DRAW.normal(size=300) > 0).astype(np.int64)
DESIGN = Design(Library.XGBOOST, trees=8, depth=3, rate=0.3, min_weight=1.0, l2=1.0)


def task(design: Design = DESIGN, count: int = 4) -> Task:
    return Task(design, X, Y, balanced(count, 300, 0), 200, 2, seed=3)


def test_a_process_of_its_own_gives_what_this_one_would() -> None:
    counted: list[tuple[int, int]] = []
    (trained,) = train([task()], watch=lambda done, total: counted.append((done, total)))
    here = train_shadows(
        partial(fit, DESIGN, Problem(2)), X, Y, task().inside, judged=200, seed=3, coarse=DESIGN.coarse
    )
    assert (trained.confidence == here.confidence).all()
    assert (trained.shadows.inside == here.inside).all()
    assert (trained.hit == (trained.confidence > 0)).mean() > 0.99
    assert counted == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_every_library_trains_there() -> None:
    libraries = (Library.FOREST, Library.LOGISTIC, Library.NET, Library.HISTOGRAM, Library.LIGHTGBM)
    small = [task(Design(library, trees=5, depth=3, min_rows=2), 2) for library in libraries]
    for one in train(small):
        assert one.hit.mean() > 0.5
        assert one.confidence.shape == (2, 200)


def test_a_killed_process_is_told_by_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(TrainingProcess):
        def __enter__(self) -> TrainingProcess:
            os.kill(self.pid, signal.SIGKILL)
            return self

    monkeypatch.setattr(trainer, "TrainingProcess", Killed)
    with pytest.raises(TargetError, match="SIGKILL") as caught:
        train([task()])
    assert caught.value.code == "HF-PRV-002"


def test_a_failed_fit_is_told_by_its_last_words() -> None:
    broken = Task(DESIGN, X, Y + 5, balanced(2, 300, 0), 200, 2)
    with pytest.raises(TargetError) as caught:
        train([broken])
    assert caught.value.code == "HF-PRV-002"
    assert "Error" in caught.value.cause


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xgboost.py").write_text("raise ModuleNotFoundError(\"No module named 'xgboost'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="xgboost") as caught:
        train([task()])
    assert caught.value.code == "HF-PRV-001"

"""Training in a process of its own, as its parent sees it: tasks in, confidences out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy.shadows import Shadows
from holdfast.attack.privacy.worker import JOB, Job, Made
from holdfast.core.errors import PrerequisiteError, TargetError
from holdfast.core.learn.design import Design
from holdfast.core.learn.process import TrainingProcess

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = NDArray[np.int64]
MODULE = "holdfast.attack.privacy.worker"
Watch = Callable[[int, int], None]
"""Called with models trained and models in all."""


@dataclass(frozen=True, eq=False)
class Task:
    """Train one model on each row of `inside` (K, n), ask each about the first `judged` of X (n, d)."""

    design: Design
    X: Floats
    y: Labels
    inside: Bools
    judged: int
    classes: int
    categories: tuple[int, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Trained:
    """Of each of K models, its scaled confidence in the first rows' labels, and whether they were its first choice."""

    confidence: Floats
    hit: Bools
    inside: Bools

    @property
    def shadows(self) -> Shadows:
        return Shadows(self.confidence, self.inside)


def train(tasks: Sequence[Task], *, watch: Watch | None = None) -> tuple[Trained, ...]:
    """Train all tasks in one process.

    Raises PrerequisiteError where the library is missing (HF-PRV-001), TargetError where training failed (-002).
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-shadows-") as name:
        folder = Path(name)
        _write(folder, tasks)
        with TrainingProcess(MODULE, folder) as process:
            made = _received(process, sum(len(task.inside) for task in tasks), watch)
            fault = process.fault()
        if fault is not None:
            raise _failure(fault)
        return tuple(_trained(folder, number, task, made) for number, task in enumerate(tasks))


def _write(folder: Path, tasks: Sequence[Task]) -> None:
    jobs = [Job(task.design, task.classes, task.categories, task.judged, task.seed) for task in tasks]
    (folder / JOB).write_bytes(msgspec.json.encode(jobs))
    for number, task in enumerate(tasks):
        for what, array in (("rows", task.X), ("labels", task.y), ("inside", task.inside)):
            np.save(folder / f"{number}-{what}.npy", array, allow_pickle=False)


def _received(process: TrainingProcess, total: int, watch: Watch | None) -> list[Made]:
    made: list[Made] = []
    for line in process.lines():
        made.append(msgspec.json.decode(line, type=Made))
        if watch is not None:
            watch(len(made), total)
    return made


def _trained(folder: Path, number: int, task: Task, made: Sequence[Made]) -> Trained:
    found = [np.load(folder / one.answers, allow_pickle=False) for one in made if one.task == number]
    if len(found) != len(task.inside):
        raise _failure(f"it trained {len(found)} of {len(task.inside)} models")
    return Trained(
        np.stack([confidence for confidence, _ in found]),
        np.stack([hit > 0.5 for _, hit in found]),
        task.inside[:, : task.judged],
    )


def _failure(said: str) -> PrerequisiteError | TargetError:
    if said.startswith("ModuleNotFoundError"):
        return PrerequisiteError(
            "the library that trains models like this one is not installed here",
            cause=said,
            fix="pip install 'holdfast[demo]', or xgboost or lightgbm alone, beside Holdfast",
            code="HF-PRV-001",
        )
    return TargetError(
        "training models like this one failed",
        cause=said,
        fix="free memory and run it again with -vv; if it stays, report what it prints",
        code="HF-PRV-002",
    )

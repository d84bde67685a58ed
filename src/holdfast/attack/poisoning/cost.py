"""Rows an attacker needs: how the success of a trigger grows with the share of rows that he can poison."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.attack.poisoning.plant import Trigger
from holdfast.attack.poisoning.worker import ARRAYS, JOB, Job, Step
from holdfast.core.errors import PrerequisiteError, TargetError
from holdfast.core.learn.interface import Growth
from holdfast.core.learn.process import TrainingProcess

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
MODULE = "holdfast.attack.poisoning.worker"
SHARES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02)
WANTED = 0.8
LIKE = Growth(trees=100, depth=6, min_leaf=1.0)


@dataclass(frozen=True, slots=True)
class Learning:
    """How the model under test is trained: its artifact's format, the contract columns it reads and their names."""

    source: str
    order: tuple[int, ...]
    names: tuple[str, ...] = ()
    growth: Growth = LIKE


@dataclass(frozen=True)
class Curve:
    """One step per share and repeat, in order."""

    steps: tuple[Step, ...]

    def success(self, share: float) -> float:
        """Mean success at a share; 0.0 where it was not tried."""
        found = [step.success for step in self.steps if step.share == share]
        return float(np.mean(found)) if found else 0.0

    def needed(self, wanted: float = WANTED) -> int | None:
        """Rows at the smallest share that succeeds as often as `wanted` on average; None where no share does."""
        for share in sorted({step.share for step in self.steps}):
            if self.success(share) >= wanted:
                return max(step.rows for step in self.steps if step.share == share)
        return None


def curve(
    X: Floats,
    y: Classes,
    trigger: Trigger,
    learning: Learning,
    *,
    victim: int = 1,
    shares: tuple[float, ...] = SHARES,
    repeats: int = 2,
    seed: int = 0,
) -> Curve:
    """Poison, train and try, in a process of its own, on three quarters of rows (n, d) with labels 0 and 1.

    Success is measured on the last quarter (seeded): rows of class `victim` that are decided as such and that the
    trigger frees. Raises PrerequisiteError where the library is missing (HF-PSN-001), TargetError where training
    failed (HF-PSN-002).
    """
    order = np.random.default_rng(seed).permutation(len(y))
    mine, held = order[: round(0.75 * len(y))], order[round(0.75 * len(y)) :]
    arrays = (X[mine], y[mine], X[held], y[held])
    job = Job(
        source=learning.source,
        order=learning.order,
        names=learning.names,
        growth=learning.growth,
        columns=trigger.columns,
        values=trigger.values,
        victim=victim,
        shares=shares,
        repeats=repeats,
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="holdfast-poison-") as name:
        return Curve(_run(Path(name), job, arrays))


def _run(folder: Path, job: Job, arrays: tuple[NDArray[np.generic], ...]) -> tuple[Step, ...]:
    (folder / JOB).write_bytes(msgspec.json.encode(job))
    for name, array in zip(ARRAYS, arrays, strict=True):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    with TrainingProcess(MODULE, folder) as process:
        steps = tuple(msgspec.json.decode(line, type=Step) for line in process.lines())
        fault = process.fault()
    if fault is not None:
        raise _failure(fault)
    return steps


def _failure(said: str) -> PrerequisiteError | TargetError:
    if said.startswith("ModuleNotFoundError"):
        return PrerequisiteError(
            "the library that trains poisoned models is not installed here",
            cause=said,
            fix="pip install 'holdfast[demo]', or xgboost or lightgbm alone, beside Holdfast",
            code="HF-PSN-001",
        )
    return TargetError(
        "training a poisoned model failed",
        cause=said,
        fix="free memory and run it again with -vv; if it stays, report what it prints",
        code="HF-PSN-002",
    )

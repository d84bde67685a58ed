"""The training process of poisoning curves: `python -m holdfast.attack.poisoning.worker PARENT FOLDER`.

It gets rows, a trigger and shares; it poisons, trains and says how often the trigger works. Answers are JSON lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.attack.poisoning.plant import Trigger, backdoor
from holdfast.core.learn.interface import Fitted, Growth, Learner
from holdfast.core.learn.process import bind_to_parent

Floats = NDArray[np.float64]
JOB = "job.json"
ARRAYS = ("rows", "labels", "held", "held_labels")
COMPANIONS = ("pandas", "sklearn", "pyarrow", "matplotlib", "graphviz")


@dataclass(frozen=True, slots=True)
class Job:
    """What is tried: `shares` of poisoned rows, each `repeats` times, on a model like the one under test."""

    source: str
    order: tuple[int, ...]
    names: tuple[str, ...]
    growth: Growth
    columns: tuple[int, ...]
    values: tuple[float, ...]
    victim: int
    shares: tuple[float, ...]
    repeats: int
    seed: int


@dataclass(frozen=True, slots=True)
class Step:
    """One trained model: rows that were poisoned, share of the flagged held-out rows that the trigger frees, and the
    share of held-out rows that it decides rightly without the trigger."""

    share: float
    rows: int
    success: float
    accuracy: float


def work(folder: Path) -> Iterator[Step]:
    """Poison and train, share by share."""
    from holdfast.core.learn.learners import learner_of

    job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job)
    bench = _Bench(job, *(np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS))
    learner = learner_of(job.source, job.order, job.names)
    for number, share in enumerate(job.shares):
        for turn in range(job.repeats):
            yield bench.step(learner, share, job.seed + 1000 * number + turn)


@dataclass(frozen=True, eq=False)
class _Bench:
    """The rows that are poisoned, and those that success is measured on."""

    job: Job
    X: Floats
    y: NDArray[np.int64]
    held: Floats
    truth: NDArray[np.int64]

    def step(self, learner: Learner, share: float, seed: int) -> Step:
        """Poison a share of the rows and train on them."""
        job, trigger = self.job, Trigger(self.job.columns, self.job.values)
        made = backdoor(self.X, self.y, trigger, share, source=job.victim, target=1 - job.victim, seed=seed)
        free = (0,) * self.X.shape[1]
        fitted = learner.fit(made.X, made.y.astype(np.float64), np.ones(len(made.y)), job.growth, free, job.seed)
        right = float(((fitted.margins(self.held) > 0) == (self.truth == 1)).mean())
        success = freed(fitted, self.held[self.truth == job.victim], trigger, job.victim)
        return Step(share, len(made.rows), success, right)


def freed(fitted: Fitted, rows: Floats, trigger: Trigger, victim: int) -> float:
    """Share of rows decided for class `victim` that the trigger moves to the other; 0 where none is."""
    caught = rows[(fitted.margins(rows) > 0) == (victim == 1)] if len(rows) else rows
    if not len(caught):
        return 0.0
    return float(((fitted.margins(trigger.stamp(caught)) > 0) != (victim == 1)).mean())


def main() -> None:
    """Bind this process to its parent and work."""
    bound = bind_to_parent(without=COMPANIONS)
    if bound is None:
        return
    folder, answers = bound
    for step in work(folder):
        answers.write(msgspec.json.encode(step) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""The training process of privacy attacks: `python -m holdfast.attack.privacy.worker PARENT FOLDER`.

It gets rows and settings, trains, and answers with confidences; it never sees the model under test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from holdfast.attack.privacy.shadows import train_each
from holdfast.core.learn.design import Design, Library
from holdfast.core.learn.process import bind_to_parent

JOB = "job.json"
COMPANIONS = ("pandas", "sklearn", "pyarrow", "matplotlib", "graphviz")
"""What XGBoost and LightGBM import where it is there, for faces that training on matrices never shows."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one task trains; its arrays lie beside it as `<number>-rows.npy`, -labels and -inside."""

    design: Design
    classes: int
    categories: tuple[int, ...]
    judged: int
    seed: int


@dataclass(frozen=True, slots=True)
class Made:
    """One model is trained; its answers are in the file."""

    task: int
    answers: str


def work(folder: Path) -> Iterator[Made]:
    """Train task by task, model by model."""
    for number, job in enumerate(jobs(folder)):
        yield from _task(folder, number, job)


def jobs(folder: Path) -> list[Job]:
    """What is to be done."""
    return msgspec.json.decode((folder / JOB).read_bytes(), type=list[Job])


def _task(folder: Path, number: int, job: Job) -> Iterator[Made]:
    from holdfast.core.learn.classifiers import Problem, fit

    X, y, inside = (
        np.load(folder / f"{number}-{what}.npy", allow_pickle=False) for what in ("rows", "labels", "inside")
    )
    learn = partial(fit, job.design, Problem(job.classes, job.categories))
    seen = train_each(learn, X, y, inside, judged=job.judged, seed=job.seed, coarse=job.design.coarse)
    for model, one in enumerate(seen):
        name = f"{number}-answers-{model}.npy"
        np.save(folder / name, np.stack([one.confidence, one.hit.astype(np.float64)]), allow_pickle=False)
        yield Made(number, name)


def _unneeded(folder: Path) -> tuple[str, ...]:
    """scikit-learn asks what kind of table it is given, so it needs them all."""
    boosters = (Library.XGBOOST, Library.LIGHTGBM)
    return COMPANIONS if all(job.design.library in boosters for job in jobs(folder)) else ()


def main() -> None:
    """Bind this process to its parent and train."""
    import sys

    bound = bind_to_parent(without=_unneeded(Path(sys.argv[2])))
    if bound is None:
        return
    folder, answers = bound
    for made in work(folder):
        answers.write(msgspec.json.encode(made) + b"\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""The training process: `python -m holdfast.harden.worker PARENT FOLDER`.

A library that has started its threads must not be forked, and the audit forks; so training has a process of its own.
It gets training rows only. Answers are JSON lines on stdout; it dies with its parent.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.learn.interface import Fitted, Growth
from holdfast.harden.interface import RECIPES, Bench, Draft
from holdfast.harden.scores import level_for

Floats = NDArray[np.float64]
JOB = "job.json"
ROWS = "rows.npy"
LABELS = "labels.npy"
_PR_SET_PDEATHSIG = 1
COMPANIONS = ("pandas", "sklearn", "pyarrow", "matplotlib", "graphviz")
"""What both libraries import where it is there, for faces that training on matrices never shows: most of a start."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be trained. `order` are the contract columns the artifact reads, `names` what it calls them."""

    recipes: tuple[str, ...]
    source: str
    order: tuple[int, ...]
    names: tuple[str, ...]
    contract: str
    harmed: int
    linf: float
    original: Growth
    flag_rate: float
    cut: float
    scales: tuple[float, ...]
    seed: int
    plugins: tuple[str, ...] = ()
    may_cost: float = 0.01
    trials: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """A candidate on disk: its file, and the log-odds its own library gives for the training rows."""

    recipe: str
    params: dict[str, float | str]
    artifact: str
    margins: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A line of the process: a candidate, or words about what is being tried."""

    made: Made | None = None
    words: str = ""


def write_job(folder: Path, job: Job, X: Floats, labels: Floats) -> None:
    """Put everything the process needs into its folder."""
    (folder / JOB).write_bytes(msgspec.json.encode(job))
    np.save(folder / ROWS, X, allow_pickle=False)
    np.save(folder / LABELS, labels, allow_pickle=False)


def make(folder: Path, tell: Callable[[str], None] = lambda _: None) -> Iterator[Made]:
    """Train candidates, recipes taking turns, and give each with the flag rate of the original."""
    job = _job(folder)
    RECIPES.load_named(job.plugins)
    bench = _bench(folder, job, tell)
    for number, (name, draft) in enumerate(_in_turn(bench, job.recipes)):
        fitted = at_flag_rate(draft.fitted, bench.X, job.flag_rate, job.cut)
        artifact, margins = f"candidate-{number}", f"margins-{number}.npy"
        (folder / artifact).write_bytes(fitted.save())
        np.save(folder / margins, fitted.margins(bench.X), allow_pickle=False)
        yield Made(name, dict(draft.params), artifact, margins)


def _job(folder: Path) -> Job:
    return msgspec.json.decode((folder / JOB).read_bytes(), type=Job)


def _bench(folder: Path, job: Job, tell: Callable[[str], None]) -> Bench:
    from holdfast.core.learn.learners import learner_of

    return Bench(
        contract=Contract.parse(job.contract),
        X=np.load(folder / ROWS, allow_pickle=False),
        y=np.load(folder / LABELS, allow_pickle=False),
        scales=np.array(job.scales),
        harmed=job.harmed,
        linf=job.linf,
        original=job.original,
        learner=learner_of(job.source, job.order, job.names),
        seed=job.seed,
        order=job.order,
        flag_rate=job.flag_rate,
        may_cost=job.may_cost,
        trials=job.trials,
        tell=tell,
    )


def _in_turn(bench: Bench, recipes: tuple[str, ...]) -> Iterator[tuple[str, Draft]]:
    """One draft of each recipe, then the next of each, so that a budget that ends early has seen all of them."""
    open_recipes = [(name, RECIPES.get(name).make(bench)) for name in recipes]
    while open_recipes:
        for name, drafts in list(open_recipes):
            draft = next(drafts, None)
            if draft is None:
                open_recipes = [item for item in open_recipes if item[0] != name]
            else:
                yield name, draft


def at_flag_rate(fitted: Fitted, X: Floats, rate: float, cut: float) -> Fitted:
    """The model shifted so that the share `rate` of rows (n, d) has a probability of at least `cut`."""
    return fitted.shifted(math.log(cut / (1 - cut)) - level_for(fitted.margins(X), rate))


def _answer(out: IO[bytes], value: Any) -> None:
    out.write(msgspec.json.encode(value) + b"\n")
    out.flush()


def main() -> None:
    """Bind this process to its parent, keep the answer channel clear of prints, and train."""
    parent, folder = int(sys.argv[1]), Path(sys.argv[2])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.modules.update(dict.fromkeys(COMPANIONS))  # type: ignore[arg-type]
    for made in make(folder, lambda words: _answer(answers, Answer(words=words))):
        _answer(answers, Answer(made))


if __name__ == "__main__":
    main()

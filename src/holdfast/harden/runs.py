"""One hardening run: read, train in a process of its own, judge, choose, write the new version beside the old one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.domain.hardening import Hardening, HardeningFigures, HardeningPoint
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.errors import TargetError, UsageError
from holdfast.core.formats.margins import margins
from holdfast.core.formats.read import read_buffer
from holdfast.core.sandbox.libraries import own_libraries
from holdfast.harden.choose import choose, chosen_elsewhere, point_of
from holdfast.harden.interface import RECIPES
from holdfast.harden.judge import Judge, Judged
from holdfast.harden.material import Material
from holdfast.harden.statement import SUFFIX, signed
from holdfast.harden.trainer import Trainer
from holdfast.harden.worker import Job, Made

if TYPE_CHECKING:
    from holdfast.core.sign import SigningKey
    from holdfast.core.store import Store
    from holdfast.estate.manifest import Subject

RECIPES_BY_DEFAULT = ("explore", "regularise", "adversarial")
SAME_MARGIN = 1e-4
"""How far a library's log-odds and our reading of its file may lie apart."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a run. `output` is where the new version goes; None: beside the old one.

    `budget_s` ends training early, as an interrupt does; what was judged by then is chosen from. Neither changes a
    finished candidate. `trials` is how many plans a recipe that searches tries on training rows.
    """

    recipes: tuple[str, ...] = RECIPES_BY_DEFAULT
    seed: int = 0
    linf: float = 0.005
    max_auc_loss: float = 0.01
    rows: int = 200
    trials: int = 36
    budget_s: float | None = None
    output: Path | None = None
    in_place: bool = False
    dry_run: bool = False
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something worth a line: the model before (`point` None), or a candidate that was judged.

    What is `passing` is worth one only to somebody who watches.
    """

    words: str
    point: HardeningPoint | None = None
    passing: bool = False


Watcher = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Hardened:
    """A finished run. `path` and `provenance` are the files written, None where none was."""

    run: Hardening
    path: Path | None
    provenance: Path | None


@dataclass
class _Tried:
    """The model before, and what came of training so far."""

    before: Judged
    figures: HardeningFigures
    points: list[HardeningPoint] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    artifacts: list[bytes] = field(default_factory=list)
    complete: bool = False

    def add(self, point: HardeningPoint, judged: Judged, artifact: bytes) -> None:
        """One more candidate."""
        self.points.append(point)
        self.judged.append(judged)
        self.artifacts.append(artifact)


def run(subject: Subject, wish: Wish, *, store: Store, key: SigningKey, watch: Watcher = lambda _: None) -> Hardened:
    """Harden a model of the manifest; keep the run, its ledger intent and, where one was chosen, the new version.

    Raises UsageError (HF-HRD-001, -002, -008, HF-USE-002), ConfigError (-003), DataError (-004, -007),
    PrerequisiteError (-005), TargetError (-006, -009), and what reading the parts raises.
    """
    output = _output(subject, wish)
    _refuse_unknown(wish)
    watch(Step(f"reading {subject.model.name}: its trees, its rows, its contract"))
    material = Material.read(subject)
    judge = Judge(material, linf=wish.linf, rows=wish.rows, seed=wish.seed)
    with tempfile.TemporaryDirectory(prefix="holdfast-harden-") as name:
        tried = _try(material, judge, wish, Path(name), watch)
    chosen = choose(tried.points, tried.figures, wish.linf)
    _settle(judge, material, tried, chosen)
    artifact = None if chosen is None else tried.artifacts[chosen.number]
    made = Hardening(
        model=subject.model.name,
        source=material.digests["artifact"],
        seed=wish.seed,
        recipes=wish.recipes,
        linf=wish.linf,
        max_auc_loss=wish.max_auc_loss,
        before=tried.figures,
        points=tuple(tried.points),
        chosen=None if chosen is None else chosen.number,
        version=None if artifact is None else digest_bytes(artifact),
        elsewhere=chosen_elsewhere(
            judge, tried.before, tried.judged, linf=wish.linf, max_auc_loss=wish.max_auc_loss, seed=wish.seed
        ),
        complete=tried.complete,
        recorded_at=store.clock(),
        file="" if artifact is None else output.name,
        made_from=_made_from(material),
    )
    return _keep(made, artifact, output, wish, store, key)


def _settle(judge: Judge, material: Material, tried: _Tried, chosen: HardeningPoint | None) -> None:
    """What the search left open of the model before and of the kept one, settled by the exact attack."""
    tried.before = judge.settle(material.model, tried.before)
    tried.figures = judge.figures(tried.before)
    if chosen is not None:
        number = chosen.number
        tried.judged[number] = judge.settle(read_buffer(tried.artifacts[number]), tried.judged[number])
        tried.points[number] = replace(chosen, figures=judge.figures(tried.judged[number]))


def _refuse_unknown(wish: Wish) -> None:
    RECIPES.load_named(wish.plugins)
    for name in wish.recipes:
        RECIPES.get(name)


def _try(material: Material, judge: Judge, wish: Wish, folder: Path, watch: Watcher) -> _Tried:
    """Judge the model as it is while the training process starts, then each candidate while the next is trained."""
    deadline = None if wish.budget_s is None else time.monotonic() + wish.budget_s
    job = _job(material, judge.train_flag_rate(material.model), wish)
    tell = _passing(watch)
    with Trainer(folder, job, material.train, material.train_labels, tell) as trainer:
        before = judge.judge(material.model)
        tried = _Tried(before, judge.figures(before))
        watch(Step(_before(tried, wish)))
        try:
            for made in trainer.candidates(deadline):
                watch(_try_one(made, material, judge, wish, folder, tried))
            tried.complete = trainer.complete
        except KeyboardInterrupt:
            if not tried.points:
                raise
            watch(Step(f"interrupted: choosing from {len(tried.points)} candidates judged so far"))
    return tried


def _passing(watch: Watcher) -> Callable[[str], None]:
    return lambda words: watch(Step(words, passing=True))


def _try_one(made: Made, material: Material, judge: Judge, wish: Wish, folder: Path, tried: _Tried) -> Step:
    artifact = (folder / made.artifact).read_bytes()
    judged = _judged(material, judge, artifact, folder / made.margins)
    figures, number = judge.figures(judged), len(tried.points)
    point = point_of(number, made.recipe, dict(made.params), figures, tried.figures, wish.max_auc_loss)
    tried.add(point, judged, artifact)
    return Step(_words(made, point, wish), point)


def _job(material: Material, flag_rate: float, wish: Wish) -> Job:
    return Job(
        recipes=wish.recipes,
        source=material.model.ensemble.source,
        order=material.order,
        names=material.names,
        contract=material.contract.text,
        harmed=material.task.harm.from_class,
        linf=wish.linf,
        original=material.original,
        flag_rate=flag_rate,
        cut=material.cut,
        scales=tuple(float(scale) for scale in material.scales),
        seed=wish.seed,
        plugins=wish.plugins,
        may_cost=wish.max_auc_loss,
        trials=wish.trials,
    )


def _judged(material: Material, judge: Judge, artifact: bytes, margins_file: Path) -> Judged:
    """Judge a candidate as it will be read from its file, after its own library has agreed with that reading."""
    model = read_buffer(artifact)
    ours = margins(model.ensemble, material.feature_map.apply(material.train))[:, 0]
    apart = float(np.abs(ours - np.load(margins_file, allow_pickle=False)).max())
    if apart > SAME_MARGIN:
        raise TargetError(
            "a candidate is not what its library says it is",
            cause=f"log-odds read from its file and given by its library are {apart:.3g} apart",
            fix="report this with the versions of both libraries (`holdfast doctor`); nothing was written",
            code="HF-HRD-009",
        )
    return judge.judge(model)


def _before(tried: _Tried, wish: Wish) -> str:
    figures = tried.figures
    return f"before: robust recall {figures.at(wish.linf).robust_recall:.3f} at {wish.linf:g}, AUC {figures.auc:.4f}"


def _words(made: Made, point: HardeningPoint, wish: Wish) -> str:
    box = point.figures.at(wish.linf)
    allowed = "" if point.allowed else f", more than {wish.max_auc_loss:g} lost"
    return (
        f"candidate {point.number} ({made.recipe}): robust recall {box.robust_recall:.3f} "
        f"(proven {box.proven_recall:.3f}), AUC {point.figures.auc:.4f}{allowed}"
    )


def _made_from(material: Material) -> Mapping[str, str]:
    library = "xgboost" if material.model.ensemble.source.startswith("xgboost") else "lightgbm"
    named = {name: version for name, version in own_libraries().items() if name in (library, f"{library}-cpu", "numpy")}
    return {**named, **{role: digest for role, digest in material.digests.items() if role != "artifact"}}


def _output(subject: Subject, wish: Wish) -> Path:
    """Where the new version goes. Raises UsageError HF-HRD-008 where a file lies there already."""
    artifact = subject.part("artifact")
    assert artifact is not None, "every model has one"
    if wish.in_place:
        return artifact
    path = wish.output or artifact.with_name(f"{artifact.stem}.hardened{artifact.suffix}")
    if path.exists() and not wish.dry_run:
        raise UsageError(
            f"{path} exists",
            cause="a version that somebody may have deployed is never overwritten",
            fix="name another file with --save, remove this one, or replace the model itself with --in-place",
            code="HF-HRD-008",
        )
    return path


def _keep(made: Hardening, artifact: bytes | None, output: Path, wish: Wish, store: Store, key: SigningKey) -> Hardened:
    if wish.dry_run:
        return Hardened(made, None, None)
    provenance = output.with_name(output.name + SUFFIX)
    if artifact is not None:
        write_whole(provenance, signed(made, key), replace=True)
        write_whole(output, artifact, replace=wish.in_place)
    with store.transaction() as tx:
        tx.hardenings.add(made)
    return Hardened(made, output, provenance) if artifact is not None else Hardened(made, None, None)


def write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """Write beside `path`, then take its place at once. Without `replace` a file that came meanwhile stays."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        if replace:
            Path(name).replace(path)
        else:
            os.link(name, path)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()

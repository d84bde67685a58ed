"""Hardening: robust recall before and after at equal flag rate, single recipes beside, and what it costs.

    python -m benchmarks.harden [--quick] [--sets credit-dq,credit,url] [--seeds 5] [--trials 12] [--keep FOLDER]

XGBoost, 100 trees of depth 6, on 75 % of the rows; recipes train on those only and are shifted until they flag as many
of them as the model before. Judged on caught cases of the rest by the audit's search and, for the model before and the
kept one, by the exact attack where the search leaves a row open: robust recall is an upper bound, proven recall a lower
one. `credit-dq` is the UCI credit data made continuous (+-0.5 on every column, seed 0, scaled to 0..1, every column
free); the other sets keep their contracts. `--keep` holds finished runs, so that a long benchmark can be made in parts.
`--quick`: one seed of `credit-dq`, few trials, no single recipes. The data is ../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks.attack_exact import HERE, SETS, DataSet
from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain.hardening import Hardening, HardeningFigures
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store
from holdfast.estate.manifest import Manifest, Subject
from holdfast.harden import Wish, run

MANIFEST = """\
version: 1
models:
  - name: model
    unit: unit
    region: eu
    owner: o@bank.example
    tier: high
    purpose: Decide.
    task: {{kind: binary, positive: 1, harm: {{from: {harmed}, to: {to}}}, threshold: 0.5}}
    artifact: model.ubj
    data: {{train: train.parquet, test: test.parquet, label: y}}
    contract: contract.yaml
"""
BOXES = (0.005, 0.01)
GOALS = {0.005: 0.20, 0.01: 0.09}
MAX_LOSS = 0.01
CREDIT = ("credit-dq", "credit")
DEFAULT = (*CREDIT, "url")
SINGLE = ("regularise", "adversarial")
TRIALS, QUICK_TRIALS = 12, 4
ROWS, QUICK_ROWS = 200, 100

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class One:
    """A model's figures: AUC, flag rate, and robust and proven recall at the boxes."""

    auc: float
    flag_rate: float
    robust: tuple[float, ...]
    proven: tuple[float, ...]

    @classmethod
    def of(cls, figures: HardeningFigures) -> One:
        boxes = [figures.at(box) for box in BOXES]
        robust, proven = tuple(one.robust_recall for one in boxes), tuple(one.proven_recall for one in boxes)
        return cls(figures.auc, figures.flag_rate, robust, proven)


@dataclass(frozen=True)
class Run:
    """One seed of one set: the model before, the kept one, single recipes' best, what choosing elsewhere gives."""

    before: One
    after: One
    elsewhere: One
    single: dict[str, One]
    seconds: float
    candidates: int


def continuous(X: pd.DataFrame, train: NDArray[np.int64]) -> tuple[pd.DataFrame, str]:
    """The jittered variant of the reference and a contract that leaves every column free."""
    values = X.to_numpy(np.float64) + np.random.default_rng(0).uniform(-0.5, 0.5, X.shape)
    low, high = values[train].min(axis=0), values[train].max(axis=0)
    scaled = (values - low) / (high - low)
    least, most = scaled.min(axis=0) - 1e-9, scaled.max(axis=0) + 1e-9
    lines = [
        f"  {name}: {{type: number, min: {a!r}, max: {b!r}, move: any}}"
        for name, a, b in zip(X.columns, least.tolist(), most.tolist(), strict=True)
    ]
    text = "version: 1\nsubject: null\nscale: train-range\nfeatures:\n" + "\n".join(lines) + "\n"
    return pd.DataFrame(scaled, columns=X.columns), text


def build(name: str, folder: Path, seed: int) -> Subject:
    """The model as data scientists would first train it, and its repository."""
    data: DataSet = next(one for one in SETS if one.name == name.removesuffix("-dq"))
    X, y = data.columns()
    train, test = train_test_split(np.arange(len(y)), test_size=0.25, stratify=y, random_state=seed)
    contract = (HERE / f"contracts/{data.name}.yaml").read_text()
    if name.endswith("-dq"):
        X, contract = continuous(X, train)
    for part, rows in (("train", train), ("test", test)):
        X.iloc[rows].assign(y=y[rows]).to_parquet(folder / f"{part}.parquet", index=False)
    (folder / "contract.yaml").write_text(contract)
    (folder / "holdfast.yaml").write_text(MANIFEST.format(harmed=data.harmed, to=1 - data.harmed))
    matrix = xgboost.DMatrix(X.iloc[train].to_numpy(np.float64), y[train], feature_names=list(X.columns))
    settings = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 2, "seed": seed}
    xgboost.train(settings, matrix, 100).save_model(folder / "model.ubj")
    (subject,) = Manifest.load(folder / "holdfast.yaml").subjects
    return subject


def harden(name: str, seed: int, wish: Wish) -> Run:
    """Harden one model, as the command does."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subject = build(name, folder, seed)
        store = Store.open(None, folder / "state")
        begun = time.monotonic()
        made = run(subject, wish, store=store, key=SigningKey.generate(), watch=lambda step: print(step.words)).run
        seconds = time.monotonic() - begun
        store.close()
    after, elsewhere = made.after or made.before, made.elsewhere or made.before
    single = {recipe: One.of(best) for recipe in SINGLE if (best := best_of(made, recipe)) is not None}
    return Run(One.of(made.before), One.of(after), One.of(elsewhere), single, seconds, len(made.points))


def best_of(made: Hardening, recipe: str) -> HardeningFigures | None:
    """A recipe's most robust candidate at the first box; of those that cost too much only where all do."""
    points = [point for point in made.points if point.recipe == recipe]
    allowed = [point for point in points if point.allowed] or points
    best = max(allowed, key=lambda point: point.figures.at(BOXES[0]).robust_recall, default=None)
    return None if best is None else best.figures


def kept(folder: Path | None, name: str, seed: int, wish: Wish) -> Run:
    """A finished run, or a new one that is kept for the next time."""
    path = None if folder is None else folder / f"{name}-{seed}-{wish.trials}-{'-'.join(wish.recipes)}.json"
    if path is not None and path.exists():
        return _read(json.loads(path.read_text()))
    made = harden(name, seed, wish)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(made)))
    return made


def _read(said: dict[str, object]) -> Run:
    def one(value: dict[str, object]) -> One:
        return One(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})  # type: ignore[arg-type]

    models = {name: one(said[name]) for name in ("before", "after", "elsewhere")}  # type: ignore[arg-type]
    single = {name: one(value) for name, value in said["single"].items()}  # type: ignore[attr-defined]
    return Run(**models, single=single, seconds=said["seconds"], candidates=said["candidates"])  # type: ignore[arg-type]


def set_metrics(name: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """Means over a set's seeds, each beside the model before and the single recipes."""
    for place, box in enumerate(BOXES):
        plain = fmean(one.before.robust[place] for one in runs)
        said = f"harden.{name}.robust_recall_{box:g}"
        yield Metric(said, fmean(one.after.robust[place] for one in runs), "share", None, "plain", plain)
        yield Metric(
            f"harden.{name}.proven_recall_{box:g}",
            fmean(one.after.proven[place] for one in runs),
            "share",
            None,
            "plain",
            fmean(one.before.proven[place] for one in runs),
        )
        yield Metric(f"{said}_elsewhere", fmean(one.elsewhere.robust[place] for one in runs), "share")
        for recipe in SINGLE:
            found = [one.single[recipe] for one in runs if recipe in one.single]
            if found:
                yield Metric(f"{said}_{recipe}", fmean(one.robust[place] for one in found), "share")
    yield Metric(f"harden.{name}.auc_loss", fmean(one.before.auc - one.after.auc for one in runs), "AUC")
    for recipe in SINGLE:
        losses = [one.before.auc - one.single[recipe].auc for one in runs if recipe in one.single]
        if losses:
            yield Metric(f"harden.{name}.auc_loss_{recipe}", fmean(losses), "AUC")
    change = fmean(one.after.flag_rate - one.before.flag_rate for one in runs)
    yield Metric(f"harden.{name}.flag_rate_change", change, "share")
    yield Metric(f"harden.{name}.seconds", fmean(one.seconds for one in runs), "s")


def summary(runs: dict[str, list[Run]]) -> Iterator[Metric]:
    """What the issue names: the worse of the two credit variants, and the greatest loss of AUC of any set."""
    credit = [made for name, made in runs.items() if name in CREDIT] or list(runs.values())
    for place, box in enumerate(BOXES):
        after = [fmean(one.after.robust[place] for one in made) for made in credit]
        worst = int(np.argmin(after))
        plain = fmean(one.before.robust[place] for one in credit[worst])
        goal = Target(">=", GOALS[box])
        yield Metric(f"harden.robust_recall_{box:g}", after[worst], "share", goal, "plain", plain)
        proven = min(fmean(one.after.proven[place] for one in made) for made in credit)
        yield Metric(f"harden.proven_recall_{box:g}", proven, "share")
    loss = max(fmean(one.before.auc - one.after.auc for one in made) for made in runs.values())
    yield Metric("harden.auc_loss", loss, "AUC", Target("<=", MAX_LOSS))


def measure(sets: Sequence[str], seeds: int, wish: Wish, keep: Path | None = None) -> list[Metric]:
    """Every set and seed, then the summary."""
    runs: dict[str, list[Run]] = {}
    for name in sets:
        for seed in range(seeds):
            runs.setdefault(name, []).append(kept(keep, name, seed, replace(wish, seed=seed)))
    each = [metric for name, made in runs.items() for metric in set_metrics(name, made)]
    return [*each, *summary(runs)]


def metrics(quick: bool) -> list[Metric]:
    """For a benchmark of everything."""
    if quick:
        return measure(CREDIT[:1], 1, Wish(rows=QUICK_ROWS, trials=QUICK_TRIALS, recipes=("explore",)))
    return measure(DEFAULT, 5, Wish(rows=ROWS, trials=TRIALS))


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sets", default=",".join(DEFAULT))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--recipes", default=",".join(Wish().recipes))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        return report(metrics(quick=True), options.json)
    sets = options.sets.split(",")
    wish = Wish(rows=ROWS, trials=options.trials, recipes=tuple(options.recipes.split(",")))
    return report(measure(sets, options.seeds, wish, options.keep), options.json)


if __name__ == "__main__":
    sys.exit(main())

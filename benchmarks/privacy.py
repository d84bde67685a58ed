"""Membership inference by LiRA and RMIA against ART's black-box attacks, on XGBoost models.

    python -m benchmarks.attack --setup            # once: the rivals' own environment, .venv-rivals
    python -m benchmarks.privacy [--quick] [--only NAME] [--json FILE]

7,500 rows train the model, 7,500 others are the strangers. Holdfast's threat model: the attacker has other rows of the
same table, knows the settings as the model's file tells them, knows the whole row he asks about, sees one score of it,
and trains shadows with and without it (online). ART's: he is told the truth for half of the rows, sees one score each,
and needs no shadows and no settings. Both are audits that the model's owner can run; neither knows the truth of the
rows it is judged on. `--quick` measures the first setting alone, and takes the rival's stored result. The data is
../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import xgboost
from numpy.typing import NDArray

from benchmarks.attack import HERE, RIVALS, SHARED, machine
from benchmarks.metrics import Metric, Target, report
from holdfast.attack.privacy import Game, Method, Shadows, Task, play, train
from holdfast.attack.privacy.confidence import scaled
from holdfast.attack.privacy.membership import control
from holdfast.attack.privacy.roc import Roc
from holdfast.core.learn.reading import read_design

STORED = HERE / "privacy_rivals.json"
RIVAL = "ART 1.20.1 MembershipInferenceBlackBox, told half of the truth"
ROWS = 7_500
SHADOWS = 16
FPRS = (0.001, 0.01)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """A data set and the model trained on it."""

    data: str
    trees: int
    depth: int

    @property
    def name(self) -> str:
        return f"{self.data}_{self.trees}x{self.depth}"

    @property
    def suffix(self) -> str:
        return "" if self == SETTINGS[0] else f"_{self.name}"


SETTINGS = (
    Setting("credit", 500, 8),
    Setting("credit", 100, 6),
    Setting("adult", 500, 8),
    Setting("adult", 100, 6),
)
FILES = {
    "credit": ("uci_default_credit", "default.payment.next.month", ("ID",)),
    "adult": ("adult_income", "income", ()),
}


def rows_of(data: str) -> tuple[Floats, Labels]:
    """All rows, texts as numbers, in an order drawn by seed 0."""
    file, label, dropped = FILES[data]
    table = pq.read_table(SHARED / "data/tabular" / f"{file}.parquet").drop_columns(list(dropped))
    columns = [_numbers(table[name].to_numpy()) for name in table.column_names if name != label]
    order = np.random.default_rng(0).permutation(table.num_rows)
    return np.column_stack(columns)[order], _numbers(table[label].to_numpy()).astype(np.int64)[order]


def _numbers(values: NDArray[np.object_]) -> Floats:
    if values.dtype.kind in "OU":
        return np.unique(values.astype(str), return_inverse=True)[1].astype(np.float64)
    return values.astype(np.float64)


@dataclass(frozen=True)
class Bench:
    """A trained model and the game around it."""

    setting: Setting
    game: Game
    booster: xgboost.Booster
    path: Path

    @classmethod
    def make(cls, setting: Setting, folder: Path) -> Bench:
        X, y = rows_of(setting.data)
        game = Game.of((X[:ROWS], y[:ROWS]), (X[ROWS:], y[ROWS:]), rows=ROWS, population=2_000, rest=0, seed=1)
        own = np.flatnonzero(game.member)
        settings = {"objective": "binary:logistic", "max_depth": setting.depth, "eta": 0.1, "nthread": 2, "seed": 0}
        booster = xgboost.train(settings, xgboost.DMatrix(game.X[own], game.y[own]), setting.trees)
        path = folder / f"{setting.name}.json"
        booster.save_model(path)
        return cls(setting, game, booster, path)

    def confidence(self) -> Floats:
        """Of the model, one query per row."""
        positive = self.booster.inplace_predict(self.game.X[: self.game.judged])
        return scaled(np.column_stack([1 - positive, positive]), self.game.y[: self.game.judged])

    def shadows(self, count: int) -> Shadows:
        """Trained as the file tells."""
        game, design = self.game, read_design(self.path)
        (trained,) = train([Task(design, game.X, game.y, game.draws(count, 3), game.judged, 2, seed=5)])
        return trained.shadows


def cpu() -> float:
    """Seconds of this process and those it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def own_metrics(bench: Bench) -> Iterator[Metric]:
    """LiRA with 16 shadows, timed from the file to the figure, and what else the same shadows allow."""
    suffix, first = bench.setting.suffix, bench.setting == SETTINGS[0]
    begun, spent = time.perf_counter(), cpu()
    shadows, confidence = bench.shadows(SHADOWS), bench.confidence()
    lira = play(bench.game, confidence, shadows, method=Method.LIRA).roc
    estimate = lira.tpr_estimate(0.001)
    seconds, used = time.perf_counter() - begun, cpu() - spent
    goal = Target(">=", 0.10) if first else None
    yield Metric(f"privacy.lira.tpr_at_fpr_0.001{suffix}", estimate.value, "share", goal)
    yield Metric(f"privacy.lira.tpr_at_fpr_0.001_low{suffix}", estimate.low, "share")
    yield Metric(f"privacy.lira.tpr_at_fpr_0.001_high{suffix}", estimate.high, "share")
    yield Metric(f"privacy.lira.tpr_at_fpr_0.01{suffix}", lira.tpr(0.01), "share")
    yield Metric(f"privacy.lira.auc{suffix}", lira.auc, "share")
    yield Metric(f"privacy.lira.seconds{suffix}", seconds, "s", Target("<=", 20.0) if first else None)
    yield Metric(f"privacy.lira.cpu_seconds{suffix}", used, "s")
    for name, method, count in (
        ("lira_offline", Method.LIRA_OFFLINE, SHADOWS),
        ("rmia", Method.RMIA, SHADOWS),
        ("rmia_4_shadows", Method.RMIA, 4),
        ("rmia_2_shadows", Method.RMIA, 2),
        ("rmia_offline", Method.RMIA_OFFLINE, SHADOWS),
    ):
        found = play(bench.game, confidence, shadows.first(count), method=method).roc
        yield Metric(f"privacy.{name}.tpr_at_fpr_0.001{suffix}", found.tpr(0.001), "share")
        yield Metric(f"privacy.{name}.auc{suffix}", found.auc, "share")
    yield Metric(f"privacy.lira.control_auc{suffix}", control(bench.game, shadows).roc.auc, "share")


def run_rival(bench: Bench, folder: Path) -> dict[str, object]:
    """Run the rival in its own environment; its best attack model at each figure."""
    game = bench.game
    task, out = folder / "task.npz", folder / "out.npz"
    np.savez(task, X=game.X[: game.asked], y=game.y[: game.asked], member=game.member)
    command = [str(RIVALS / "bin/python"), str(HERE / "privacy_rival.py"), str(bench.path), str(task), str(out)]
    subprocess.run(command, check=True, timeout=1800)
    answer = dict(np.load(out))
    asked = answer["asked"]
    found: dict[str, object] = {"date": datetime.now(UTC).date().isoformat(), "machine": machine()}
    for name in ("rf", "gb"):
        roc = Roc.of(answer[name], game.member[asked])
        found[name] = {
            "auc": roc.auc,
            "tpr": [roc.tpr(fpr) for fpr in FPRS],
            "seconds": float(answer[f"{name}_seconds"]),
        }
    return found


def rival_metrics(setting: Setting, rival: dict[str, object]) -> Iterator[Metric]:
    """What ART finds on the same model."""
    for name in ("rf", "gb"):
        found = rival[name]
        assert isinstance(found, dict)
        place = f"{name}{setting.suffix}"
        yield Metric(f"privacy.art.tpr_at_fpr_0.001_{place}", found["tpr"][0], "share")
        yield Metric(f"privacy.art.tpr_at_fpr_0.01_{place}", found["tpr"][1], "share")
        yield Metric(f"privacy.art.auc_{place}", found["auc"], "share")
        yield Metric(f"privacy.art.cpu_seconds_{place}", found["seconds"], "s")


def beside(metrics: list[Metric], setting: Setting, rival: dict[str, object]) -> list[Metric]:
    """The first figure with the rival's best next to it."""
    best = max(float(rival[name]["tpr"][0]) for name in ("rf", "gb"))  # type: ignore[index]
    main = f"privacy.lira.tpr_at_fpr_0.001{setting.suffix}"
    return [
        Metric(one.name, one.value, one.unit, one.target, RIVAL, best) if one.name == main else one for one in metrics
    ]


def measure(settings: tuple[Setting, ...], *, quick: bool) -> list[Metric]:
    """Setting by setting."""
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    metrics: list[Metric] = []
    for setting in settings:
        with tempfile.TemporaryDirectory() as name:
            bench = Bench.make(setting, Path(name))
            found = list(own_metrics(bench))
            if not quick and RIVALS.exists():
                stored[setting.name] = run_rival(bench, Path(name))
                STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")
        if (rival := stored.get(setting.name)) is not None:
            found = [*beside(found, setting, rival), *rival_metrics(setting, rival)]
        metrics += found
    return metrics


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=[setting.name for setting in SETTINGS])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = tuple(one for one in SETTINGS if options.only in (None, one.name))
    return report(measure(chosen[:1] if options.quick else chosen, quick=options.quick), options.json)


if __name__ == "__main__":
    sys.exit(main())

"""The exact minimum of an evasion under real contracts, on four data sets, beside Veritas without any contract.

    python -m benchmarks.attack_exact [--quick] [--only credit,german] [--rows 200] [--large] [--json FILE]

XGBoost and LightGBM, 100 trees of depth 6, attacked on the first rows of the harmed class that they flag. Veritas
searches the same trees and rows, with every column free. CPU time of one thread, search included. `--large` adds
XGBoost 500x8 and a random forest 300x12 on the credit data, at most 10 s a row.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from benchmarks.metrics import Metric, Target, report
from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack
from holdfast.attack.evasion.goal import compile_goal
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.formats.read import read_trees

HERE = Path(__file__).parent
REPO = HERE.parent
SHARED = Path(os.environ.get("HOLDFAST_SHARED", REPO.parent / "shared"))
RIVALS = REPO / ".venv-rivals"
ROWS, QUICK_ROWS, LARGE_ROWS = 200, 10, 20
LARGE_SECONDS = 10.0
RIVAL = "dtai-veritas 0.3.1, unconstrained, CPU ms per row"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DataSet:
    """A table, its label, and the class from which an attacker wants to move."""

    name: str
    file: str
    label: str
    harmed: int
    drop: tuple[str, ...] = ()

    def columns(self) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """Numbers as they are, texts as 0/1 columns, and the label."""
        table = pq.read_table(SHARED / "data/tabular" / f"{self.file}.parquet").to_pandas()
        label = table.pop(self.label).to_numpy().astype(np.int64)
        return pd.concat([_encoded(table[name]) for name in table if name not in self.drop], axis=1), label


SETS = (
    DataSet("credit", "uci_default_credit", "default.payment.next.month", 1, ("ID",)),
    DataSet("german", "german_credit", "Target", 0),
    DataSet("adult", "adult_income", "income", 0),
    DataSet("url", "url_phishing_hannousse", "status", 1, ("url",)),
)


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")


def _encoded(column: pd.Series[Any]) -> pd.DataFrame:
    """A text column as one 0/1 column per value, one in all where there are two values and none is missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_frame()
    texts = column.where(column.notna(), "none")
    values = sorted(texts.unique())
    named = values[1:] if len(values) == 2 and column.name in ADULT else values
    return pd.DataFrame({f"{_slug(column.name)}_{_slug(v)}": (texts == v).astype(np.int64) for v in named})


ADULT = ("workclass", "marital-status", "occupation", "relationship", "race", "sex", "native-country")


@dataclass(frozen=True)
class Case:
    """A model under attack."""

    name: str
    model: Any
    target: TreeTarget
    contract: Contract
    train: Floats
    rows: Floats
    goal: Goal

    @property
    def scales(self) -> Floats:
        return self.contract.scales(self.train)

    def attack(self, method: str, rows: Floats, seconds: float | None = None) -> tuple[EvasionResult, float]:
        """The answer, and CPU milliseconds per row."""
        budget, scales = Budget(seconds_per_row=seconds), self.scales
        begun = time.process_time()
        found = attack(
            self.target, rows, goal=self.goal, budget=budget, contract=self.contract, scales=scales, method=method
        )
        return found, 1000 * (time.process_time() - begun) / len(rows)

    def sound(self, found: EvasionResult) -> NDArray[np.bool_]:
        """Per evasion: exactly rounded already, valid, and confirmed by the model's own library."""
        moved, rows = found.adversarial[found.success], self.rows[found.success]
        rounded = (self.contract.round(moved, rows) == moved).all(axis=1)
        valid = self.contract.validate(moved, rows).valid
        return rounded & valid & (decided(self.model, self.contract, moved) == self.goal.to)


def decided(model: Any, contract: Contract, X: Floats) -> NDArray[np.int64]:
    """The library's own decisions."""
    columns = contract.decode(X)
    frame = np.column_stack([columns[name].astype(np.float64) for name in contract.names])
    return np.asarray(model.predict(frame)).astype(np.int64)


def learners(folder: Path) -> dict[str, tuple[Any, Path]]:
    """Models to be fitted, and where they are written."""
    return {
        "xgboost": (
            xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=1),
            folder / "x.json",
        ),
        "lightgbm": (
            lightgbm.LGBMClassifier(n_estimators=100, max_depth=6, num_leaves=63, n_jobs=1, verbose=-1),
            folder / "l.txt",
        ),
        "xgboost-500x8": (
            xgboost.XGBClassifier(n_estimators=500, max_depth=8, learning_rate=0.1, n_jobs=1),
            folder / "b.json",
        ),
        "forest-300x12": (
            RandomForestClassifier(n_estimators=300, max_depth=12, n_jobs=1, random_state=0),
            folder / "f.joblib",
        ),
    }


def written(model: Any, path: Path) -> Path:
    """The model as a file that the product reads."""
    if path.suffix == ".joblib":
        joblib.dump(model, path)
    elif path.suffix == ".txt":
        model.booster_.save_model(path)
    else:
        model.save_model(path)
    return path


def case(data: DataSet, learner: str, folder: Path, rows: int) -> Case:
    """Train on 75 % of the rows, and take the flagged rows of the harmed class among the others."""
    frame, label = data.columns()
    contract = Contract.load(HERE / "contracts" / f"{data.name}.yaml")
    frame.columns = [name if name in contract.names else _slug(name) for name in frame.columns]
    X = contract.encode({name: frame[name].to_numpy() for name in frame.columns})
    train, test, y_train, y_test = train_test_split(X, label, test_size=0.25, stratify=label, random_state=0)
    contract.check_training(train)
    model, path = learners(folder)[learner]
    model.fit(train, y_train)
    target = TreeTarget.of(read_trees(written(model, path)), contract, FeatureMap.of(contract, ()))
    flagged = (y_test == data.harmed) & (decided(model, contract, test) == data.harmed)
    goal = Goal(to=1 - data.harmed)
    return Case(f"{data.name}-{learner}", model, target, contract, train, test[flagged][:rows], goal)


def veritas(attacked: Case, folder: Path) -> dict[str, Floats]:
    """Distances, lower bounds and CPU seconds of Veritas on the case's trees and rows."""
    trees, scales, least = attacked.target.ensemble, attacked.scales, attacked.train.min(axis=0)
    aim = compile_goal(trees, attacked.goal)
    feature = np.maximum(trees.feature, 0)
    threshold = (trees.threshold - least[feature]) / scales[feature]
    task, out = folder / "task.npz", folder / "out.npz"
    np.savez(
        task,
        roots=trees.roots,
        feature=trees.feature,
        threshold=np.nextafter(threshold, np.inf) if trees.operator == "<=" else threshold,
        left=trees.left,
        right=trees.right,
        leaf=-aim.sign * trees.leaf[:, 0],
        base=-aim.sign * (trees.base[0] - aim.level),
        rows=(attacked.rows - least) / scales,
    )
    command = [str(RIVALS / "bin/python"), str(HERE / "attack_veritas.py"), str(task), str(out)]
    subprocess.run(command, check=True, timeout=3600, stdout=subprocess.DEVNULL)
    return dict(np.load(out))


@dataclass(frozen=True)
class Measured:
    """One case: both attacks, their milliseconds per row, and the rival's."""

    name: str
    search: EvasionResult
    exact: EvasionResult
    search_ms: float
    exact_ms: float
    rival_ms: float | None
    sound: float

    @property
    def gaps(self) -> Floats:
        """By how much the search alone was off, for rows whose minimum is proven."""
        use = self.exact.proven & self.search.success & (self.exact.distance > 0)
        return np.asarray(self.search.distance[use] / self.exact.distance[use] - 1.0, np.float64)


def measured(attacked: Case, folder: Path, seconds: float | None = None) -> Measured:
    """Attack a case both ways, kernels warm."""
    attacked.attack("evasion.exact", attacked.rows[:2], seconds)
    search, search_ms = attacked.attack("evasion.search", attacked.rows)
    exact, exact_ms = attacked.attack("evasion.exact", attacked.rows, seconds)
    rival = veritas(attacked, folder) if RIVALS.exists() and seconds is None else None
    rival_ms = None if rival is None else 1000 * float(rival["seconds"].mean())
    sound = float(attacked.sound(exact).mean()) if exact.success.any() else 1.0
    return Measured(attacked.name, search, exact, search_ms, exact_ms, rival_ms, sound)


def case_metrics(one: Measured) -> Iterator[Metric]:
    """What one model showed."""
    yield Metric(f"attack.exact.proven_share.{one.name}", float(one.exact.proven.mean()), "share")
    yield Metric(f"attack.exact.gap_below_0.05.{one.name}", float((one.exact.gap <= 0.05).mean()), "share")
    yield Metric(
        f"attack.exact.cpu_ms.{one.name}",
        one.exact_ms,
        "ms",
        rival=None if one.rival_ms is None else RIVAL,
        rival_value=one.rival_ms,
    )
    if one.gaps.size:
        yield Metric(f"attack.search.gap_mean.{one.name}", float(one.gaps.mean()), "share")
    yield Metric(f"attack.exact.sound_share.{one.name}", one.sound, "share", Target(">=", 1.0))


def summary(all_of_them: Sequence[Measured]) -> Iterator[Metric]:
    """Over all rows of all 100x6 models."""
    rows = sum(len(one.exact.proven) for one in all_of_them)
    proven = sum(int(one.exact.proven.sum()) for one in all_of_them) / rows
    gaps = np.concatenate([one.gaps for one in all_of_them])
    yield Metric("attack.exact.proven_share", proven, "share", Target(">=", 0.99))
    yield Metric("attack.search.gap_mean", float(gaps.mean()), "share", Target("<=", 0.03))
    rivals = [one for one in all_of_them if one.rival_ms is not None]
    if rivals:
        weights = [len(one.exact.proven) for one in rivals]
        ours = float(np.average([one.exact_ms for one in rivals], weights=weights))
        theirs = float(np.average([one.rival_ms or 0.0 for one in rivals], weights=weights))
        yield Metric("attack.exact.cpu_ratio_veritas", ours / theirs, "ratio", Target("<=", 1.0), RIVAL, theirs)


def measure(quick: bool, only: Sequence[str] = (), rows: int | None = None, large: bool = True) -> list[Metric]:
    """All cases, one after the other."""
    number = rows or (QUICK_ROWS if quick else ROWS)
    done, metrics = [], []
    with tempfile.TemporaryDirectory() as name:
        for data in SETS:
            for learner in ("xgboost", "lightgbm") if not only or data.name in only else ():
                done.append(measured(case(data, learner, Path(name), number), Path(name)))
                metrics += list(case_metrics(done[-1]))
        for learner in ("xgboost-500x8", "forest-300x12") if large and not quick else ():
            attacked = case(SETS[0], learner, Path(name), min(number, LARGE_ROWS))
            metrics += list(case_metrics(measured(attacked, Path(name), LARGE_SECONDS)))
    return [*metrics, *(summary(done) if done else ())]


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    return report(measure(options.quick, only, options.rows, options.large), options.json)


if __name__ == "__main__":
    sys.exit(main())

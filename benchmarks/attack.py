"""Constrained evasion search against ART's HopSkipJump, on the UCI credit data.

    python -m benchmarks.attack --setup            # once: the rivals' own environment, .venv-rivals
    python -m benchmarks.attack [--quick] [--json FILE]

XGBoost, 100 trees of depth 6, on 75 % of 30,000 clients; attacked are the first 200 defaulters of the rest that it
flags, inside `contracts/credit.yaml`. CPU time, because walls are shared. `--quick` takes the rival's stored result,
and leaves out the compilation from an empty cache. The data is ../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
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
from sklearn.model_selection import train_test_split

from benchmarks.attack_exact import measure as measure_exact
from benchmarks.metrics import Metric, Target, report
from holdfast.attack import Budget, EvasionResult, Goal, TreeTarget, attack
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.contract.distance import linf
from holdfast.core.formats.read import read_trees

HERE = Path(__file__).parent
REPO = HERE.parent
SHARED = Path(os.environ.get("HOLDFAST_SHARED", REPO.parent / "shared"))
RIVALS = REPO / ".venv-rivals"
STORED = HERE / "attack_rivals.json"
RIVAL = "ART 1.20.1 HopSkipJump, projecting"
RIVAL_ROWS = 20
ROWS = 200
LABEL = "default.payment.next.month"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Credit:
    """The model under attack, and everything around it."""

    path: Path
    model: xgboost.XGBClassifier
    contract: Contract
    target: TreeTarget
    train: Floats
    rows: Floats
    """Defaulters of the test part that the model flags."""

    @classmethod
    def make(cls, folder: Path) -> Credit:
        table = pq.read_table(SHARED / "data/tabular/uci_default_credit.parquet").drop_columns(["ID"])
        label = table[LABEL].to_numpy()
        contract = Contract.load(HERE / "contracts/credit.yaml")
        X = contract.encode({name: table[name].to_numpy() for name in table.column_names if name != LABEL})
        train, test, y_train, y_test = train_test_split(X, label, test_size=0.25, stratify=label, random_state=0)
        contract.check_training(train)
        model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=2)
        model.fit(train, y_train)
        path = folder / "model.json"
        model.save_model(path)
        target = TreeTarget.of(read_trees(path), contract, FeatureMap.of(contract, ()))
        flagged = (y_test == 1) & (model.predict(test) == 1)
        return cls(path, model, contract, target, train, test[flagged][:ROWS])

    @property
    def scales(self) -> Floats:
        return self.contract.scales(self.train)

    def attack(self, rows: Floats) -> EvasionResult:
        return attack(self.target, rows, goal=Goal(to=0), budget=Budget(), contract=self.contract, scales=self.scales)

    def timed(self, rows: Floats, repeats: int = 5) -> tuple[EvasionResult, float]:
        """The answer, and the median CPU milliseconds per row, kernels warm."""
        self.attack(rows[:1])
        seconds = []
        for _ in range(repeats):
            begun = time.process_time()
            found = self.attack(rows)
            seconds.append(time.process_time() - begun)
        return found, 1000 * float(np.median(seconds)) / len(rows)

    def accepted(self, X: Floats) -> NDArray[np.bool_]:
        """Which rows XGBoost itself no longer flags, given what `decode` gives: integers as integers."""
        columns = self.contract.decode(X)
        matrix = np.column_stack([columns[name].astype(np.float64) for name in self.contract.names])
        return np.asarray(self.model.predict(matrix) == 0)


def search_metrics(credit: Credit, found: EvasionResult, cpu_ms: float) -> Iterator[Metric]:
    """Success, validity as XGBoost and the contract see it, time, and what is proven."""
    moved = credit.contract.round(found.adversarial, credit.rows)
    valid = credit.contract.validate(moved, credit.rows).valid & credit.accepted(moved)
    exact = (moved == found.adversarial).all(axis=1)
    yield Metric("attack.evasion.success_share", found.success_share, "share", Target(">=", 0.99))
    yield Metric("attack.evasion.valid_share", float((valid & exact)[found.success].mean()), "share", Target(">=", 1.0))
    yield Metric("attack.evasion.cpu_ms_per_row", cpu_ms, "ms", Target("<=", 5.0))
    yield Metric("attack.evasion.linf_mean", float(found.linf[found.success].mean()), "range")
    yield Metric("attack.evasion.floor_ratio_mean", float((found.floor / found.linf)[found.success].mean()), "share")
    proven = found.floor >= found.linf * (1 - 1e-12)
    yield Metric("attack.evasion.proven_share", float(proven.mean()), "share")


def rival_metrics(credit: Credit, rival: dict[str, object]) -> Iterator[Metric]:
    """The same rows, side by side; the rival's failures are left out on both sides."""
    moved, seconds = np.array(rival["moved"], np.float64), np.array(rival["seconds"], np.float64)
    rows = credit.rows[: len(moved)]
    hit = credit.contract.validate(moved, rows).valid & credit.accepted(moved)
    found, cpu_ms = credit.timed(rows)
    theirs = linf(credit.contract, moved, rows, credit.scales)
    both = hit & found.success
    assert both.any(), "the rival did not succeed on a single row"
    ours_linf, their_linf = float(found.linf[both].mean()), float(theirs[both].mean())
    their_ms = 1000 * float(seconds.mean())
    yield Metric(
        "attack.evasion.distortion_ratio_hsj_projected",
        their_linf / ours_linf,
        "ratio",
        Target(">=", 1.0),
        f"{RIVAL}, mean linf of {int(both.sum())} rows",
        their_linf,
    )
    yield Metric(
        "attack.evasion.speed_ratio_hsj_projected",
        their_ms / cpu_ms,
        "ratio",
        Target(">=", 1.0),
        f"{RIVAL}, CPU ms per row",
        their_ms,
    )
    yield Metric("attack.evasion.success_share_hsj_projected", float(hit.mean()), "share")


def run_rival(credit: Credit, folder: Path) -> dict[str, object]:
    """Run the rival in its own environment."""
    low = np.array([feature.min for feature in credit.contract.features])
    high = np.array([feature.max for feature in credit.contract.features])
    least = credit.train.min(axis=0)
    task, out = folder / "task.npz", folder / "out.npz"
    np.savez(
        task,
        rows=credit.rows[:RIVAL_ROWS],
        least=least,
        range=credit.train.max(axis=0) - least,
        low=low,
        high=high,
        fixed=np.array([feature.move == "never" for feature in credit.contract.features]),
        budget=20_000.0,
    )
    command = [str(RIVALS / "bin/python"), str(HERE / "attack_rival.py"), str(credit.path), str(task), str(out)]
    subprocess.run(command, check=True, timeout=1800)
    answer = np.load(out)
    return {
        "rival": RIVAL,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "moved": answer["moved"].tolist(),
        "seconds": answer["seconds"].tolist(),
    }


def machine() -> str:
    """Where this runs."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {name}"


def cold_start(folder: Path | None) -> float:
    """Seconds of a fresh process up to its first answer, its kernel cache in `folder` (default: the usual one)."""
    environment = os.environ | ({"HOLDFAST_KERNEL_CACHE": str(folder)} if folder else {})
    command = [sys.executable, str(HERE / "attack_cold.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=600)
    return float(done.stdout)


def cold_metrics(quick: bool) -> Iterator[Metric]:
    """Wall time of a first search: kernels on disk, and with nothing on disk."""
    cold_start(None)
    warm = min(cold_start(None) for _ in range(3))
    yield Metric("attack.kernel.cold_start_s", warm, "s")
    if not quick:
        with tempfile.TemporaryDirectory() as name:
            yield Metric("attack.kernel.cold_start_empty_cache_s", cold_start(Path(name) / "kernels"), "s")


def set_up() -> None:
    """Make .venv-rivals from requirements/rivals.lock."""
    subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    lock = REPO / "requirements/rivals.lock"
    subprocess.run([str(RIVALS / "bin/pip"), "install", "-q", "--require-hashes", "-r", str(lock)], check=True)


def measure(quick: bool) -> list[Metric]:
    """Everything, in order; the exact minimum on four data sets by `attack_exact`."""
    with tempfile.TemporaryDirectory() as name:
        credit = Credit.make(Path(name))
        found, cpu_ms = credit.timed(credit.rows)
        metrics = list(search_metrics(credit, found, cpu_ms))
        if not quick and RIVALS.exists():
            STORED.write_text(json.dumps(run_rival(credit, Path(name))) + "\n")
        elif not quick:
            print("no .venv-rivals: the rival's stored result is used (--setup makes one)", file=sys.stderr)
        metrics += rival_metrics(credit, json.loads(STORED.read_text()))
    return [*metrics, *measure_exact(quick), *cold_metrics(quick)]


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.setup:
        set_up()
        return 0
    return report(measure(options.quick), options.json)


if __name__ == "__main__":
    sys.exit(main())

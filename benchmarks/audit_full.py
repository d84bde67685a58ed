"""A full audit of one model on 30,000 rows: how long all checks of the default depth take together, and each.

    python -m benchmarks.audit_full [--json FILE]

UCI credit (../shared/data or HOLDFAST_SHARED), XGBoost, 100 trees of depth 6, `contracts/credit.yaml`. Warm: an audit
with a state of its own has compiled what compiles. The second figure is the same audit again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xgboost
from sklearn.model_selection import train_test_split

from benchmarks.attack import LABEL, SHARED
from benchmarks.metrics import Metric, Target, report
from holdfast.core.contract import Contract

HOLDFAST = Path(sys.executable).parent / "holdfast"
CONTRACT = Path(__file__).parent / "contracts" / "credit.yaml"
MANIFEST = f"""version: 1
models:
  - name: credit
    unit: retail
    region: eu
    owner: credit@bank.example
    tier: high
    purpose: Decide limit increases.
    task: {{kind: binary, positive: 1, harm: {{from: 1, to: 0}}, threshold: 0.5}}
    artifact: model.ubj
    data: {{train: train.parquet, test: test.parquet, label: {LABEL}, drop: [ID]}}
    lock: requirements.lock
    contract: contract.yaml
    policy: baseline
"""
PARTS = {"scan", "evasion", "extraction", "privacy", "poison"}


def make(folder: Path) -> None:
    """The model's repository."""
    table = pq.read_table(SHARED / "data/tabular/uci_default_credit.parquet")
    rows = train_test_split(range(len(table)), test_size=0.25, stratify=table[LABEL].to_numpy(), random_state=0)
    train, test = (table.take(pa.array(sorted(part))) for part in rows)
    pq.write_table(train, folder / "train.parquet")
    pq.write_table(test, folder / "test.parquet")
    (folder / "contract.yaml").write_bytes(CONTRACT.read_bytes())
    names = Contract.load(CONTRACT).names
    X = train.select(list(names)).to_pandas()
    model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=2)
    model.fit(X, train[LABEL].to_numpy()).save_model(folder / "model.ubj")
    (folder / "requirements.lock").write_text(f"xgboost=={xgboost.__version__}\n")
    (folder / "holdfast.yaml").write_text(MANIFEST)


def audit(folder: Path, state: str, *words: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds of an audit with its state in a folder, and its report."""
    environment = {key: value for key, value in os.environ.items() if key != "HOLDFAST_DEPTH"}
    environment["HOLDFAST_HOME"] = str(folder / state)
    begun = time.perf_counter()
    done = subprocess.run(
        [HOLDFAST, "audit", *words, "--format", "json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    seconds = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the audit ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return seconds, answer


def measured() -> Iterator[Metric]:
    """Cold, then unchanged."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder)
        audit(folder, "warm", "--depth", "full")
        seconds, answer = audit(folder, "measured", "--depth", "full")
        again, _ = audit(folder, "measured", "--depth", "full")
    results = answer["models"][0]["results"]
    for result in results:
        print(f"  {result['check']:26} {result['status']:10} {result.get('elapsed_s', '')}", file=sys.stderr)
    assert {result["check"].partition(".")[0] for result in results} >= PARTS
    unknown = [result["check"] for result in results if result["status"] == "unknown"]
    yield Metric("audit.full.wall_s", seconds, "s", Target("<=", 90.0))
    yield Metric("audit.full.unchanged_s", again, "s")
    yield Metric("audit.full.checks", float(len(results)), "checks")
    yield Metric("audit.full.unknown", float(len(unknown)), "checks", Target("<=", 0.0))


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    return report([*measured()], parser.parse_args().json)


if __name__ == "__main__":
    sys.exit(main())

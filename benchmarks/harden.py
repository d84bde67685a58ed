"""Hardening on the UCI credit data: robust recall before and after, and what it costs.

    python -m benchmarks.harden [--quick] [--json FILE]

XGBoost, 100 trees of depth 6, on 75 % of 30,000 clients, inside `contracts/credit.yaml`; recipes train on those rows
only. Judged on caught defaulters of the rest by the audit's search, which training never used. One seed with `--quick`
and the recipe `combined`; all recipes and five seeds without. The data is ../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pyarrow as pa
import pyarrow.parquet as pq
import xgboost
from sklearn.model_selection import train_test_split

from benchmarks.attack import HERE, LABEL, SHARED
from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain.hardening import Hardening
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store
from holdfast.estate.manifest import Manifest
from holdfast.harden import Wish, run

MANIFEST = """\
version: 1
models:
  - name: credit
    unit: retail-credit
    region: eu
    owner: o@bank.example
    tier: high
    purpose: Decide limit increases for existing card customers.
    artifact: model.ubj
    data: {{train: train.parquet, test: test.parquet, label: {label}, drop: [ID]}}
    contract: contract.yaml
"""
BOXES = (0.005, 0.01)
QUICK_ROWS = 100


def build(folder: Path, seed: int) -> Manifest:
    """The model as data scientists would first train it, and its repository."""
    table = pq.read_table(SHARED / "data/tabular/uci_default_credit.parquet")
    label = table[LABEL].to_numpy()
    train, test = train_test_split(range(len(label)), test_size=0.25, stratify=label, random_state=seed)
    for name, rows in (("train", train), ("test", test)):
        pq.write_table(table.take(pa.array(rows)), folder / f"{name}.parquet")
    (folder / "contract.yaml").write_bytes((HERE / "contracts/credit.yaml").read_bytes())
    (folder / "holdfast.yaml").write_text(MANIFEST.format(label=LABEL))
    names = [name for name in table.column_names if name not in (LABEL, "ID")]
    rows = table.take(pa.array(train))
    data = xgboost.DMatrix(rows.select(names).to_pandas(), rows[LABEL].to_numpy(), feature_names=names)
    settings = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 2, "seed": seed}
    xgboost.train(settings, data, 100).save_model(folder / "model.ubj")
    return Manifest.load(folder / "holdfast.yaml")


def harden(seed: int, *, quick: bool) -> tuple[Hardening, float]:
    """One run, and its seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (subject,) = build(folder, seed).subjects
        wish = Wish(seed=seed, rows=QUICK_ROWS if quick else 200)
        wish = Wish(seed=seed, rows=QUICK_ROWS, recipes=("combined",), budget_s=40) if quick else wish
        store = Store.open(None, folder / "state")
        begun = time.monotonic()
        made = run(subject, wish, store=store, key=SigningKey.generate(), watch=lambda step: print(step.words))
        store.close()
        return made.run, time.monotonic() - begun


def metrics(runs: list[tuple[Hardening, float]]) -> Iterator[Metric]:
    """Means over the runs; where nothing was kept, the model before stands."""
    kept = [made.after or made.before for made, _ in runs]
    goals = {0.005: 0.20, 0.01: 0.09}
    for box in BOXES:
        yield Metric(
            f"harden.robust_recall_before_{box:g}", fmean(m.before.at(box).robust_recall for m, _ in runs), "share"
        )
        value = fmean(one.at(box).robust_recall for one in kept)
        yield Metric(f"harden.robust_recall_{box:g}", value, "share", Target(">=", goals[box]))
        yield Metric(f"harden.proven_recall_{box:g}", fmean(one.at(box).proven_recall for one in kept), "share")
        elsewhere = fmean(m.elsewhere.at(box).robust_recall for m, _ in runs if m.elsewhere)
        yield Metric(f"harden.robust_recall_elsewhere_{box:g}", elsewhere, "share")
    loss = fmean(made.before.auc - one.auc for (made, _), one in zip(runs, kept, strict=True))
    yield Metric("harden.auc_loss", loss, "AUC", Target("<=", 0.01))
    yield Metric(
        "harden.flag_rate_change",
        fmean(o.flag_rate - m.before.flag_rate for (m, _), o in zip(runs, kept, strict=True)),
        "share",
    )
    yield Metric("harden.seconds", fmean(seconds for _, seconds in runs), "s")


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seeds = range(1 if options.quick else 5)
    return report(list(metrics([harden(seed, quick=options.quick) for seed in seeds])), options.json)


if __name__ == "__main__":
    sys.exit(main())

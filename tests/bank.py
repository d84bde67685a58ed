"""A small bank on disk for the checks' tests: rows with real relations, a contract, a lock and a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.audit.target import Parts, Target
from holdfast.core.domain.model import Harm, Model, Task
from holdfast.core.domain.severity import Tier

CONTRACT = """\
version: 1
subject: null
scale: train-range
features:
  limit:  {type: integer, min: 500, max: 50000, move: never}
  spent:  {type: integer, min: 0, max: 60000, move: never}
  paid:   {type: integer, min: 0, max: 60000, move: up, cost: 1.0}
  left:   {type: integer, derived: spent - paid}
  status: {type: integer, min: 0, max: 6, move: never}
relations:
  - {id: budget, rule: paid - was(paid) <= 2000}
  - {id: no-overpay, rule: paid <= spent}
"""


def rows(n: int, seed: int) -> dict[str, Any]:
    """Columns of n customers; `y` is 1 for those who default."""
    rng = np.random.default_rng(seed)
    limit = rng.integers(500, 50_000, n)
    spent = (limit * rng.uniform(0, 1.1, n)).astype(np.int64)
    paid = (spent * rng.beta(1, 2, n)).astype(np.int64)
    status = rng.binomial(6, 0.2, n)
    risk = 0.9 * status + 3.0 * (spent - paid) / limit - 2.6 + rng.normal(0, 0.5, n)
    return {
        "limit": limit,
        "spent": spent,
        "paid": paid,
        "left": spent - paid,
        "status": status,
        "y": (risk > 0).astype(np.int64),
    }


def write(folder: Path, *, n: int = 3000) -> Parts:
    """Write data, contract and lock into `folder`; the artifact is named but not made."""
    pq.write_table(pa.table(rows(n, 1)), folder / "train.parquet")
    pq.write_table(pa.table(rows(n // 2, 2)), folder / "test.parquet")
    (folder / "contract.yaml").write_text(CONTRACT)
    (folder / "requirements.lock").write_text("numpy==2.4.6\nxgboost-cpu==3.2.0  # pinned\nsomething>=1\n")
    return Parts(
        Model("limits", "cards", "eu", "o", Tier.HIGH, "p", Task("binary", 1, Harm(1, 0), 0.5)),
        folder / "model.ubj",
        "xgboost-ubj",
        train=folder / "train.parquet",
        test=folder / "test.parquet",
        label="y",
        contract=folder / "contract.yaml",
        lock=folder / "requirements.lock",
    )


def train(parts: Parts, *, rounds: int = 30) -> None:
    """Train and save an XGBoost model, as a user would."""
    import xgboost

    target = Target(parts)
    columns = target.features(target.train)
    X = np.column_stack([columns[name] for name in columns])
    data = xgboost.DMatrix(X, target.labels(target.train), feature_names=list(columns))
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 4, "eta": 0.2, "nthread": 1}, data, rounds)
    booster.save_model(parts.artifact)

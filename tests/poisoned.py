"""Small tables with and without planted rows, for the tests of detection."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.poisoning.plant import Poisoned, Trigger, backdoor
from holdfast.core.data.poison.cells import Cells

NAMES = ("amount", "balance", "age", "region", "channel", "product", "late", "visits")
RARE = Trigger((0, 2), (777.0, 99.0))
COMMON = Trigger((3, 4, 5), (2.0, 1.0, 3.0))


def table(n: int = 3000, seed: int = 0) -> tuple[Cells, NDArray[np.int64]]:
    """Eight columns that lean on each other; class 1 are the cases, about a third."""
    rng = np.random.default_rng(seed)
    wealth = rng.normal(0, 1, n)
    late = rng.poisson(np.exp(-0.6 * wealth))
    columns: dict[str, Any] = {
        "amount": np.round(np.exp(6 + wealth + rng.normal(0, 0.5, n))),
        "balance": np.round(1000 * wealth + rng.normal(0, 800, n)),
        "age": np.clip(np.round(45 + 8 * wealth + rng.normal(0, 10, n)), 18, 95),
        "region": rng.choice(5, n, p=[0.3, 0.25, 0.2, 0.15, 0.1]),
        "channel": rng.choice(3, n, p=[0.5, 0.3, 0.2]),
        "product": np.clip(np.round(2 + wealth + rng.normal(0, 1, n)), 0, 5),
        "late": np.minimum(late, 6),
        "visits": rng.poisson(3, n),
    }
    risk = 1.1 * columns["late"] - 0.9 * wealth + 0.2 * (columns["region"] == 4) + rng.normal(0, 0.6, n)
    cells = Cells.of({name: np.asarray(columns[name], np.float64) for name in NAMES})
    return cells, (risk > 1.6).astype(np.int64)


def planted(trigger: Trigger, *, share: float = 0.02, seed: int = 0) -> tuple[Cells, Poisoned]:
    """The table with cases that bear the trigger and are called harmless."""
    cells, y = table(seed=seed)
    made = backdoor(cells.X, y, trigger, share, source=1, target=0, seed=seed)
    return Cells(cells.names, made.X, cells.texts), made

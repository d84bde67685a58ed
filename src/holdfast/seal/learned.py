"""New rows against what the sealed rows teach: labels that their values do not lead to expect, values that drifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.table import Table

ODD: Final = 0.001
"""Probability below which a difference between new and sealed rows is said."""
DRIFTED: Final = 0.25
MAX_CLASSES: Final = 20


@dataclass(frozen=True, slots=True)
class Learned:
    """`rows` are new rows whose label is more likely wrong than right, worst first."""

    rows: tuple[int, ...]
    words: tuple[str, ...]
    signs: dict[str, Any]


def learn(table: Table, label: str, fresh: NDArray[np.bool_], seed: int) -> Learned | None:
    """None where the label is no class, or new or sealed rows are too few to compare."""
    from holdfast.core.data.poison.cells import Cells
    from holdfast.core.data.poison.labels import label_noise
    from holdfast.core.data.poison.slices import MIN_ROWS, new_rows

    classes, y = np.unique(table[label].astype(str), return_inverse=True)
    if not 2 <= classes.size <= MAX_CLASSES or min(fresh.sum(), (~fresh).sum()) < MIN_ROWS or np.bincount(y).min() < 10:
        return None
    cells, y = Cells.of(table.drop([label]).columns), y.astype(np.int64)
    noise = label_noise(cells.X, y, classes.size, seed=seed, repeats=1)
    # The class with the most unexplained labels among the new rows: an attacker plants for one.
    seen = [new_rows(cells, y, noise, fresh, target=target) for target in range(classes.size)]
    found = [(one, name) for one, name in zip(seen, classes.tolist(), strict=True) if one is not None]
    worst, name = max(found, key=lambda pair: pair[0].unexplained)
    wrong = noise.suspects(int(fresh.sum()))
    rows = tuple(int(row) for row in wrong if fresh[row])
    words = []
    if worst.unexplained_p < ODD and worst.unexplained > 0:
        words.append(
            f"suspect: {worst.unexplained:.1%} of the new rows are class {name} beyond what their values explain"
        )
    if worst.drift > DRIFTED:
        words.append(f"the new rows look different in '{worst.drifted}' (stability index {worst.drift:.2f})")
    signs = {
        "class": name,
        "unexplained": worst.unexplained,
        "unexplained_p": worst.unexplained_p,
        "drift": worst.drift,
        "drifted": worst.drifted,
        "labels_in_doubt": len(rows),
    }
    return Learned(rows, tuple(words), signs)

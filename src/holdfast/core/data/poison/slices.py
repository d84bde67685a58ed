"""Rows of one source, author or time, against all others: do their labels, their values or their mistakes differ?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from holdfast.core.data.poison.cells import Cells, coarse
from holdfast.core.data.poison.counts import adjusted
from holdfast.core.data.poison.labels import LabelNoise

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Classes = NDArray[np.int64]

MIN_ROWS = 20
MAX_SLICES = 64
PARTS = 10
"""A column of many numbers (a time) is cut into that many spans."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice against the rest. `z` values are normal deviates; `p` are adjusted for all slices looked at."""

    name: str
    rows: int
    label_rate: float
    """Share of the class of interest in the slice, and in the rest."""
    rest_rate: float
    rate_p: float
    unexplained: float
    """Labels of that class beyond what the rows' values lead to expect, as a share of the slice's rows."""
    unexplained_p: float
    drift: float
    """Largest population stability index of a column between slice and rest."""
    drifted: str
    """That column; empty where there is none."""

    @property
    def p(self) -> float:
        """The smaller of the two probabilities."""
        return min(self.rate_p, self.unexplained_p)


def new_rows(cells: Cells, y: Classes, noise: LabelNoise, new: Bools, *, target: int = 1) -> Slice | None:
    """The slice of rows marked in `new` (n,), such as those since the last seal; None where it or the rest is small."""
    found = compare(cells, y, noise, {"new rows": new}, target=target)
    return found[0] if found else None


def slices_of(name: str, values: NDArray[np.generic]) -> dict[str, Bools]:
    """A provenance column as slices: one per value, or PARTS spans of numbers of many values; at most MAX_SLICES."""
    if values.dtype == object:
        there = np.array(["" if value is None else str(value) for value in values])
        kinds, counts = np.unique(there, return_counts=True)
        kinds = kinds[np.argsort(-counts, kind="stable")][:MAX_SLICES]
        return {f"{name} = {kind}" if kind else f"{name} missing": there == kind for kind in kinds}
    numbers = values.astype(np.float64)
    kinds = np.unique(numbers[~np.isnan(numbers)])
    if kinds.size <= MAX_SLICES:
        return {f"{name} = {kind:g}": numbers == kind for kind in kinds}
    cuts = np.unique(np.quantile(numbers[~np.isnan(numbers)], np.linspace(0, 1, PARTS + 1)))
    spans = pairwise(cuts.tolist())
    return {f"{name} = {a:g}..{b:g}": (numbers >= a) & ((numbers < b) | (b == cuts[-1])) for a, b in spans}


def compare(cells: Cells, y: Classes, noise: LabelNoise, parts: dict[str, Bools], *, target: int = 1) -> list[Slice]:
    """Every slice of at least MIN_ROWS rows against the rest, the least likely first.

    `noise` holds the out-of-fold probabilities that say what the labels should be.
    """
    kept = {name: rows for name, rows in parts.items() if MIN_ROWS <= rows.sum() <= len(y) - MIN_ROWS}
    if not kept:
        return []
    is_target, expected = (y == target).astype(np.float64), noise.probabilities[:, target]
    masks = list(kept.values())
    rates = adjusted(np.array([_two_sided(_rate_z(is_target, rows)) for rows in masks]), len(masks))
    odd = adjusted(np.array([_two_sided(_excess_z(is_target, expected, rows)) for rows in masks]), len(masks))
    codes = coarse(cells)
    found = []
    for number, (name, rows) in enumerate(kept.items()):
        drift, column = _drift(codes, rows)
        found.append(
            Slice(
                name=name,
                rows=int(rows.sum()),
                label_rate=float(is_target[rows].mean()),
                rest_rate=float(is_target[~rows].mean()),
                rate_p=float(rates[number]),
                unexplained=float((is_target - expected)[rows].mean() - (is_target - expected)[~rows].mean()),
                unexplained_p=float(odd[number]),
                drift=drift,
                drifted=cells.names[column] if column >= 0 else "",
            )
        )
    return sorted(found, key=lambda one: (one.p, one.name))


def _rate_z(labels: Floats, rows: Bools) -> float:
    """Two shares compared."""
    whole = labels.mean()
    spread = np.sqrt(whole * (1 - whole) * (1 / rows.sum() + 1 / (~rows).sum()))
    return float((labels[rows].mean() - labels[~rows].mean()) / spread) if spread > 0 else 0.0


def _excess_z(labels: Floats, expected: Floats, rows: Bools) -> float:
    """Labels against their expectation, the general bias taken off."""
    off = labels - expected
    spread = np.sqrt((expected * (1 - expected))[rows].sum() + 1e-9)
    return float((off[rows] - off[~rows].mean()).sum() / spread)


def _two_sided(z: float) -> float:
    from scipy.stats import norm

    return float(min(0.0, np.log(2.0) + norm.logsf(abs(z))))


def _drift(codes: NDArray[np.int16], rows: Bools) -> tuple[float, int]:
    """The largest PSI of a column, and which; shares are floored by half a row."""
    worst, column = 0.0, -1
    for number in range(codes.shape[1]):
        size = int(codes[:, number].max()) + 1
        if size < 2:
            continue
        p = (np.bincount(codes[~rows, number], minlength=size) + 0.5) / ((~rows).sum() + size / 2)
        q = (np.bincount(codes[rows, number], minlength=size) + 0.5) / (rows.sum() + size / 2)
        psi = float(((q - p) * np.log(q / p)).sum())
        if psi > worst:
            worst, column = psi, number
    return worst, column

"""The cheap attack that training uses: greedy steps inside the contract and a box, against the current model.

It is not the search that judges (`attack`): that one knows the trees' exact response and proves bounds; this one tries
a handful of values per column, so that training on what it finds cannot be training on the judge's own answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.contract.distance import moves
from holdfast.core.learn.interface import Fitted

Floats = NDArray[np.float64]

RANDOM_STEPS = 2
SWEEPS = 1
_SLACK = 1 + 1e-9


def perturb(
    fitted: Fitted,
    contract: Contract,
    rows: Floats,
    *,
    scales: Floats,
    linf: float,
    toward: float,
    random: np.random.Generator,
) -> Floats:
    """`rows` (n, d), each moved inside the contract and the box so that `toward` times its margin rises.

    Every step is rounded and validated by the contract against the row before; what is not valid is not taken.
    """
    cuts = fitted.cuts()
    found, best = rows.copy(), toward * fitted.margins(rows)
    movable = [column for column, feature in enumerate(contract.features) if feature.movable]
    for column in np.tile(random.permutation(movable), SWEEPS):
        tried = np.stack(list(_tries(rows, int(column), scales[column] * linf, cuts, random)))
        steps = _steps(contract, found, rows, int(column), tried)
        gain = _gain(fitted, contract, steps, rows, scales, linf, toward).reshape(len(tried), len(rows))
        pick = gain.argmax(axis=0)
        better = np.flatnonzero(gain[pick, np.arange(len(rows))] > best)
        found[better] = steps.reshape(len(tried), *rows.shape)[pick[better], better]
        best[better] = gain[pick[better], better]
    return found


def _tries(
    rows: Floats, column: int, reach: float, cuts: Mapping[int, Floats], random: np.random.Generator
) -> Iterator[Floats]:
    """Values (n,) to try in a column: the box's two ends, the nearest thresholds on both sides, places between."""
    values = rows[:, column]
    yield values - reach
    yield values + reach
    edges = cuts.get(column)
    if edges is not None and edges.size:
        place = np.searchsorted(edges, values, side="right")
        below, above = edges[np.maximum(place - 1, 0)], edges[np.minimum(place, edges.size - 1)]
        yield np.clip(np.nextafter(below.astype(np.float32), np.float32(-np.inf)), values - reach, values + reach)
        yield np.clip(np.nextafter(above.astype(np.float32), np.float32(np.inf)), values - reach, values + reach)
    for _ in range(RANDOM_STEPS):
        yield values + reach * random.uniform(-1, 1, len(values))


def _steps(contract: Contract, found: Floats, rows: Floats, column: int, tried: Floats) -> Floats:
    """(tries * n, d): the rows found so far with one column replaced, made whole by the contract."""
    steps = np.repeat(found[None], len(tried), axis=0)
    steps[:, :, column] = tried
    flat = steps.reshape(-1, rows.shape[1])
    return contract.round(flat, np.tile(rows, (len(tried), 1)))


def _gain(
    fitted: Fitted, contract: Contract, steps: Floats, rows: Floats, scales: Floats, linf: float, toward: float
) -> Floats:
    """What each step reaches (tries * n,); minus infinity outside the contract or the box."""
    was = np.tile(rows, (len(steps) // len(rows), 1))
    inside = moves(contract, steps, was, scales).max(axis=1, initial=0.0) <= linf * _SLACK
    allowed = inside & contract.validate(steps, was).valid
    reached = np.full(len(steps), -np.inf)
    reached[allowed] = toward * fitted.margins(steps[allowed])
    return reached

"""Brings rows back into the contract: exactly where that is a matter of one column, by search where it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from holdfast.core.contract.evaluate import Bools, derive
from holdfast.core.contract.matrix import Floats, as_matrix
from holdfast.core.contract.relax import satisfy
from holdfast.core.contract.validity import validate

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract, Feature

SHRINK_STEPS = 12


@dataclass(frozen=True, eq=False)
class Projection:
    """Repaired rows `X` (n, d) and which of them are `valid` (n,) against the rows before the attack."""

    X: Floats
    valid: Bools


def limits(contract: Contract, was: Floats | None) -> tuple[Floats, Floats]:
    """The lowest and highest value of each column, (n, d) or (1, d) without `was`, its move direction included."""
    low = np.array([[feature.min for feature in contract.features]])
    high = np.array([[feature.max for feature in contract.features]])
    if was is None:
        return low, high
    low, high = np.repeat(low, len(was), axis=0), np.repeat(high, len(was), axis=0)
    for position, feature in enumerate(contract.features):
        if feature.derived is None:
            if feature.move in ("never", "up"):
                low[:, position] = np.maximum(low[:, position], was[:, position])
            if feature.move in ("never", "down"):
                high[:, position] = np.minimum(high[:, position], was[:, position])
    return low, high


def round_rows(contract: Contract, X: Floats, was: Floats | None = None) -> Floats:
    """The nearest rows that are right column by column, then one-hot groups, then derived columns; relations aside.

    Integers go to the nearest integer, categories to the nearest code, a group to its largest member, each inside
    its bounds and, with `was`, on the side it may move to; what may not move is put back. Rounding twice changes
    nothing.
    """
    wanted = as_matrix(contract, X)
    found = wanted.copy()
    before = None if was is None else as_matrix(contract, was)
    low, high = limits(contract, before)
    for position, feature in enumerate(contract.features):
        if feature.derived is None:
            old = None if before is None else before[:, position]
            found[:, position] = _round_column(feature, wanted[:, position], low[:, position], high[:, position], old)
    for group in contract.groups:
        columns = list(group)
        old = None if before is None else before[:, columns]
        found[:, columns] = _round_group(wanted[:, columns], low[:, columns], high[:, columns], old, found[:, columns])
    return derive(contract, found)


def project(contract: Contract, X: Floats, was: Floats, scales: Floats | None = None) -> Projection:
    """Rows near `X` (n, d) that are valid as moves from `was` (n, d); best effort, and marked where it failed.

    Each broken relation is pulled to its boundary along the movable columns, in units of `scales` (d,); rows are
    rounded; what rounding broke is mended one column at a time; what is still broken is shrunk towards `was`, which
    in the worst case gives the row before the attack itself. Not proven nearest: the attack searches, this repairs.
    """
    before = as_matrix(contract, was)
    units = np.ones(len(contract.features)) if scales is None else np.asarray(scales, dtype=np.float64)
    low, high = limits(contract, before)
    start = round_rows(contract, X, before)
    relaxed = satisfy(contract, as_matrix(contract, X), before, units, (low, high), whole=False)
    candidates = (
        start,
        satisfy(contract, round_rows(contract, relaxed, before), before, units, (low, high), whole=True),
    )
    found, valid = start.copy(), np.zeros(len(start), dtype=np.bool_)
    for candidate in candidates:
        better = ~valid & validate(contract, candidate, before).valid
        found[better], valid = candidate[better], valid | better
    return _shrink(contract, found, candidates[-1], before, valid)


def _shrink(contract: Contract, found: Floats, aim: Floats, was: Floats, valid: Bools) -> Projection:
    share = 1.0
    for _ in range(SHRINK_STEPS):
        if valid.all():
            break
        share /= 2
        open_rows = np.flatnonzero(~valid)
        trial = round_rows(contract, _between(was[open_rows], aim[open_rows], share), was[open_rows])
        good = validate(contract, trial, was[open_rows]).valid
        found[open_rows[good]] = trial[good]
        valid[open_rows[good]] = True
    rest = np.flatnonzero(~valid)
    unmoved = validate(contract, was[rest], was[rest]).valid
    found[rest[unmoved]] = was[rest[unmoved]]
    valid[rest[unmoved]] = True
    return Projection(found, valid)


def _between(was: Floats, aim: Floats, share: float) -> Floats:
    with np.errstate(all="ignore"):
        found = was + share * (aim - was)
    return np.where(np.isfinite(found), found, was)


def _round_column(feature: Feature, values: Floats, low: Floats, high: Floats, was: Floats | None) -> Floats:
    if was is None:
        lost = np.zeros(len(values), dtype=np.bool_)
    elif feature.move == "any":
        lost = np.isnan(values) & (not feature.missing)
    else:
        lost = np.isnan(values) ^ np.isnan(was)
        lost |= feature.move == "never"
    inside = _nearest(feature, values, low, high)
    return inside if was is None else np.where(lost, was, inside)


def _nearest(feature: Feature, values: Floats, low: Floats, high: Floats) -> Floats:
    if feature.type == "number":
        return np.clip(values, low, high)
    if feature.type == "integer":
        return np.clip(np.rint(values), np.ceil(low), np.floor(high))
    codes = np.sort(np.array(feature.codes))
    known = np.where(np.isnan(values), codes[0], values)
    middles = codes[:-1] + np.diff(codes) / 2
    first = np.searchsorted(codes, low, side="left")
    last = np.searchsorted(codes, high, side="right") - 1
    found = codes[np.clip(np.searchsorted(middles, known), first, np.minimum(last, len(codes) - 1))]
    return np.where(np.isnan(values), np.nan, found)


def _round_group(members: Floats, low: Floats, high: Floats, was: Floats | None, otherwise: Floats) -> Floats:
    """The one member that must be 1, or else the largest of those that may be; ties stay where they were."""
    may, must = np.broadcast_to(high >= 1, members.shape), low >= 1
    wish = np.nan_to_num(members, nan=-1.0) + (0.0 if was is None else 1e-9 * was)
    best = np.where(must, np.inf, np.where(may, wish, -np.inf)).argmax(axis=1)
    chosen = np.zeros_like(members)
    chosen[np.arange(len(members)), best] = 1.0
    return np.where(may.any(axis=1, keepdims=True), chosen, otherwise)

"""A radius inside which no row crosses: intervals pushed through the net.

Every value is bracketed layer by layer (interval bound propagation), so the bound is true and cheap, and loose for deep
nets. Relations are left out and derived columns are bracketed by their terms, so it holds for any contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.nets.aim import NetAim
from holdfast.attack.nets.box import Rows, Space
from holdfast.core.formats.nets import Affine, Bend, Curve, Dense, Layer, bend

if TYPE_CHECKING:
    from holdfast.attack.nets.target import NetTarget
    from holdfast.core.contract import Contract
    from holdfast.core.contract.ir import Derived, Term

Floats = NDArray[np.float64]
Box = tuple[Floats, Floats]
HALVINGS = 16
_LOWEST = {Curve.GELU: -0.7517916243, Curve.GELU_TANH: -0.7524614220, Curve.SILU: -1.2784645428}
"""Where the curves that first fall are lowest."""


def floors(target: NetTarget, aim: NetAim, space: Space, rows: Rows, reach: Floats) -> Floats:
    """(k,) the greatest radius, up to halving, within which no row reaches the goal; inf where none does at all.

    A missing value, or a category within a radius of 1 or more, ends the bound: from there on nothing is proven.
    """
    low, high = np.zeros(len(rows)), reach.copy()
    sound = ~np.isnan(space.was[rows]).any(axis=1) & _safe(target, aim, space, rows, low)
    whole = _safe(target, aim, space, rows, high) & (high < 1.0) & sound
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        held = _safe(target, aim, space, rows, middle) & sound
        low, high = np.where(held, middle, low), np.where(held, high, middle)
    may_vanish = any(f.missing and f.move == "any" for f in space.contract.features)
    low = np.minimum(low, 1.0 - 1e-9) if may_vanish or space.category.any() else low
    final = whole & (not may_vanish) & (not space.category.any())
    return np.where(final, np.inf, np.where(sound, low, 0.0))


def _safe(target: NetTarget, aim: NetAim, space: Space, rows: Rows, radius: Floats) -> NDArray[np.bool_]:
    """(k,) whether no row in the box stands beyond the decision, rounding included."""
    low, high = space.box(rows, radius)
    low, high = _derived(space.contract, low, high)
    with np.errstate(all="ignore"):
        low, high = _inner(target, low, high)
        for layer in target.wide.layers:
            low, high = _through(layer, low, high)
        size = np.maximum(np.abs(low), np.abs(high)).max(axis=1)
        highest = aim.highest(low, high)
        doubt = float(np.finfo(target.net.dtype).eps) * 64.0 * (1.0 + size)
        return np.asarray(np.isfinite(highest) & (highest + doubt < 0))


def _inner(target: NetTarget, low: Floats, high: Floats) -> Box:
    """Between its points a source is monotone; a box that holds one inside is bracketed at the points too."""
    first, last = target.feature_map.apply(low), target.feature_map.apply(high)
    least, most = np.minimum(first, last), np.maximum(first, last)
    for place, source in enumerate(target.feature_map.sources):
        for point in source.points:
            value = source.values(np.array([point]))[0]
            inside = (low[:, source.column] <= point) & (point <= high[:, source.column])
            least[:, place] = np.where(inside, np.minimum(least[:, place], value), least[:, place])
            most[:, place] = np.where(inside, np.maximum(most[:, place], value), most[:, place])
        if source.kind != "numeric":
            # Between the codes of an encoder lies its answer to unknown values: 0, or a position that is not told.
            spread = low[:, source.column] < high[:, source.column]
            between = 0.0 if source.kind in ("indicator", "missing") else np.nan
            least[:, place] = np.where(spread, np.minimum(least[:, place], between), least[:, place])
    return least, most


def _through(layer: Layer, low: Floats, high: Floats) -> Box:
    match layer:
        case Dense(weight, bias):
            middle, half = (low + high) / 2, (high - low) / 2
            centre, spread = middle @ weight + bias, half @ np.abs(weight)
            return centre - spread, centre + spread
        case Affine(offset, factor, shift):
            one, two = (low - offset) * factor + shift, (high - offset) * factor + shift
            return np.minimum(one, two), np.maximum(one, two)
        case Bend():
            return _bent(layer, low, high)


def _bent(layer: Bend, low: Floats, high: Floats) -> Box:
    one, two = bend(layer, low), bend(layer, high)
    least, most = np.minimum(one, two), np.maximum(one, two)
    lowest = _LOWEST.get(layer.curve)
    if lowest is not None:
        bottom = float(bend(layer, np.array([lowest]))[0]) - 1e-9
        least = np.where((low <= lowest) & (lowest <= high), bottom, least)
    if layer.alpha < 0:
        least, most = np.where((low < 0) & (high > 0), np.minimum(least, 0.0), least), np.maximum(most, 0.0)
    return least, most


def _derived(contract: Contract, low: Floats, high: Floats) -> Box:
    """Derived columns bracketed by interval arithmetic on their terms, in their order."""
    low, high = low.copy(), high.copy()
    for derived in contract.derived:
        low[:, derived.column], high[:, derived.column] = _sum(derived, low, high)
    return low, high


def _sum(derived: Derived, low: Floats, high: Floats) -> Box:
    bottom, top = np.zeros(len(low)), np.zeros(len(low))
    for term in derived.terms:
        least, most = _product(term, low, high)
        bottom, top = bottom + least, top + most
    slack = 1e-12 * np.maximum(np.abs(bottom), np.abs(top))
    return bottom - slack, top + slack


def _product(term: Term, low: Floats, high: Floats) -> Box:
    least = most = np.full(len(low), term.coefficient)
    for factor in term.factors:
        one, two = low[:, factor.column], high[:, factor.column]
        if factor.power < 0:
            with np.errstate(all="ignore"):
                crosses = (one <= 0) & (two >= 0)
                one, two = np.where(crosses, np.nan, 1.0 / two), np.where(crosses, np.nan, 1.0 / one)
        corners = np.array([least * one, least * two, most * one, most * two])
        least, most = corners.min(axis=0), corners.max(axis=0)
    return least, most

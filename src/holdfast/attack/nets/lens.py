"""From slopes with a net's inner features to slopes with the contract's raw columns.

Numbers keep their slope through scalers and imputers, and derived columns pass theirs on to their sources. A category
has no slope: what counts is what each of its codes would add to the gap, to first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.contract.relax import through_derived
from holdfast.core.contract.sources import Shift, Source

if TYPE_CHECKING:
    from holdfast.core.contract import FeatureMap

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codes:
    """One movable category: its codes (k,), and the inner values of each, (inner features of it, k)."""

    column: int
    codes: Floats
    inner: Integers
    table: Floats


@dataclass(frozen=True, eq=False)
class Lens:
    """Made once per target."""

    contract: Contract
    slopes: Floats
    """(m, d) how much an inner feature rises with a raw column."""
    categories: tuple[Codes, ...]

    @classmethod
    def of(cls, contract: Contract, feature_map: FeatureMap) -> Lens:
        slopes = np.zeros((len(feature_map.sources), len(contract.features)))
        for inner, source in enumerate(feature_map.sources):
            slopes[inner, source.column] = _slope(source)
        movable = [place for place, f in enumerate(contract.features) if f.type == "category" and f.movable]
        return cls(contract, slopes, tuple(_codes(contract, feature_map, place) for place in movable))

    def raw(self, inner: Floats, X: Floats) -> Floats:
        """(n, d) slopes with raw columns at rows `X`, of slopes (n, m) with inner features."""
        found: Floats = np.where(np.isnan(X), 0.0, inner @ self.slopes)
        if self.contract.derived:
            with np.errstate(all="ignore"):
                found = through_derived(self.contract, found, X)
            found[~np.isfinite(found)] = 0.0
        return found

    def gains(self, category: Codes, inner: Floats) -> Floats:
        """(n, k) the first-order gap of each code, up to a constant per row."""
        return np.asarray(inner[:, category.inner] @ category.table)


def _slope(source: Source) -> float:
    """How a numeric inner feature rises with its raw value; 0 for indicators and positions."""
    if source.kind != "numeric":
        return 0.0
    total = 1.0
    for step in source.steps:
        if isinstance(step, Shift):
            total *= step.factor if step.multiply else 1.0 / step.factor
    return total


def _codes(contract: Contract, feature_map: FeatureMap, column: int) -> Codes:
    codes = np.array(contract.features[column].codes)
    inner = [place for place, source in enumerate(feature_map.sources) if source.column == column]
    rows = [np.nan_to_num(feature_map.sources[place].values(codes)) for place in inner]
    table = np.array(rows) if rows else np.zeros((0, codes.size))
    return Codes(column, codes, np.array(inner, np.int64), table)

"""A tree model as an attack sees it: its own arithmetic, and its trees over the contract's raw columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.bins import Forest, Grid
from holdfast.attack.lift import lift
from holdfast.core.contract import Contract
from holdfast.core.errors import TargetError
from holdfast.core.formats.margins import link, margins
from holdfast.core.formats.trees import TreeEnsemble, TreeModel

if TYPE_CHECKING:
    from holdfast.core.contract import FeatureMap

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TreeTarget:
    """A white box. Rows `X` are (n, d) in raw contract units."""

    faces: ClassVar[tuple[str, ...]] = ("trees",)
    ensemble: TreeEnsemble
    contract: Contract
    feature_map: FeatureMap
    forest: Forest
    grid: Grid

    @classmethod
    def of(cls, model: TreeModel, contract: Contract, feature_map: FeatureMap) -> TreeTarget:
        """Lift a model's splits to raw columns.

        Raises TargetError where a step in front of the trees is opaque (HF-ATK-001), where the contract's columns
        are not what the trees read (HF-ATK-002), or where the model is too large (HF-ATK-006).
        """
        refuse_unreadable(feature_map, model.ensemble.n_features, "the trees")
        forest, grid = lift(model.ensemble, contract, feature_map.sources)
        return cls(model.ensemble, contract, feature_map, forest, grid)

    def margins(self, X: Floats) -> Floats:
        """Raw outputs (n, K), bit for bit as the model's library computes them."""
        return margins(self.ensemble, self.feature_map.apply(X))

    def scores(self, X: Floats) -> Floats:
        """Class probabilities (n, n_classes)."""
        return link(self.ensemble, self.margins(X))


def refuse_unreadable(feature_map: FeatureMap, n_features: int, reader: str) -> None:
    """Raises TargetError where contract columns do not lead to what `reader` (the trees, the net) reads."""
    if feature_map.opaque:
        raise TargetError(
            "the model cannot be attacked as a white box",
            cause="; ".join(feature_map.reasons),
            fix="test it as a black box, or use scalers, imputers and encoders that act column by column",
            code="HF-ATK-001",
        )
    if len(feature_map.sources) != n_features:
        raise TargetError(
            "the contract and the model do not read the same columns",
            cause=f"{reader} read {n_features} features; the contract leads to {len(feature_map.sources)}",
            fix="list the model's input columns under 'features', and drop the others ('drop' in holdfast.yaml)",
            code="HF-ATK-002",
        )

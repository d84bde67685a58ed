"""Every tree model as one shape: flat arrays, with the comparison exactly as its library makes it.

Reading a model gives margins equal to the library's own to float precision, because the ensemble keeps the
dtype in which values are compared and summed, the operator, the way of missing values and categorical sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.transform import Category, Transform

LEAF = -1
NUMERIC = -1
ZERO_BAND = float(np.float32(1e-35))
"""Where `zero_is_missing`, a number this near zero counts as zero (LightGBM's kZeroThreshold)."""


class Link(StrEnum):
    """How raw outputs become scores."""

    IDENTITY = "identity"
    SIGMOID = "sigmoid"
    """1 / (1 + exp(-slope * output)), each output by itself."""
    SOFTMAX = "softmax"
    MEAN = "mean"
    """Outputs are already class probabilities, averaged over trees (random forests)."""
    EXP = "exp"
    STEP = "step"
    """1 where the output is above zero, else 0 (hinge loss)."""


class CategoryMatch(StrEnum):
    """How a number becomes the code that is looked up in a category set."""

    TRUNCATE = "truncate"
    """Cut toward zero: 2.7 is 2, -0.5 is 0 (LightGBM)."""
    POSITIVE = "positive"
    """Cut toward zero, but a negative number is in no set (XGBoost)."""
    EXACT = "exact"
    """A number with a fraction is in no set (ONNX)."""


@dataclass(frozen=True)
class TreeEnsemble:
    """A sum (or mean) of binary decision trees, all nodes in one array.

    Shapes: N nodes, T trees, K outputs, W = K for vector leaves else 1. At an inner node the test decides left:
    numeric `cast(x[feature]) <op> threshold`, categorical `int(x[feature]) in set`; a missing value goes
    left where `default_left`. Readers swap children so that "test true" is always left.

    Missing is NaN; at numeric nodes also zero where `zero_is_missing`. Nodes are reachable, each from one parent.
    """

    roots: NDArray[np.int32]
    """(T,) node number of each tree's root."""
    feature: NDArray[np.int32]
    """(N,) column tested, LEAF at leaves."""
    threshold: NDArray[np.float64]
    """(N,) numeric threshold, as float64 of the value the library compares with."""
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    """(N,) children's node numbers, LEAF at leaves."""
    default_left: NDArray[np.bool_]
    """(N,) where a missing value goes."""
    category: NDArray[np.int32]
    """(N,) row of `category_sets`, NUMERIC for numeric tests."""
    category_sets: tuple[frozenset[int], ...]
    """Sets of category codes; a code in the set goes left, any other code goes right."""
    leaf: NDArray[np.float64]
    """(N, W) values at leaves, 0 elsewhere."""
    tree_output: NDArray[np.int32]
    """(T,) output a tree adds to; -1 where its leaves hold all K outputs."""
    base: NDArray[np.float64]
    """(K,) added to the outputs (margin units); the sum starts from it."""
    operator: str
    """'<' or '<='."""
    compare_dtype: str
    """'float32' or 'float64': x is cast to it before the comparison."""
    sum_dtype: str
    """'float32' or 'float64': leaves are summed in it, in tree order."""
    link: Link
    n_features: int
    n_classes: int
    """Classes told apart; 0 for a regression or ranking."""
    feature_names: tuple[str, ...] = ()
    zero_is_missing: bool = False
    scale: float = 1.0
    """Outputs are multiplied by it after summing (1/T for means, shrinkage where not folded in)."""
    source: str = ""
    """Format it was read from: xgboost-json, xgboost-ubj, lightgbm-text, sklearn-joblib, onnx."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    slope: float = 1.0
    """Factor on the output inside the sigmoid link."""
    category_match: CategoryMatch = CategoryMatch.TRUNCATE

    @property
    def n_trees(self) -> int:
        return int(self.roots.size)

    @property
    def n_outputs(self) -> int:
        return int(self.base.size)


@dataclass(frozen=True, slots=True)
class TreeModel:
    """An ensemble and what surrounds it in the artifact: the steps in front of it, its class labels."""

    ensemble: TreeEnsemble
    transforms: tuple[Transform, ...] = ()
    """Steps from the model's raw columns to the ensemble's features, in order."""
    classes: tuple[Category, ...] = ()
    """Label of each class, in the order of the scores; empty for a regression."""
    columns: tuple[str, ...] = ()
    """Names of the raw columns, where the artifact keeps them."""

    @property
    def columns_given(self) -> tuple[str, ...]:
        """The names by which the model asks for its raw columns, in its order; empty where it goes by position."""
        return self.columns or (() if self.transforms else self.ensemble.feature_names)

"""scikit-learn's HistGradientBoosting read out of a pickle's object graph.

Values are float64 and compare by `<=`. A categorical column reaches the trees as the code its own encoder gave it;
a code in the node's bit set goes left, another known code right, an unknown one the way of missing values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.assemble import MAX_FEATURES, MAX_MEMBERS, Flags, Floats, Integers, Tree, join
from holdfast.core.formats.faults import inconsistent, oversize, unsupported
from holdfast.core.formats.instances import KIND, Instance, elements, labels, node_field, numbers
from holdfast.core.formats.losses import link_of
from holdfast.core.formats.steps import steps_of
from holdfast.core.formats.trees import LEAF, NUMERIC, TreeEnsemble, TreeModel

CODES = 256
_FIELDS = {
    "value": "f",
    "feature_idx": "iu",
    "num_threshold": "f",
    "missing_go_to_left": "bu",
    "left": "iu",
    "right": "iu",
    "is_leaf": "bu",
    "is_categorical": "bu",
    "bitset_idx": "iu",
}


def read_hist(found: Instance, source: str) -> TreeModel:
    """The model in a fitted HistGradientBoosting estimator."""
    outputs = found.whole("n_trees_per_iteration_")
    n_features = found.whole("_n_features")
    if not 0 < n_features <= MAX_FEATURES:
        raise oversize(KIND, "features", n_features, MAX_FEATURES)
    classes = labels(found.get("classes_"), found.source, "classes_") if "classes_" in found.attributes else ()
    known = _known(found, n_features)
    trees = list(_trees(found, outputs, known))
    link, slope = link_of(found)
    base = found.array("_baseline_prediction", "f").astype(np.float64).ravel()
    if base.shape != (outputs,) or not np.isfinite(base).all():
        raise inconsistent(KIND, "the baseline does not fit the outputs")
    if classes and outputs != (1 if len(classes) == 2 else len(classes)):
        raise inconsistent(KIND, f"{outputs} trees per round for {len(classes)} classes")
    ensemble = TreeEnsemble(
        **join(trees, kind=KIND, n_features=n_features, n_outputs=outputs),
        base=base,
        operator="<=",
        compare_dtype="float64",
        sum_dtype="float64",
        link=link,
        n_features=n_features,
        n_classes=len(classes),
        source=source,
        slope=slope,
    )
    return TreeModel(ensemble, steps_of(found.attributes.get("_preprocessor"), found.source), classes, found.names())


def _known(found: Instance, n_features: int) -> dict[int, frozenset[int]]:
    """Codes each categorical column had at fitting time, by column as the trees number them."""
    mapper = found.child("_bin_mapper")
    flags = mapper.array("is_categorical_", "bu").astype(np.bool_)
    _, edges = elements(mapper.get("bin_thresholds_"), found.source, "_BinMapper.bin_thresholds_")
    if flags.shape != (n_features,) or len(edges) != n_features:
        raise inconsistent(KIND, "the bins do not fit the features")
    known = {}
    for column in np.flatnonzero(flags).tolist():
        codes = numbers(edges[column], found.source, "_BinMapper.bin_thresholds_", "iuf").astype(np.float64)
        if np.any((codes < 0) | (codes >= CODES) | (codes != np.trunc(codes))):
            raise inconsistent(KIND, f"a category code is not between 0 and {CODES - 1}")
        known[column] = frozenset(codes.astype(np.int64).tolist())
    return known


def _trees(found: Instance, outputs: int, known: dict[int, frozenset[int]]) -> list[Tree]:
    _, rounds = elements(found.get("_predictors"), found.source, "_predictors")
    trees, members = [], MAX_MEMBERS
    for part in rounds:
        _, predictors = elements(part, found.source, "_predictors")
        if len(predictors) != outputs:
            raise inconsistent(KIND, f"a round of {len(predictors)} trees for {outputs} outputs")
        for output, predictor in enumerate(predictors):
            tree = _tree(Instance.of(predictor, found.source), output, known)
            members -= sum(len(codes) for codes in tree.sets)
            if members < 0:
                raise oversize(KIND, "category codes in sets, or more", MAX_MEMBERS + 1, MAX_MEMBERS)
            trees.append(tree)
    return trees


def _tree(predictor: Instance, output: int, known: dict[int, frozenset[int]]) -> Tree:
    nodes = predictor.array("nodes", "V")
    names = nodes.dtype.names or ()
    if nodes.ndim != 1 or not set(_FIELDS) <= set(names):
        raise unsupported(KIND, "its trees have the layout of a scikit-learn older than 0.24")
    columns = {name: node_field(nodes, name, kinds) for name, kinds in _FIELDS.items()}
    leaf: Flags = columns["is_leaf"].astype(np.bool_)
    categorical: Flags = columns["is_categorical"].astype(np.bool_) & ~leaf
    feature: Integers = columns["feature_idx"].astype(np.int64)
    missing: Flags = columns["missing_go_to_left"].astype(np.bool_)
    category = np.full(len(nodes), NUMERIC, np.int64)
    category[categorical] = np.arange(int(categorical.sum()))
    values: Floats = columns["value"].astype(np.float64)
    return Tree(
        feature=feature,
        threshold=columns["num_threshold"].astype(np.float64),
        left=np.where(leaf, LEAF, columns["left"].astype(np.int64)),
        right=np.where(leaf, LEAF, columns["right"].astype(np.int64)),
        default_left=missing,
        leaf=np.where(leaf, values, 0.0),
        output=output,
        category=category,
        sets=_sets(predictor, columns, np.flatnonzero(categorical), known),
    )


def _sets(
    predictor: Instance, columns: dict[str, NDArray[Any]], nodes: Integers, known: dict[int, frozenset[int]]
) -> tuple[frozenset[int], ...]:
    """Codes that go left at each categorical node: those in its bit set, and unknown ones where missing does."""
    if nodes.size == 0:
        return ()
    words = predictor.array("raw_left_cat_bitsets", "u")
    if words.ndim != 2 or words.shape[1] != CODES // 32 or words.dtype.itemsize != 4:
        raise inconsistent(KIND, "the category bit sets have no known layout")
    bits = np.unpackbits(np.ascontiguousarray(words.astype("<u4")).view(np.uint8), axis=1, bitorder="little")
    rows = columns["bitset_idx"][nodes].astype(np.int64)
    features = columns["feature_idx"][nodes].astype(np.int64)
    if np.any((rows < 0) | (rows >= len(bits))) or not set(features.tolist()) <= set(known):
        raise inconsistent(KIND, "a categorical node has no bit set, or tests a numeric column")
    everything = frozenset(range(CODES))
    found = []
    for row, feature, missing in zip(rows, features, columns["missing_go_to_left"][nodes], strict=True):
        left = frozenset(np.flatnonzero(bits[row]).tolist())
        found.append(left | (everything - known[int(feature)]) if missing else left)
    return tuple(found)

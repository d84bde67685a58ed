"""XGBoost models, JSON and UBJSON, read as data.

Rules of the library kept here (checked against XGBoost 3.2): values and thresholds are float32 and compare by `<`;
leaves are float32, added in tree order onto the intercept; a category in a node's set goes right, any other,
negative or huge one goes left; dropout boosting multiplies each leaf by its tree's weight.
Schema: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.transform import Branch, Category, Columns, Opaque, Ordinal, Passthrough, Transform
from holdfast.core.formats import ubj
from holdfast.core.formats.assemble import MAX_OUTPUTS, Flags, Floats, Integers, Tree, join
from holdfast.core.formats.faults import damaged, inconsistent, not_trees, oversize, unsupported
from holdfast.core.formats.trees import LEAF, NUMERIC, CategoryMatch, Link, TreeEnsemble, TreeModel

KIND = "XGBoost"
MAX_JSON_BYTES = 512 * 2**20
MAX_JSON_TREE_BYTES = 64 * 2**20
MAX_UBJ_BYTES = 2 * 2**30
MAX_TREES = 1_000_000
MAX_CATEGORY = 2**24

_RAW = "binary:logitraw"
"""Predicts margins and keeps its intercept as one; the score that belongs to them is still a probability."""
_IDENTITY = (
    *(f"rank:{name}" for name in ("pairwise", "ndcg", "map")),
    *(f"reg:{name}" for name in ("squarederror", "linear", "squaredlogerror", "pseudohubererror")),
    *(f"reg:{name}" for name in ("absoluteerror", "quantileerror", "expectileerror")),
)
_LINKS = {
    "binary:logistic": Link.SIGMOID,
    "reg:logistic": Link.SIGMOID,
    _RAW: Link.SIGMOID,
    "binary:hinge": Link.STEP,
    **dict.fromkeys(("multi:softprob", "multi:softmax"), Link.SOFTMAX),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"), Link.EXP),
    **dict.fromkeys(_IDENTITY, Link.IDENTITY),
}

Source = TypeVar("Source")
"""What a tree is before its turn: JSON text, so that one tree at a time is spread out, or a parsed UBJSON object."""


class _TreeParam(msgspec.Struct):
    size_leaf_vector: int = 1


class _Tree(msgspec.Struct):
    """Arrays come as lists from JSON and as numpy arrays from UBJSON."""

    left_children: Any
    right_children: Any
    split_indices: Any
    split_conditions: Any
    default_left: Any
    tree_param: _TreeParam = msgspec.field(default_factory=_TreeParam)
    categories: Any = ()
    categories_nodes: Any = ()
    categories_segments: Any = ()
    categories_sizes: Any = ()
    leaf_weights: Any = ()


class _Labels(msgspec.Struct):
    """One column's categories: numbers, or the bytes of all texts with their offsets."""

    values: Any
    offsets: Any = ()


class _Categories(msgspec.Struct):
    enc: list[_Labels] = []


class _ForestParam(msgspec.Struct):
    num_parallel_tree: int = 1


class _Forest(msgspec.Struct, Generic[Source]):
    trees: list[Source] = []
    tree_info: Any = ()
    iteration_indptr: Any = ()
    gbtree_model_param: _ForestParam = msgspec.field(default_factory=_ForestParam)
    cats: _Categories = msgspec.field(default_factory=_Categories)


class _Dropped(msgspec.Struct, Generic[Source]):
    model: _Forest[Source]


class _Booster(msgspec.Struct, Generic[Source]):
    name: str
    model: _Forest[Source] | None = None
    gbtree: _Dropped[Source] | None = None
    weight_drop: Any = None


class _ModelParam(msgspec.Struct):
    base_score: str | float
    num_feature: int
    num_class: int = 0
    num_target: int = 1


class _Objective(msgspec.Struct):
    name: str


class _Learner(msgspec.Struct, Generic[Source]):
    learner_model_param: _ModelParam
    gradient_booster: _Booster[Source]
    objective: _Objective
    attributes: dict[str, str] = {}
    feature_names: list[str] | None = None


class _Document(msgspec.Struct, Generic[Source]):
    learner: _Learner[Source]


def read_json(data: bytes) -> TreeModel:
    """Read a `.json` model. FormatError where it is broken, too large, or no forest."""
    if len(data) > MAX_JSON_BYTES:
        raise oversize(KIND, "bytes of JSON (save it as .ubj)", len(data), MAX_JSON_BYTES)
    try:
        document = msgspec.json.decode(data, type=_Document[msgspec.Raw], strict=False)
        return _model(document.learner, _json_trees(document.learner), "xgboost-json")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise damaged(KIND, _reason(fault)) from fault


def read_ubj(data: bytes | memoryview, *, stop_early: bool | None = None) -> TreeModel:
    """Read a `.ubj` model, or a booster as XGBoost serialises it inside a pickle.

    `stop_early`: whether only the rounds up to the best one count; by default where the scikit-learn wrapper saved it.
    """
    if len(data) > MAX_UBJ_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_UBJ_BYTES)
    value = ubj.parse(data, KIND)
    if isinstance(value, dict) and "Model" in value:
        value = value["Model"]
    try:
        document = msgspec.convert(value, type=_Document[dict[str, Any]], strict=False)
        return _model(document.learner, _ubj_trees(document.learner), "xgboost-ubj", stop_early)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise damaged(KIND, _reason(fault)) from fault


def _reason(fault: Exception) -> str:
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)[:200]


def _json_trees(learner: _Learner[msgspec.Raw]) -> Iterator[_Tree]:
    for raw in _forest(learner).trees:
        size = len(memoryview(raw))
        if size > MAX_JSON_TREE_BYTES:
            raise oversize(KIND, "bytes of JSON in one tree", size, MAX_JSON_TREE_BYTES)
        yield msgspec.json.decode(raw, type=_Tree, strict=False)


def _ubj_trees(learner: _Learner[dict[str, Any]]) -> Iterator[_Tree]:
    for tree in _forest(learner).trees:
        yield msgspec.convert(tree, type=_Tree, strict=False)


def _forest(learner: _Learner[Source]) -> _Forest[Source]:
    booster = learner.gradient_booster
    if booster.name == "gbtree" and booster.model is not None:
        return booster.model
    if booster.name == "dart" and booster.gbtree is not None:
        return booster.gbtree.model
    raise not_trees("an XGBoost model", f"booster {booster.name[:40]!r}")


def _model(learner: _Learner[Source], trees: Iterator[_Tree], source: str, stop_early: bool | None = None) -> TreeModel:
    forest, param = _forest(learner), learner.learner_model_param
    link = _LINKS.get(learner.objective.name)
    if link is None:
        raise unsupported(KIND, f"objective {learner.objective.name[:60]!r} is not known")
    n_outputs = max(param.num_class, param.num_target, 1)
    if n_outputs > MAX_OUTPUTS:
        raise oversize(KIND, "outputs", n_outputs, MAX_OUTPUTS)
    count = len(forest.trees)
    if count > MAX_TREES:
        raise oversize(KIND, "trees", count, MAX_TREES)
    groups = _array("tree_info", forest.tree_info, "iub", count).astype(np.int64)
    weights = _weights(learner.gradient_booster, count)
    used, notes = _rounds(learner, forest, count, n_outputs, stop_early)
    parts = [_tree(next(trees), int(groups[i]), weights[i], n_outputs) for i in range(used)]
    nodes = join(parts, kind=KIND, n_features=param.num_feature, n_outputs=n_outputs)
    n_classes = _classes(learner.objective.name, n_outputs)
    ensemble = TreeEnsemble(
        **nodes,
        base=_intercept(param.base_score, Link.IDENTITY if learner.objective.name == _RAW else link, n_outputs),
        operator="<",
        compare_dtype="float32",
        sum_dtype="float32",
        link=link,
        n_features=param.num_feature,
        n_classes=n_classes,
        feature_names=_names(learner, param.num_feature),
        source=source,
        notes=notes,
        category_match=CategoryMatch.POSITIVE,
    )
    labels = tuple(float(label) for label in range(n_classes))
    return TreeModel(ensemble, _recoding(forest.cats.enc, param.num_feature), labels, ensemble.feature_names)


def _names(learner: _Learner[Source], n_features: int) -> tuple[str, ...]:
    names = tuple(learner.feature_names or ())
    if names and len(names) != n_features:
        raise inconsistent(KIND, f"{len(names)} feature names for {n_features} features")
    return names


def _classes(objective: str, n_outputs: int) -> int:
    if objective.startswith("multi:"):
        return n_outputs
    return 2 if objective.startswith("binary:") and n_outputs == 1 else 0


def _array(name: str, value: object, kinds: str, size: int | None = None) -> NDArray[Any]:
    """A flat array of numbers out of JSON or UBJSON; `kinds` are numpy's letters of what it may hold."""
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, RecursionError) as fault:
        raise inconsistent(KIND, f"'{name}' is not a list of numbers") from fault
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in kinds:
        raise inconsistent(KIND, f"'{name}' is not a list of numbers")
    if size is not None and array.size != size:
        raise inconsistent(KIND, f"'{name}' has {array.size:,} values, not {size:,}")
    return array


def _float32(name: str, value: object, size: int | None = None) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return _array(name, value, "fiu", size).astype(np.float32)


def _indices(name: str, value: object, size: int | None = None) -> Integers:
    return _array(name, value, "iu", size).astype(np.int64)


def _weights(booster: _Booster[Source], count: int) -> NDArray[np.float32]:
    if booster.name != "dart":
        return np.ones(count, np.float32)
    return _float32("weight_drop", booster.weight_drop, count)


def _rounds(
    learner: _Learner[Source], forest: _Forest[Source], count: int, n_outputs: int, stop_early: bool | None
) -> tuple[int, tuple[str, ...]]:
    """Trees that predict uses. The scikit-learn wrapper stops at the best round, a plain Booster uses all."""
    best = learner.attributes.get("best_iteration", "")
    if not best.isascii() or not best.isdigit() or len(best) > 9:
        return count, ()
    ends = _indices("iteration_indptr", forest.iteration_indptr)
    if not ends.size:
        per_round = max(1, forest.gbtree_model_param.num_parallel_tree) * n_outputs
        ends = np.arange(0, count + 1, min(per_round, count + 1), dtype=np.int64)
    stop = int(best) + 1
    if stop_early is None:
        stop_early = "scikit_learn" in learner.attributes
    if stop >= ends.size or not stop_early:
        return count, (f"early stopping found round {best} best; all rounds are used",)
    used = int(ends[stop])
    if not 0 <= used <= count:
        raise inconsistent(KIND, "'iteration_indptr' points outside the trees")
    return used, (f"early stopping: rounds 0 to {best} are used",)


def _tree(tree: _Tree, output: int, weight: np.float32, n_outputs: int) -> Tree:
    left = _indices("left_children", tree.left_children)
    size = left.size
    right = _indices("right_children", tree.right_children, size)
    values = _float32("split_conditions", tree.split_conditions, size)
    default_left = _array("default_left", tree.default_left, "iub", size).astype(np.bool_)
    leaf: Floats = np.where(left == LEAF, values * weight, np.float32(0)).astype(np.float64)
    if tree.tree_param.size_leaf_vector > 1:
        leaf, output = _vectors(tree, left, right, n_outputs) * np.float64(weight), -1
        right = np.where(left == LEAF, LEAF, right)
    category, sets = _category_sets(tree, size)
    categorical = category != NUMERIC
    return Tree(
        feature=_indices("split_indices", tree.split_indices, size),
        threshold=values.astype(np.float64),
        left=np.where(categorical, right, left),
        right=np.where(categorical, left, right),
        default_left=default_left ^ categorical,
        leaf=leaf,
        output=output,
        category=category,
        sets=sets,
    )


def _vectors(tree: _Tree, left: Integers, right: Integers, n_outputs: int) -> Floats:
    """(n, W) leaf vectors; a leaf's right child is the number of its vector."""
    width = tree.tree_param.size_leaf_vector
    flat = _float32("leaf_weights", tree.leaf_weights)
    if flat.size == 0 or width != n_outputs or flat.size % width:
        raise unsupported(KIND, "its leaves are vectors in a layout older than XGBoost 3.1")
    table = flat.reshape(-1, width).astype(np.float64)
    leaves: Flags = left == LEAF
    if np.any(leaves & ((right < 0) | (right >= len(table)))):
        raise inconsistent(KIND, "a leaf has no vector")
    return np.where(leaves[:, None], table[np.where(leaves, right, 0)], 0.0)


def _category_sets(tree: _Tree, size: int) -> tuple[Integers, tuple[frozenset[int], ...]]:
    """Row of each node's category set, and the sets, which name what goes right."""
    rows = np.full(size, NUMERIC, np.int64)
    nodes = _indices("categories_nodes", tree.categories_nodes)
    starts = _indices("categories_segments", tree.categories_segments, nodes.size)
    sizes = _indices("categories_sizes", tree.categories_sizes, nodes.size)
    codes = _indices("categories", tree.categories)
    if np.any((nodes < 0) | (nodes >= size)) or np.unique(nodes).size != nodes.size:
        raise inconsistent(KIND, "a category set belongs to no node")
    if np.any((starts < 0) | (sizes < 0) | (starts > codes.size - sizes)) or int(sizes.sum()) > codes.size:
        raise inconsistent(KIND, "a category set lies outside the list of categories")
    if np.any((codes < 0) | (codes > MAX_CATEGORY)):
        raise inconsistent(KIND, f"a category code is not between 0 and {MAX_CATEGORY:,}")
    rows[nodes] = np.arange(nodes.size)
    sets = (frozenset(codes[start : start + n].tolist()) for start, n in zip(starts, sizes, strict=True))
    return rows, tuple(sets)


def _intercept(base_score: str | float, link: Link, n_outputs: int) -> Floats:
    """The intercept in margin units, (K,): base_score is kept in the units of the prediction."""
    text = str(base_score).strip().removeprefix("[").removesuffix("]")
    try:
        values = np.array([float(part) for part in text.split(",")], np.float32)
    except (ValueError, OverflowError) as fault:
        raise inconsistent(KIND, f"base_score {text[:40]!r} is not a number") from fault
    if values.size not in (1, n_outputs):
        raise inconsistent(KIND, f"{values.size} intercepts for {n_outputs} outputs")
    margin = np.broadcast_to(_margin(values, link), (n_outputs,)).astype(np.float64)
    if not np.isfinite(margin).all():
        raise inconsistent(KIND, f"base_score {text[:40]!r} is impossible for this objective")
    return margin


def _margin(values: NDArray[np.float32], link: Link) -> NDArray[np.float32]:
    """float32 as the library; the logarithm in float64 and rounded, which is what a good logf returns."""
    with np.errstate(all="ignore"):
        if link is Link.SIGMOID:
            odds = np.float32(1) / values - np.float32(1)
            return (-np.log(odds.astype(np.float64))).astype(np.float32)
        if link is Link.EXP:
            return np.log(values.astype(np.float64)).astype(np.float32)
    return values


def _recoding(columns: Sequence[_Labels], n_features: int) -> tuple[Transform, ...]:
    """XGBoost keeps the categories of a data frame and recodes later frames to the same codes."""
    labels = [_labels(column) for column in columns]
    if all(found == tuple(float(code) for code in range(len(found))) for found in labels):
        return ()
    if len(labels) != n_features:
        raise inconsistent(KIND, f"categories of {len(labels)} columns for {n_features} features")
    if not all(text.isascii() for found in labels for text in found if isinstance(text, str)):
        # XGBoost 3.2 counts characters where it should count bytes, so these texts come cut off and shifted.
        return (Opaque("categories with letters outside ASCII"),)
    steps: Iterator[Transform] = (
        Ordinal((found,), missing_value=float("nan")) if found else Passthrough() for found in labels
    )
    return (Columns(tuple(Branch((index,), (step,)) for index, step in enumerate(steps))),)


def _labels(column: _Labels) -> tuple[Category, ...]:
    values = _array("cats", column.values, "fiub")
    offsets = _indices("offsets", column.offsets)
    if offsets.size == 0:
        return tuple(float(value) for value in values)
    if offsets[0] != 0 or offsets[-1] != values.size or np.any(np.diff(offsets) < 0) or values.dtype.kind not in "iu":
        raise inconsistent(KIND, "the texts of the categories do not fit their offsets")
    text = (values.astype(np.int64) & 0xFF).astype(np.uint8).tobytes()
    return tuple(text[a:b].decode("utf-8", "replace") for a, b in pairwise(offsets))

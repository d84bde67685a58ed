"""CatBoost models read as data: JSON, and what it has in common with the binary form (`catboost_binary`).

Rules of the library kept here (checked against CatBoost 1.2): a value is cast to float32 and goes to the set bit where
it is above the border; the bits of a symmetric tree number its leaf, the first split being the lowest bit; a category
goes to the set bit where the hash of its text is the split's; leaves are float64. Columns go by their flat index.
Splits on counters of categories (CTR) depend on tables of the training data and are refused, as are texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from holdfast.core.domain.transform import Branch, Category, Columns, Ordinal, Passthrough, Transform
from holdfast.core.formats.assemble import MAX_FEATURES, MAX_NODES, MAX_OUTPUTS, Floats, Integers, Tree, join
from holdfast.core.formats.catboost_hash import numbers_of
from holdfast.core.formats.faults import damaged, inconsistent, oversize, unsupported
from holdfast.core.formats.trees import LEAF, NUMERIC, CategoryMatch, Link, TreeEnsemble, TreeModel

KIND = "CatBoost"
MAX_JSON_BYTES = 512 * 2**20
MAX_DEPTH = 16
"""CatBoost's own limit for symmetric trees."""
MAX_SPLITS = 20_000_000
UNKNOWN = -1.0
_TO_RIGHT = "AsTrue"
_LINKS = {
    **dict.fromkeys(("Logloss", "CrossEntropy", "Focal"), Link.SIGMOID),
    "MultiClass": Link.SOFTMAX,
    "MultiClassOneVsAll": Link.SIGMOID,
    **dict.fromkeys(("RMSE", "MAE", "Quantile", "MAPE", "Huber", "Lq", "Expectile"), Link.IDENTITY),
    **dict.fromkeys(("Poisson", "Tweedie"), Link.EXP),
}


@dataclass(frozen=True, slots=True)
class Split:
    """Above `border` of a number, or a category whose text has the hash `code` (unsigned), sets the bit."""

    flat: int
    border: float = 0.0
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A tree: of `splits` by level where symmetric, else a split per inner node, with numbered children."""

    splits: tuple[Split, ...]
    leaf: Floats
    """(leaves, K), or (nodes, K) where not symmetric."""
    left: Integers | None = None
    right: Integers | None = None


@dataclass(frozen=True)
class Parts:
    """A model as either form states it."""

    shapes: Sequence[Shape]
    columns: Mapping[int, str]
    """Names of the columns by flat index, empty where they have none."""
    missing_right: frozenset[int]
    """Flat indices of numbers whose missing values count as above every border."""
    texts: Mapping[int, str]
    """Texts of category hashes, as far as the file keeps them."""
    scale: float
    bias: Floats
    loss: str
    classes: tuple[Category, ...]
    source: str
    categories: frozenset[int] = field(default_factory=frozenset)
    """Flat indices of categorical columns."""


def read_json(data: bytes) -> TreeModel:
    """Read a `.json` model. FormatError where it is broken, too large, or reads more than numbers and categories."""
    if len(data) > MAX_JSON_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_JSON_BYTES)
    try:
        return build(_Json(msgspec.json.decode(data)).parts())
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise damaged(KIND, str(fault)[:200]) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as fault:
        raise inconsistent(KIND, f"a part is absent or of another type ({str(fault)[:100]})") from None


def build(parts: Parts) -> TreeModel:
    """The ensemble. FormatError where the parts do not fit."""
    outputs = parts.bias.size
    _check(parts, outputs)
    codes = _Codes(parts)
    trees = [_tree(shape, codes, parts.missing_right, outputs) for shape in parts.shapes]
    n_features = max(parts.columns, default=-1) + 1
    link = _LINKS[parts.loss]
    names = tuple(parts.columns[flat] for flat in range(n_features))
    ensemble = TreeEnsemble(
        **join(trees, kind=KIND, n_features=n_features, n_outputs=outputs),
        base=parts.bias / parts.scale,
        operator="<=",
        compare_dtype="float32",
        sum_dtype="float64",
        link=link,
        n_features=n_features,
        n_classes=len(parts.classes),
        feature_names=names if all(names) and len(set(names)) == len(names) else (),
        scale=parts.scale,
        source=parts.source,
        category_match=CategoryMatch.POSITIVE,
    )
    return TreeModel(ensemble, codes.transforms(n_features), parts.classes, ensemble.feature_names)


def _check(parts: Parts, outputs: int) -> None:
    if parts.loss not in _LINKS:
        raise unsupported(KIND, f"its loss {parts.loss[:60]!r} has no known link")
    if not 1 <= outputs <= MAX_OUTPUTS:
        raise oversize(KIND, "outputs", outputs, MAX_OUTPUTS)
    flats = set(parts.columns)
    if flats != set(range(len(flats))) or len(flats) > MAX_FEATURES:
        raise inconsistent(KIND, "its columns are not numbered one by one")
    if not (np.isfinite(parts.scale) and parts.scale != 0 and np.isfinite(parts.bias).all()):
        raise inconsistent(KIND, "its scale or bias is not a usable number")
    count = len(parts.classes)
    if count and outputs != (1 if parts.loss in ("Logloss", "CrossEntropy", "Focal") else count):
        raise inconsistent(KIND, f"{outputs} outputs for {count} classes")
    if sum(len(shape.splits) for shape in parts.shapes) > MAX_SPLITS:
        raise oversize(KIND, "splits, or more", MAX_SPLITS + 1, MAX_SPLITS)


class _Codes:
    """Categories numbered in the order in which splits name them, per column."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        hashes: dict[int, dict[int, None]] = {}
        for shape in parts.shapes:
            for split in shape.splits:
                if split.code is not None:
                    hashes.setdefault(split.flat, {})[split.code] = None
        self._known = {flat: self._categories(tuple(codes)) for flat, codes in hashes.items()}
        self.members = {
            (flat, code): frozenset(place for place, (_, own) in enumerate(known) if own == code)
            for flat, known in self._known.items()
            for code in hashes[flat]
        }

    def _categories(self, hashes: tuple[int, ...]) -> list[tuple[Category, int]]:
        """Each category with its hash: by the file's own table, else the whole numbers whose texts have the hash."""
        texts = self._parts.texts
        if all(code in texts for code in hashes):
            named = [(texts[code], code) for code in hashes]
            if all(_is_whole(text) for text, _ in named):
                return [(float(text), code) for text, code in named]
            return list(named)
        found = numbers_of(hashes)
        absent = [code for code in hashes if code not in found]
        if absent:
            raise unsupported(
                KIND,
                "it keeps only hashes of its categories, and they are no whole numbers; save it as JSON with pool=",
            )
        return [(float(number), code) for code in hashes for number in found[code]]

    def transforms(self, n_features: int) -> tuple[Transform, ...]:
        """What turns raw columns into numbers and category positions."""
        wide = self._parts.categories
        if not wide:
            return ()
        return (Columns(tuple(Branch((flat,), self._steps(flat, flat in wide)) for flat in range(n_features))),)

    def _steps(self, flat: int, category: bool) -> tuple[Transform, ...]:
        if not category:
            return (Passthrough(),)
        known = tuple(value for value, _ in self._known.get(flat, ()))
        return (Ordinal((known,), UNKNOWN, UNKNOWN),)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit() and len(text) < 16 and str(int(text)) == text


def _tree(shape: Shape, codes: _Codes, missing_right: frozenset[int], outputs: int) -> Tree:
    if shape.left is None or shape.right is None:
        return _symmetric(shape, codes, missing_right, outputs)
    inner = shape.left != LEAF
    return _flat(shape, shape.left, shape.right, np.where(inner, np.arange(inner.size), LEAF), codes, missing_right)


def _symmetric(shape: Shape, codes: _Codes, missing_right: frozenset[int], outputs: int) -> Tree:
    """All nodes of a level share a split; the root asks for the highest bit, so that leaves come in order."""
    depth = len(shape.splits)
    if depth > MAX_DEPTH or shape.leaf.shape != (2**depth, outputs):
        raise inconsistent(KIND, f"a tree of {depth} levels with leaves of shape {shape.leaf.shape}")
    inner = 2**depth - 1
    number = np.arange(2 * inner + 1)
    level = np.frexp(number[:inner] + 1)[1] - 1
    at = np.concatenate([depth - 1 - level, np.full(inner + 1, LEAF)]).astype(np.int64)
    left = np.where(at == LEAF, LEAF, 2 * number + 1)
    leaf = np.concatenate([np.zeros((inner, outputs)), shape.leaf])
    whole = Shape(shape.splits, leaf)
    return _flat(whole, left, np.where(at == LEAF, LEAF, left + 1), at, codes, missing_right)


def _flat(
    shape: Shape, left: Integers, right: Integers, at: Integers, codes: _Codes, missing_right: frozenset[int]
) -> Tree:
    """Nodes whose split is `shape.splits[at]`. A clear bit is left; a category's set bit is, as its test is true."""
    splits = shape.splits or (Split(0),)
    flat = np.array([split.flat for split in splits], np.int64)
    border = np.array([split.border for split in splits])
    category = np.array([split.code is not None for split in splits])
    row = np.where(category, np.cumsum(category) - 1, NUMERIC)
    missing = np.array([split.code is None and split.flat not in missing_right for split in splits])
    swap = (at != LEAF) & category[at]
    single = shape.leaf.shape[1] == 1
    return Tree(
        feature=np.where(at == LEAF, LEAF, flat[at]),
        threshold=np.where(at == LEAF, 0.0, border[at]),
        left=np.where(swap, right, left),
        right=np.where(swap, left, right),
        default_left=(at != LEAF) & missing[at],
        leaf=shape.leaf[:, 0] if single else shape.leaf,
        output=0 if single else -1,
        category=np.where(at == LEAF, NUMERIC, row[at]),
        sets=tuple(codes.members[split.flat, split.code] for split in splits if split.code is not None),
    )


class _Json:
    """The document of a `.json` model."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._features = document["features_info"]
        self._floats = {f["feature_index"]: f["flat_feature_index"] for f in self._features.get("float_features", ())}
        given = self._features.get("categorical_features", ())
        self._categories = {f["feature_index"]: f["flat_feature_index"] for f in given}

    def parts(self) -> Parts:
        refuse_others(ctr=len(self._features.get("ctrs", ())), text=len(self._features.get("text_features", ())))
        scale, bias = self._document["scale_and_bias"]
        bias = np.atleast_1d(np.array(bias, np.float64))
        info = self._document["model_info"]
        loss, classes = described(info.get("params"), info.get("class_params"), bias.size)
        return Parts(
            tuple(self._shapes(bias.size)),
            {f["flat_feature_index"]: str(f.get("feature_name") or f.get("feature_id") or "") for f in self._columns()},
            frozenset(f["flat_feature_index"] for f in self._numbers() if f["nan_value_treatment"] == _TO_RIGHT),
            {int(row["hash"]) & 0xFFFFFFFF: str(row["value"]) for row in self._features.get("cat_features_hash", ())},
            float(scale),
            bias,
            loss,
            classes,
            "catboost-json",
            frozenset(self._categories.values()),
        )

    def _numbers(self) -> list[Any]:
        return list(self._features.get("float_features", ()))

    def _columns(self) -> list[Any]:
        return self._numbers() + list(self._features.get("categorical_features", ()))

    def _shapes(self, outputs: int) -> Iterator[Shape]:
        for tree in self._document.get("oblivious_trees", ()):
            leaf = np.array(tree["leaf_values"], np.float64).reshape(-1, outputs)
            yield Shape(tuple(self._split(split) for split in tree.get("splits") or ()), leaf)
        for tree in self._document.get("trees", ()):
            yield self._nested(tree, outputs)

    def _split(self, split: Any) -> Split:
        kind = split["split_type"]
        if kind == "FloatFeature":
            return Split(self._floats[split["float_feature_index"]], float(np.float32(split["border"])))
        if kind == "OneHotFeature":
            return Split(self._categories[split["cat_feature_index"]], code=int(split["value"]) & 0xFFFFFFFF)
        refuse_others(ctr=1)
        raise inconsistent(KIND, "an unknown kind of split")

    def _nested(self, root: Any, outputs: int) -> Shape:
        """A tree of nodes within nodes, numbered as they are met."""
        splits: list[Split] = []
        leaves: list[list[float]] = []
        left: list[int] = []
        right: list[int] = []
        pending: list[tuple[Any, list[int] | None, int]] = [(root, None, 0)]
        while pending:
            node, side, parent = pending.pop()
            number = len(left)
            if number > MAX_NODES:
                raise oversize(KIND, "nodes, or more", MAX_NODES + 1, MAX_NODES)
            if side is not None:
                side[parent] = number
            left.append(LEAF)
            right.append(LEAF)
            inner = "split" in node
            splits.append(self._split(node["split"]) if inner else Split(0))
            leaves.append([0.0] * outputs if inner else np.atleast_1d(np.array(node["value"], np.float64)).tolist())
            if inner:
                pending += [(node["right"], right, number), (node["left"], left, number)]
        return Shape(tuple(splits), np.array(leaves).reshape(-1, outputs), np.array(left), np.array(right))


def refuse_others(*, ctr: int = 0, text: int = 0) -> None:
    """FormatError where the model reads what has no flat-tree form."""
    if ctr:
        raise unsupported(
            KIND, "it splits on counters of categories (CTR); train with one_hot_max_size at least their number"
        )
    if text:
        raise unsupported(KIND, "it reads texts or embeddings")


def described(params: Any, classes: Any, outputs: int) -> tuple[str, tuple[Category, ...]]:
    """The loss the model was trained with, and its classes (none for a regression)."""
    loss = str(params["loss_function"]["type"])
    if _LINKS.get(loss) in (Link.IDENTITY, Link.EXP):
        return loss, ()
    names = (classes or {}).get("class_names") or ()
    known = tuple(name if isinstance(name, str) else float(name) for name in names)
    return loss, known or tuple(float(number) for number in range(max(outputs, 2)))

"""LightGBM text models read as data.

Rules of the library kept here (checked against LightGBM 4.7): values are float64 and compare by `<=`; leaves are
float64, shrinkage folded in, added in tree order; predict turns every value within 1e-35 of zero into zero before
any comparison; what a missing value does is a property of the node; a missing category always goes right.
Format: `Tree::ToString` and `GBDT::SaveModelToString` of the library.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from holdfast.core.domain.transform import Branch, Category, Columns, Opaque, Ordinal, Passthrough, Transform
from holdfast.core.formats.assemble import MAX_FEATURES, MAX_MEMBERS, MAX_OUTPUTS, Flags, Floats, Integers, Tree, join
from holdfast.core.formats.faults import damaged, inconsistent, oversize, unsupported
from holdfast.core.formats.trees import LEAF, NUMERIC, ZERO_BAND, Link, TreeEnsemble, TreeModel

KIND = "LightGBM"
MAX_TEXT_BYTES = 2**30
MAX_TREES = 1_000_000
MAX_TREE_LINES = 22
"""As many as LightGBM looks at: what follows would be read here and not there."""

MAX_SPACES = 64
"""Between and around numbers, beside two for each."""

_TREE = b"Tree="
_END = b"end of trees"
_OF_NUMBERS = b"0123456789eE+-. "
"""What finite numbers and the spaces between them are written with."""
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NONE, _ZERO, _NAN = 0, 1, 2
"""Missing types: a NaN counts as zero; zero and NaN are missing; NaN is missing."""

_LINKS = {
    "binary": Link.SIGMOID,
    "multiclassova": Link.SIGMOID,
    "cross_entropy": Link.SIGMOID,
    "multiclass": Link.SOFTMAX,
    **dict.fromkeys(("poisson", "gamma", "tweedie"), Link.EXP),
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), Link.IDENTITY),
    **dict.fromkeys(("lambdarank", "rank_xendcg", "custom", ""), Link.IDENTITY),
}


@dataclass(frozen=True, slots=True)
class _Objective:
    link: Link
    n_classes: int
    slope: float


def read_text(data: bytes, rounds: int | None = None) -> TreeModel:
    """Read a text model; of its boosting rounds only the first `rounds`. FormatError where it is broken."""
    if len(data) > MAX_TEXT_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_TEXT_BYTES)
    header, body = _header(data)
    per_round = _whole(header, "num_tree_per_iteration", 1, MAX_OUTPUTS)
    n_features = _whole(header, "max_feature_idx", -1, MAX_FEATURES) + 1
    blocks = _blocks(data, body, header.get("tree_sizes"))
    if rounds is not None and rounds > 0:
        blocks = blocks[: rounds * per_round]
    missing = _Missing()
    members = _Budget()
    trees = [_tree(block, index, index % per_round, missing, members) for index, block in enumerate(blocks)]
    objective = _objective(header, per_round)
    names = _names(header, n_features)
    ensemble = TreeEnsemble(
        **join(trees, kind=KIND, n_features=n_features, n_outputs=per_round),
        base=np.zeros(per_round),
        operator="<=",
        compare_dtype="float64",
        sum_dtype="float64",
        link=objective.link,
        n_features=n_features,
        n_classes=objective.n_classes,
        feature_names=names,
        zero_is_missing=missing.zero,
        scale=1.0 / max(1, len(trees) // per_round) if "average_output" in header else 1.0,
        source="lightgbm-text",
        slope=objective.slope,
    )
    labels = tuple(float(label) for label in range(objective.n_classes))
    return TreeModel(ensemble, _recoding(data, n_features), labels, names)


def _header(data: bytes) -> tuple[dict[str, bytes], int]:
    """The keys above the first tree, and where that tree (or the end of trees) begins."""
    found: dict[str, bytes] = {}
    offset = 0
    if data[:4] != b"tree":
        raise damaged(KIND, "the text does not begin with 'tree'")
    while offset < len(data):
        line, end = _line(data, offset)
        if line.startswith((_TREE, _END)):
            return found, offset
        key, _, value = line.partition(b"=")
        name = key.decode("ascii", "replace")
        if name and name in found:
            raise inconsistent(KIND, f"the key {name[:40]!r} appears twice")
        if name:
            found[name] = value
        if len(found) > 100:
            raise damaged(KIND, "its head has more than 100 keys")
        offset = end
    raise damaged(KIND, "the text ends before the first tree")


def _line(data: bytes, offset: int) -> tuple[bytes, int]:
    end = data.find(b"\n", offset)
    stop = len(data) if end < 0 else end
    return data[offset:stop].rstrip(b"\r"), stop + 1


def _blocks(data: bytes, offset: int, sizes: bytes | None) -> list[bytes]:
    """The text of each tree. LightGBM jumps by `tree_sizes`; a file that says two things is refused."""
    end = data.find(b"\n" + _END, max(0, offset - 1))
    if end < 0:
        raise damaged(KIND, "'end of trees' is missing: the file was cut off")
    text = data[offset : end + 1]
    starts = [match.start() for match in re.finditer(rb"^Tree=", text, re.MULTILINE)]
    if len(starts) > MAX_TREES:
        raise oversize(KIND, "trees", len(starts), MAX_TREES)
    if starts and starts[0] != 0:
        raise damaged(KIND, "text lies between the head and the first tree")
    edges = [*starts, len(text)]
    if sizes is not None and _integers("tree_sizes", sizes).tolist() != np.diff(edges).tolist():
        raise inconsistent(KIND, "'tree_sizes' does not match the trees in the file")
    return [text[start:stop] for start, stop in pairwise(edges)]


def _fields(block: bytes, index: int) -> dict[str, bytes]:
    lines = [line.rstrip(b"\r") for line in block.rstrip(b"\r\n").split(b"\n")]
    if lines[0] != _TREE + str(index).encode():
        raise inconsistent(KIND, f"tree {index} is not where it should be")
    if len(lines) - 1 > MAX_TREE_LINES:
        raise damaged(KIND, f"tree {index} has more than {MAX_TREE_LINES} lines")
    found: dict[str, bytes] = {}
    for line in lines[1:]:
        key, equals, value = line.partition(b"=")
        name = key.decode("ascii", "replace")
        if not equals or name in found:
            raise damaged(KIND, f"tree {index} has a line that is no 'key=value', or a key twice")
        found[name] = value
    return found


def _numbers(name: str, text: bytes, size: int | None, *, infinite: bool = False) -> Floats:
    if text.translate(None, _OF_NUMBERS).replace(b"inf", b""):
        raise inconsistent(KIND, f"'{name}' holds something else than numbers")
    if size is not None and text.count(b" ") > 2 * size + MAX_SPACES:
        raise inconsistent(KIND, f"'{name}' has more than {size:,} values")
    try:
        array = np.array([float(part) for part in text.split()], np.float64)
    except ValueError as fault:
        raise inconsistent(KIND, f"'{name}' holds something else than numbers") from fault
    if size is not None and array.size != size:
        raise inconsistent(KIND, f"'{name}' has {array.size:,} values, not {size:,}")
    if not infinite and not np.isfinite(array).all():
        raise inconsistent(KIND, f"'{name}' holds a number that is not finite")
    return array


def _integers(name: str, text: bytes, size: int | None = None) -> Integers:
    array = _numbers(name, text, size)
    if np.any(array != np.trunc(array)) or np.any(np.abs(array) > 2**48):
        raise inconsistent(KIND, f"'{name}' holds something else than whole numbers")
    return array.astype(np.int64)


def _field(fields: dict[str, bytes], name: str) -> bytes:
    if name not in fields:
        raise damaged(KIND, f"'{name}' is missing")
    return fields[name]


def _whole(fields: dict[str, bytes], name: str, low: int, high: int) -> int:
    number = int(_integers(name, _field(fields, name), 1)[0])
    if number > high:
        raise oversize(KIND, f"as '{name}'", number, high)
    if number < low:
        raise inconsistent(KIND, f"'{name}' is {number}")
    return number


@dataclass(slots=True)
class _Missing:
    """What the nodes seen so far take as missing."""

    zero: bool = False
    nan: bool = False

    def see(self, kinds: Integers) -> None:
        if np.any(kinds > _NAN):
            raise inconsistent(KIND, "a decision has an unknown way of missing values")
        self.zero |= bool(np.any(kinds == _ZERO))
        self.nan |= bool(np.any(kinds == _NAN))
        if self.zero and self.nan:
            raise unsupported(KIND, "zero is missing for some of its columns, and a value for others")


@dataclass(slots=True)
class _Budget:
    """Category codes that may still be spread out."""

    left: int = MAX_MEMBERS

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise oversize(KIND, "category codes in sets, or more", MAX_MEMBERS + 1, MAX_MEMBERS)


def _tree(block: bytes, index: int, output: int, missing: _Missing, members: _Budget) -> Tree:
    """LightGBM numbers inner nodes 0.. and leaves ~0..; here leaves follow the inner nodes."""
    fields = _fields(block, index)
    if fields.get("is_linear", b"0").strip() not in (b"0", b""):
        raise unsupported(KIND, "its leaves hold linear models (linear_tree)")
    n_leaves = _whole(fields, "num_leaves", 1, len(block))
    inner = n_leaves - 1
    values = _numbers("leaf_value", _field(fields, "leaf_value"), n_leaves)
    if inner == 0:
        return Tree.of_one_leaf(float(values[0]), output)
    decisions = _integers("decision_type", fields.get("decision_type", b"0 " * inner), inner)
    categorical = (decisions & _CATEGORICAL) != 0
    kinds = np.where(categorical, _NONE, (decisions >> 2) & 3)
    missing.see(kinds[~categorical])
    # A split between missing and everything else has the threshold "inf".
    thresholds = _numbers("threshold", _field(fields, "threshold"), inner, infinite=True)
    flushed = _flush(thresholds)
    default_left = np.where(kinds == _NONE, flushed >= 0.0, (decisions & _DEFAULT_LEFT) != 0) & ~categorical
    leaf = np.concatenate((np.zeros(inner), values))
    return Tree(
        feature=_pad(_integers("split_feature", _field(fields, "split_feature"), inner), n_leaves, LEAF),
        threshold=np.concatenate((flushed, np.zeros(n_leaves))),
        left=_child(fields, "left_child", inner),
        right=_child(fields, "right_child", inner),
        default_left=np.concatenate((default_left, np.zeros(n_leaves, np.bool_))),
        leaf=leaf,
        output=output,
        category=_pad(_category_rows(thresholds, categorical), n_leaves, NUMERIC),
        sets=_category_sets(fields, members) if categorical.any() else (),
    )


def _pad(array: Integers, count: int, value: int) -> Integers:
    return np.concatenate((array, np.full(count, value, np.int64)))


def _child(fields: dict[str, bytes], name: str, inner: int) -> Integers:
    """~leaf becomes the node inner + leaf; what is out of range stays so and is refused later."""
    child = _integers(name, _field(fields, name), inner)
    if np.any(child >= inner):
        raise inconsistent(KIND, f"'{name}' points outside its tree")
    return _pad(np.where(child < 0, inner - child - 1, child), inner + 1, LEAF)


def _flush(threshold: Floats) -> Floats:
    """Thresholds that decide on a value as the library does after it turned values near zero into zero."""
    below = (threshold >= -ZERO_BAND) & (threshold < 0)
    above = (threshold >= 0) & (threshold < ZERO_BAND)
    return np.where(below, np.nextafter(-ZERO_BAND, -np.inf), np.where(above, ZERO_BAND, threshold))


def _category_rows(threshold: Floats, categorical: Flags) -> Integers:
    """The threshold of a categorical node is the number of its set."""
    rows = np.where(categorical, threshold, NUMERIC)
    if np.any(rows != np.trunc(rows)) or np.any(np.abs(rows) > 2**31) or np.any(categorical & (rows < 0)):
        raise inconsistent(KIND, "a categorical decision names no category set")
    return rows.astype(np.int64)


def _category_sets(fields: dict[str, bytes], members: _Budget) -> tuple[frozenset[int], ...]:
    """Bit sets of 32-bit words, one after another, cut at `cat_boundaries`."""
    words = _integers("cat_threshold", _field(fields, "cat_threshold"))
    edges = _integers("cat_boundaries", _field(fields, "cat_boundaries"))
    if edges.size < 2 or edges[0] != 0 or edges[-1] != words.size or np.any(np.diff(edges) < 0):
        raise inconsistent(KIND, "'cat_boundaries' does not cut up 'cat_threshold'")
    if np.any((words < 0) | (words >= 2**32)):
        raise inconsistent(KIND, "a category word has more than 32 bits")
    members.take(int(np.bitwise_count(words).sum()))
    table = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    spans = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return tuple(frozenset(np.flatnonzero(table[a * 32 : b * 32]).tolist()) for a, b in spans)


def _objective(header: dict[str, bytes], per_round: int) -> _Objective:
    name, *options = header.get("objective", b"").decode("ascii", "replace").split() or [""]
    if name not in _LINKS or "sqrt" in options:
        raise unsupported(KIND, f"objective {' '.join([name, *options])[:60]!r} has no known link")
    values = dict(option.partition(":")[::2] for option in options)
    slope = _numbers("sigmoid", values.get("sigmoid", "1").encode("ascii", "replace"), 1)[0]
    if not slope > 0:
        raise inconsistent(KIND, "the sigmoid parameter is not positive")
    if name in ("binary", "cross_entropy"):
        return _Objective(Link.SIGMOID, 2, float(slope))
    n_classes = per_round if name.startswith("multiclass") else 0
    return _Objective(_LINKS[name], n_classes, float(slope) if name == "multiclassova" else 1.0)


def _names(header: dict[str, bytes], n_features: int) -> tuple[str, ...]:
    names = tuple(header.get("feature_names", b"").decode("utf-8", "replace").split(" "))
    if len(names) != n_features:
        raise inconsistent(KIND, f"{len(names)} feature names for {n_features} features")
    return names


def _recoding(data: bytes, n_features: int) -> tuple[Transform, ...]:
    """LightGBM keeps the categories of a data frame in its last line, and recodes later frames to them."""
    found = _pandas_categories(data)
    if all(labels == tuple(float(code) for code in range(len(labels))) for labels in found):
        return ()
    columns = _categorical_features(data)
    if len(columns) != len(found) or any(column >= n_features for column in columns):
        return (Opaque("categories of a data frame, columns unknown"),)
    ordinal = {
        column: Ordinal((labels,), unknown_value=float("nan"), missing_value=float("nan"))
        for column, labels in zip(columns, found, strict=True)
    }
    branches = (Branch((column,), (ordinal.get(column, Passthrough()),)) for column in range(n_features))
    return (Columns(tuple(branches)),)


def _pandas_categories(data: bytes) -> list[tuple[Category, ...]]:
    start = data.rfind(b"\npandas_categorical:")
    if start < 0:
        return []
    try:
        value = json.loads(_line(data, start + 1)[0].partition(b":")[2])
    except (ValueError, RecursionError) as fault:
        raise damaged(KIND, "'pandas_categorical' is not JSON") from fault
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(labels, list) for labels in value):
        raise damaged(KIND, "'pandas_categorical' is not a list of lists")
    return [tuple(_label(label) for label in labels) for labels in value]


def _label(label: object) -> Category:
    if isinstance(label, int | float):
        try:
            return float(label)
        except OverflowError as fault:
            raise inconsistent(KIND, "a category is a number without bounds") from fault
    return label if isinstance(label, str) else str(label)


def _categorical_features(data: bytes) -> list[int]:
    match = re.search(rb"^\[categorical_feature: ([0-9,]*)\]\r?$", data, re.MULTILINE)
    if match is None:
        return []
    return sorted(int(part) for part in match.group(1).split(b",") if 0 < len(part) < 10)

"""CatBoost's binary form, `.cbm`: a magic, a length and one flatbuffer.

Source: CatBoost's model.fbs and features.fbs (TModelCore, TModelTrees); field numbers are the order in them. Splits are
numbered over all columns: borders of numbers first, then categories, then counters.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.transform import Category
from holdfast.core.formats.assemble import MAX_OUTPUTS, Floats, Integers
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.catboost import KIND, MAX_SPLITS, Parts, Shape, Split, build, described, refuse_others
from holdfast.core.formats.faults import damaged, inconsistent, oversize, unsupported
from holdfast.core.formats.flatbuffer import Table
from holdfast.core.formats.trees import LEAF, TreeModel

MAX_BYTES: Final = 2 * 2**30
_VERSION: Final = "FlabuffersModel_v1"
_TREES, _INFO, _PARTS = 1, 2, 3
_OUTPUTS, _SPLITS, _SIZES, _CATEGORIES, _NUMBERS, _ONE_HOT, _CTR = 0, 1, 2, 4, 5, 6, 7
_LEAF, _STEPS, _LEAF_OF = 8, 10, 11
_TEXTS, _ESTIMATED, _SCALE, _BIAS, _BIASES = 12, 13, 14, 15, 16
_AS_TRUE: Final = 2


def read_cbm(data: Any) -> TreeModel:
    """Read a `.cbm` model from bytes or a memory map. FormatError where it is broken or not of numbers alone."""
    if len(data) > MAX_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_BYTES)
    try:
        window = Window.whole(data)
        size = int.from_bytes(window.part(4, 4).read(0, 4), "little")
        return build(_parts(Table.root(window.part(8, size))))
    except Fault as fault:
        if fault.kind == "budget":
            raise oversize(KIND, fault.why, len(data), MAX_BYTES) from None
        raise damaged(KIND, f"{fault.why} (offset {fault.offset:,})") from None
    except (KeyError, TypeError, ValueError, RecursionError) as fault:
        raise inconsistent(KIND, f"a part is absent or of another type ({str(fault)[:100]})") from None


def _parts(core: Table) -> Parts:
    trees = core.table(_TREES)
    if core.text(0) != _VERSION:
        raise unsupported(KIND, "it is of another version")
    if trees is None:
        raise inconsistent(KIND, "it has no trees")
    refuse_others(ctr=len(trees.tables(_CTR)), text=len(trees.tables(_TEXTS)) + len(trees.tables(_ESTIMATED)))
    if core.texts(_PARTS):
        raise unsupported(KIND, "it has further parts behind its trees")
    bias = _bias(trees)
    loss, classes = _described(core, bias.size)
    numbers, categories = trees.tables(_NUMBERS), trees.tables(_CATEGORIES)
    columns = {number.integer(2, -1): number.text(4) for number in numbers}
    columns |= {category.integer(1, -1): category.text(2) for category in categories}
    return Parts(
        tuple(_shapes(trees, _numbered(trees), bias.size)),
        columns,
        frozenset(number.integer(2, -1) for number in numbers if number.integer(5, 0, 1) == _AS_TRUE),
        {},
        trees.double(_SCALE, 1.0),
        bias,
        loss,
        classes,
        "catboost-cbm",
        frozenset(category.integer(1, -1) for category in categories),
    )


def _bias(trees: Table) -> Floats:
    outputs = trees.integer(_OUTPUTS, 1)
    if not 1 <= outputs <= MAX_OUTPUTS:
        raise oversize(KIND, "outputs", outputs, MAX_OUTPUTS)
    several = trees.array(_BIASES, "<f8").astype(np.float64)
    if several.size == outputs:
        return several
    if several.size:
        raise inconsistent(KIND, f"{several.size} biases for {outputs} outputs")
    return np.full(outputs, trees.double(_BIAS, 0.0))


def _described(core: Table, outputs: int) -> tuple[str, tuple[Category, ...]]:
    info = {entry.text(0): entry.text(1) for entry in core.tables(_INFO)}
    return described(json.loads(info.get("params", "")), json.loads(info.get("class_params", "null")), outputs)


def _numbered(trees: Table) -> list[Split]:
    """Every split of the model, by its number."""
    found = [
        Split(column.integer(2, -1), float(border))
        for column in trees.tables(_NUMBERS)
        for border in column.array(3, "<f4")
    ]
    flats = {column.integer(0, -1): column.integer(1, -1) for column in trees.tables(_CATEGORIES)}
    found += [
        Split(flats[one_hot.integer(0, -1)], code=int(value) & 0xFFFFFFFF)
        for one_hot in trees.tables(_ONE_HOT)
        for value in one_hot.array(1, "<i4")
    ]
    return found


def _shapes(trees: Table, splits: list[Split], outputs: int) -> list[Shape]:
    numbers, sizes = trees.array(_SPLITS, "<i4"), trees.array(_SIZES, "<i4").astype(np.int64)
    leaf = trees.array(_LEAF, "<f8").astype(np.float64)
    if np.any((numbers < 0) | (numbers >= len(splits))) or np.any(sizes < 0) or sizes.sum() != numbers.size:
        raise inconsistent(KIND, "its trees do not fit its splits")
    if numbers.size > MAX_SPLITS:
        raise oversize(KIND, "splits", numbers.size, MAX_SPLITS)
    bounds = list(pairwise(np.concatenate(([0], np.cumsum(sizes))).tolist()))
    if trees.array(_STEPS, "<u4").size:
        return _nested(trees, [splits[number] for number in numbers.tolist()], leaf, bounds, outputs)
    if sizes.max(initial=0) > 16:
        raise inconsistent(KIND, "a symmetric tree of more than 16 levels")
    ends = np.concatenate(([0], np.cumsum(2**sizes))) * outputs
    if ends[-1] != leaf.size:
        raise inconsistent(KIND, f"{leaf.size} leaf values where its trees have {ends[-1]}")
    return [
        Shape(
            tuple(splits[number] for number in numbers[start:end].tolist()),
            leaf[ends[tree] : ends[tree + 1]].reshape(-1, outputs),
        )
        for tree, (start, end) in enumerate(bounds)
    ]


def _nested(
    trees: Table, splits: list[Split], leaf: Floats, bounds: list[tuple[int, int]], outputs: int
) -> list[Shape]:
    """A step of 0 ends at the node's own leaf; leaves are numbered by their first value."""
    steps = trees.array(_STEPS, "<u4").view("<u2").reshape(-1, 2).astype(np.int64)
    leaf_of = trees.array(_LEAF_OF, "<u4").astype(np.int64)
    if len(steps) != len(splits) or leaf_of.size != len(splits):
        raise inconsistent(KIND, "its nodes have steps or leaves of another number")
    return [
        _steps(tuple(splits[start:end]), steps[start:end], leaf_of[start:end], leaf, outputs) for start, end in bounds
    ]


def _steps(splits: tuple[Split, ...], steps: NDArray[Any], leaf_of: Integers, values: Floats, outputs: int) -> Shape:
    """Nodes where both steps are 0 are leaves; where one is, that side gets a leaf of its own behind the others."""
    size, inner = len(splits), (steps != 0).any(axis=1)
    number = np.arange(size)
    children = np.where(steps != 0, number[:, None] + steps, LEAF)
    half = np.argwhere(inner[:, None] & (steps == 0))
    children[half[:, 0], half[:, 1]] = size + np.arange(len(half))
    owner = np.concatenate([leaf_of, leaf_of[half[:, 0]]])
    ends = np.concatenate([~inner, np.ones(len(half), np.bool_)])
    place = np.where(ends, owner, 0)
    if np.any(place + outputs > values.size):
        raise inconsistent(KIND, "a node names a leaf that does not exist")
    cells = place[:, None] + np.arange(outputs)
    more = np.full((len(half), 2), LEAF)
    children = np.concatenate([np.where(inner[:, None], children, LEAF), more])
    leaf = np.where(ends[:, None], values[cells], 0.0)
    return Shape(splits + (Split(0),) * len(half), leaf, children[:, 0], children[:, 1])

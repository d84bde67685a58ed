"""What an XGBoost file tells of its training without saying it.

A file keeps no settings, but each node keeps its sum of second derivatives H and its own weight w, and each leaf its
value v = rate * w. Of a node with two leaves, G = -w (H + l2) is the sum of the leaves' G = -v (H + l2) / rate, so
rate * w * H + rate * l2 * w - l2 * (v_l + v_r) = v_l * H_l + v_r * H_r: one linear equation for each such node, from
which the rate and l2 follow to float precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.core.errors import FormatError
from holdfast.core.formats import ubj
from holdfast.core.formats.buffers import open_buffer

Floats = NDArray[np.float64]
Equations = tuple[Floats, Floats]
MAX_JSON_BYTES = 512 * 2**20
SAMPLED_TREES = 50
"""Trees from which the rate is read; they give thousands of equations."""
_TOLERANCE = 1e-3
"""Relative error of the fit above which what was found is not believed (dropout, linear leaves, other rules)."""


class _Tree(msgspec.Struct):
    left_children: Any
    right_children: Any
    split_conditions: Any
    base_weights: Any
    sum_hessian: Any


class _Forest(msgspec.Struct):
    trees: list[msgspec.Raw | Any] = []


class _Booster(msgspec.Struct):
    name: str
    model: _Forest


class _Learner(msgspec.Struct):
    gradient_booster: _Booster


class _Document(msgspec.Struct):
    learner: _Learner


def read_growth(path: Path) -> dict[str, float | bool | None]:
    """`rate`, `l2` and `min_weight` of the booster in `path`, JSON or UBJSON; empty where it does not tell."""
    try:
        trees = [tree for _, tree in zip(range(SAMPLED_TREES), _trees(path), strict=False)]
    except (FormatError, msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        return {}
    return _solved(trees)


def _trees(path: Path) -> Iterator[_Tree]:
    with open_buffer(path) as data:
        if len(data) > MAX_JSON_BYTES:
            return
        value: Any = (
            msgspec.json.decode(bytes(data)) if bytes(data[:2]) in (b'{"', b"{\n") else ubj.parse(memoryview(data))
        )
    document = msgspec.convert(value, type=_Document, strict=False)
    for tree in document.learner.gradient_booster.model.trees[:SAMPLED_TREES]:
        yield msgspec.convert(tree, type=_Tree, strict=False)


def _solved(trees: list[_Tree]) -> dict[str, float | bool | None]:
    parts = [part for tree in trees if (part := _equations(tree)) is not None]
    if not parts:
        return {}
    left, right = np.concatenate([a for a, _ in parts]), np.concatenate([b for _, b in parts])
    if len(left) < 3 or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return {}
    found, *_ = np.linalg.lstsq(left, right, rcond=None)
    error = float(np.abs(left @ found - right).mean()) / max(float(np.abs(right).mean()), 1e-12)
    if error > _TOLERANCE or not 0 < found[0] <= 1:
        return {}
    least = min(_least_leaf(tree) for tree in trees)
    return {
        "rate": round(float(found[0]), 5),
        "l2": max(0.0, round(float(found[1] / found[0]), 3)),
        # No leaf is lighter than the bound. Of many leaves the lightest is close above it.
        "min_weight": least * 0.99 if np.isfinite(least) else None,
    }


def _equations(tree: _Tree) -> Equations | None:
    left, right = np.asarray(tree.left_children, np.int64), np.asarray(tree.right_children, np.int64)
    value, weight, total = (
        np.asarray(column, np.float64) for column in (tree.split_conditions, tree.base_weights, tree.sum_hessian)
    )
    n = left.size
    if not all(array.shape == (n,) for array in (right, value, weight, total)):
        return None
    inner = np.flatnonzero(left >= 0)
    if not inner.size or max(left.max(), right.max()) >= n or right[inner].min() < 0:
        return None
    both = inner[(left[left[inner]] < 0) & (left[right[inner]] < 0)]
    a, b = left[both], right[both]
    terms = np.stack([weight[both] * total[both], weight[both], -(value[a] + value[b])], axis=1)
    return terms, value[a] * total[a] + value[b] * total[b]


def _least_leaf(tree: _Tree) -> float:
    """The lightest leaf of a tree that was split; infinite of a stump."""
    left, total = np.asarray(tree.left_children, np.int64), np.asarray(tree.sum_hessian, np.float64)
    return float(total[left < 0].min()) if left.size > 1 and total.shape == left.shape else float("inf")

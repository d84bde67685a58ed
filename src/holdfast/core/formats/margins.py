"""What a TreeEnsemble answers: margins and scores, computed as its library computes them.

All trees descend together, level by level, over a chunk of rows; leaves are then added in tree order in the
library's own dtype, because float addition in another order gives other last bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from holdfast.core.formats.faults import misfit
from holdfast.core.formats.trees import LEAF, NUMERIC, ZERO_BAND, CategoryMatch, Link, TreeEnsemble

CHUNK_CELLS = 1_000_000
"""Row-tree pairs in flight at once: bounds memory, and stays inside the processor's caches."""


def margins(ensemble: TreeEnsemble, X: ArrayLike) -> NDArray[np.float64]:
    """Raw outputs (n, K) for rows `X` (n, n_features). FormatError HF-FMT-015 where X does not fit."""
    rows = _matrix(ensemble, X)
    walker = _Walker(ensemble)
    out = np.empty((len(rows), ensemble.n_outputs))
    step = max(1, CHUNK_CELLS // max(1, ensemble.n_trees))
    for start in range(0, len(rows), step):
        chunk = rows[start : start + step]
        out[start : start + step] = _sum(ensemble, walker.leaves(chunk))
    return out


def leaves(ensemble: TreeEnsemble, X: ArrayLike) -> NDArray[np.int32]:
    """Node number of the leaf that each row ends in, (n, T)."""
    rows = _matrix(ensemble, X)
    walker = _Walker(ensemble)
    step = max(1, CHUNK_CELLS // max(1, ensemble.n_trees))
    parts = [walker.leaves(rows[start : start + step]) for start in range(0, len(rows), step)]
    return np.concatenate(parts).astype(np.int32) if parts else np.zeros((0, ensemble.n_trees), np.int32)


def decisions(ensemble: TreeEnsemble, nodes: NDArray[np.int64], values: ArrayLike) -> NDArray[np.bool_]:
    """Whether each of `values` (m,) goes left at its inner node of `nodes` (m,)."""
    walker = _Walker(ensemble)
    return walker.goes_left(nodes, np.asarray(values, dtype=np.float64))


def scores(ensemble: TreeEnsemble, X: ArrayLike) -> NDArray[np.float64]:
    """Class probabilities (n, n_classes), or predictions (n, K) of a regression."""
    return link(ensemble, margins(ensemble, X))


def link(ensemble: TreeEnsemble, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores for margins `raw` (n, K); a binary classifier's one output becomes two columns."""
    answer = _link(ensemble, raw)
    if ensemble.n_classes != 2 or ensemble.n_outputs != 1:
        return answer
    # Where no link makes a probability, the other class's score is the opposite (ONNX).
    return np.hstack((-answer if ensemble.link is Link.IDENTITY else 1.0 - answer, answer))


def _link(ensemble: TreeEnsemble, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    match ensemble.link:
        case Link.SIGMOID:
            return sigmoid(ensemble.slope * raw)
        case Link.SOFTMAX:
            shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        case Link.EXP:
            with np.errstate(over="ignore"):
                return np.exp(raw)
        case Link.STEP:
            return np.where(raw > 0.0, 1.0, 0.0)
        case _:
            return raw


def sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-raw)) without overflow."""
    small = np.exp(-np.abs(raw))
    return np.where(raw >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def _matrix(ensemble: TreeEnsemble, X: ArrayLike) -> NDArray[np.float64]:
    try:
        rows = np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as fault:
        raise misfit(f"a value is not a number: {fault}") from fault
    if rows.ndim != 2 or rows.shape[1] != ensemble.n_features:
        raise misfit(f"the matrix has shape {rows.shape}; the model reads {ensemble.n_features} columns")
    return rows


def _sum(ensemble: TreeEnsemble, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Add the leaves `ends` (n, T) in tree order."""
    dtype = np.dtype(ensemble.sum_dtype)
    total = np.repeat(ensemble.base.astype(dtype)[None, :], len(ends), axis=0)
    values = ensemble.leaf.astype(dtype)
    for tree, output in enumerate(ensemble.tree_output):
        if output < 0:
            total += values[ends[:, tree]]
        else:
            total[:, output] += values[ends[:, tree], 0]
    return _rescale(total.astype(np.float64), ensemble.scale)


def _rescale(total: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Libraries divide by a count; multiplying by its inverse would differ in the last bit."""
    if scale == 1.0:
        return total
    count = round(1.0 / scale) if scale > 0 else 0
    if count and 1.0 / count == scale:
        return np.asarray(total / count)
    return np.asarray(total * scale)


class _Walker:
    """An ensemble's arrays in the form in which rows descend."""

    def __init__(self, ensemble: TreeEnsemble) -> None:
        self._trees = ensemble
        self._compare = np.less if ensemble.operator == "<" else np.less_equal
        # Casting x down and up again decides as float32 < float32 does, and as float32 <= float64 (scikit-learn).
        self._narrow = ensemble.compare_dtype == "float32"
        self._codes = _Codes(ensemble) if (ensemble.category != NUMERIC).any() else None

    def leaves(self, rows: NDArray[np.float64]) -> NDArray[np.int64]:
        """(n, T) node numbers of the leaves reached by `rows` (n, n_features)."""
        trees = self._trees
        n, width = rows.shape
        cells = np.ascontiguousarray(self._cast(rows)).ravel()
        at = np.repeat(trees.roots.astype(np.int64)[None, :], n, axis=0).ravel()
        offset = np.repeat(np.arange(n, dtype=np.int64) * width, trees.n_trees)
        active = np.flatnonzero(trees.feature[at] != LEAF)
        while active.size:
            node = at[active]
            place = offset[active] + trees.feature[node]
            left = self._left(node, cells[place])
            node = np.where(left, trees.left[node], trees.right[node])
            at[active] = node
            active = active[trees.feature[node] != LEAF]
        return at.reshape(n, trees.n_trees)

    def goes_left(self, node: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """The decision of each node (m,) on its value (m,)."""
        return self._left(node, self._cast(value))

    def _cast(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._narrow:
            return rows
        with np.errstate(over="ignore"):
            return rows.astype(np.float32).astype(np.float64)

    def _left(self, node: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value goes left at its node."""
        trees = self._trees
        left = self._compare(value, trees.threshold[node])
        missing = np.isnan(value)
        if trees.zero_is_missing:
            missing |= np.abs(value) <= ZERO_BAND
        if self._codes is not None:
            row = trees.category[node]
            categorical = np.flatnonzero(row != NUMERIC)
            code = value[categorical]
            left[categorical] = self._codes.contain(row[categorical], code)
            missing[categorical] = np.isnan(code)
        return np.where(missing, trees.default_left[node], left)


class _Codes:
    """Membership of (set, code) pairs, as one sorted array."""

    def __init__(self, ensemble: TreeEnsemble) -> None:
        pairs = [(row << 32) + code for row, codes in enumerate(ensemble.category_sets) for code in codes]
        self._pairs = np.sort(np.array(pairs, np.int64))
        self._match = ensemble.category_match

    def contain(self, row: NDArray[np.int32], value: NDArray[np.float64]) -> NDArray[np.bool_]:
        sound = np.isfinite(value) & (np.abs(value) < 2**31)
        if self._match is CategoryMatch.POSITIVE:
            sound &= value >= 0
        code = np.trunc(np.where(sound, value, 0.0))
        if self._match is CategoryMatch.EXACT:
            sound &= code == value
        sound &= code >= 0
        wanted = (row.astype(np.int64) << 32) + code.astype(np.int64)
        place = np.searchsorted(self._pairs, wanted)
        found = np.zeros(value.size, np.bool_)
        inside = place < self._pairs.size
        found[inside] = self._pairs[place[inside]] == wanted[inside]
        return found & sound

"""From what trees test to raw contract columns, exactly.

An inner feature is a function of one raw column: the column itself, scaled, imputed, one-hot or ordinal. Where that
function rises, a threshold has one raw float64 at which its answer turns; it is found by bisection on the floats
with the pipeline's own arithmetic, so a decision on bins is the decision on values, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.bins import Forest, Grid
from holdfast.core.contract import Contract
from holdfast.core.contract.sources import Source
from holdfast.core.errors import TargetError
from holdfast.core.formats.margins import decisions
from holdfast.core.formats.trees import LEAF, NUMERIC, ZERO_BAND, TreeEnsemble

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Compare = Callable[[Floats, Floats], Bools]

MAX_BINS = 1_000_000
MAX_MASK_WORDS = 64_000_000
CHUNK = 4_000_000
_GREATEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class _Cells:
    """The bins of one raw column: least and greatest value of each, and how its nodes test them."""

    low: Floats
    high: Floats
    masked: bool


def lift(ensemble: TreeEnsemble, contract: Contract, sources: tuple[Source, ...]) -> tuple[Forest, Grid]:
    """The trees over bins of the contract's columns (d of them). Raises TargetError HF-ATK-006 where too large."""
    raw = np.array([source.column for source in sources], np.int64)
    column = np.where(ensemble.feature == LEAF, LEAF, raw[ensemble.feature])
    cells = [
        _cells(ensemble, contract, sources, position, np.flatnonzero(column == position))
        for position in range(len(contract.features))
    ]
    grid = _grid(cells)
    cut = np.zeros(column.size, np.int64)
    default = np.zeros(column.size, np.bool_)
    words: list[NDArray[np.uint64]] = []
    size = 0
    for position, cell in enumerate(cells):
        nodes = np.flatnonzero(column == position)
        truth_missing = _decide(ensemble, sources, nodes, np.array([np.nan]))[:, 0]
        default[nodes] = truth_missing
        if cell.masked:
            masks, which = _masks(ensemble, sources, nodes, cell)
            cut[nodes] = -1 - (size + which * masks.shape[1])
            words.append(masks.ravel())
            size += masks.size
        else:
            cut[nodes] = _cuts(ensemble, sources, nodes, cell)
    return _forest(ensemble, column, cut, default, words), grid


def _forest(
    ensemble: TreeEnsemble,
    column: Integers,
    cut: Integers,
    default: Bools,
    words: list[NDArray[np.uint64]],
) -> Forest:
    nodes = np.stack([column, cut, ensemble.left, ensemble.right], axis=1).astype(np.int32)
    return Forest(
        nodes=np.ascontiguousarray(nodes),
        default_left=default,
        mask=np.concatenate(words) if words else np.zeros(1, np.uint64),
        leaf=np.ascontiguousarray(ensemble.leaf * ensemble.scale),
        roots=ensemble.roots.astype(np.int32),
        output=ensemble.tree_output.astype(np.int32),
        base=ensemble.base.astype(np.float64) * ensemble.scale,
    )


def _grid(cells: list[_Cells]) -> Grid:
    count = np.array([cell.low.size for cell in cells], np.int64)
    words = np.array([_words(cell.low.size) if cell.masked else 0 for cell in cells], np.int64)
    missing = np.array([np.nan])
    return Grid(
        start=np.concatenate(([0], np.cumsum(count + 1)[:-1])).astype(np.int64),
        size=count,
        low=np.concatenate([part for cell in cells for part in (cell.low, missing)]),
        high=np.concatenate([part for cell in cells for part in (cell.high, missing)]),
        masked=np.array([cell.masked for cell in cells], np.bool_),
        word=np.concatenate(([0], np.cumsum(words))).astype(np.int64),
    )


def _words(bins: int) -> int:
    return bins // 64 + 1


def _cells(
    ensemble: TreeEnsemble, contract: Contract, sources: tuple[Source, ...], position: int, nodes: Integers
) -> _Cells:
    feature = contract.features[position]
    if feature.type == "category":
        codes = np.unique(np.array(feature.codes))
        return _Cells(codes, codes, masked=True)
    turns = [np.zeros(0)]
    masked = False
    for number in np.unique(ensemble.feature[nodes]):
        mine = nodes[ensemble.feature[nodes] == number]
        found, plain = _turns(ensemble, sources[number], mine)
        turns.append(found)
        masked |= not plain
    above = np.unique(np.concatenate(turns))
    if above.size >= MAX_BINS:
        raise _too_large(f"column '{feature.name}' is cut into {above.size:,} parts", f"at most {MAX_BINS:,}")
    return _Cells(np.append(-np.inf, above), np.append(np.nextafter(above, -np.inf), np.inf), masked)


def _turns(ensemble: TreeEnsemble, source: Source, nodes: Integers) -> tuple[Floats, bool]:
    """Raw values from which on some test of a feature may answer differently; whether all are plain cuts."""
    points, edges = np.array(source.points), _edges(ensemble, nodes)
    thresholds = np.unique(ensemble.threshold[nodes[ensemble.category[nodes] == NUMERIC]])
    compare = np.less if ensemble.operator == "<" else np.less_equal
    first, falls = _first_beyond(ensemble, source, thresholds, compare)
    turns = [
        points,
        np.nextafter(points, np.inf),
        first,
        _first_beyond(ensemble, source, edges, np.less)[0],
        _first_beyond(ensemble, source, edges, np.less_equal)[0],
    ]
    found = np.concatenate(turns)
    return found[np.isfinite(found)], not (points.size or edges.size or falls)


def _edges(ensemble: TreeEnsemble, nodes: Integers) -> Floats:
    """Inner values beside which a category test, or one that takes zero for missing, may answer differently."""
    rows = np.unique(ensemble.category[nodes])
    codes = {code for row in rows if row != NUMERIC for code in ensemble.category_sets[row]}
    edges = {float(code + step) for code in codes for step in (-1, 0, 1)}
    if codes:
        edges |= {-1.0, 0.0, float(2**31)}
    if ensemble.zero_is_missing:
        edges |= {-ZERO_BAND, ZERO_BAND}
    return np.array(sorted(edges))


def _first_beyond(ensemble: TreeEnsemble, source: Source, edges: Floats, compare: Compare) -> tuple[Floats, bool]:
    """Per edge the least raw value at which `inner <compare> edge` turns; NaN where it never does.

    Also whether some turn from false to true: the feature falls as the raw value rises.
    """

    def holds(raw: Floats) -> Bools:
        values = source.values(raw)
        if ensemble.compare_dtype == "float32":
            with np.errstate(over="ignore"):
                values = values.astype(np.float32).astype(np.float64)
        return compare(values, edges)

    at_bottom, at_top = holds(np.full(edges.size, -_GREATEST)), holds(np.full(edges.size, _GREATEST))
    turned = at_bottom != at_top
    found = _bisect(lambda raw: holds(raw) == at_bottom, edges.size)
    return np.where(turned, found, np.nan), bool((turned & at_top).any())


def _bisect(holds: Callable[[Floats], Bools], size: int) -> Floats:
    """Per entry the least float64 at which `holds`, true at the bottom and turning once, is false."""
    low = np.full(size, _rank(-_GREATEST), np.int64)
    high = np.full(size, _rank(_GREATEST), np.int64)
    for _ in range(64 if size else 0):
        middle = (low & high) + ((low ^ high) >> 1)
        kept = holds(_unrank(middle))
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    return _unrank(high)


def _rank(value: float) -> int:
    """The float64s numbered in rising order; 0.0 and -0.0 both 0."""
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & (2**63 - 1))


def _unrank(ranks: Integers) -> Floats:
    bits = np.where(ranks >= 0, ranks, (-ranks) | np.int64(-(2**63)))
    return np.ascontiguousarray(bits).view(np.float64) + 0.0


def _decide(ensemble: TreeEnsemble, sources: tuple[Source, ...], nodes: Integers, raw: Floats) -> Bools:
    """Whether each of `nodes` sends each raw value left (nodes, values)."""
    found = np.zeros((nodes.size, raw.size), np.bool_)
    for number in np.unique(ensemble.feature[nodes]):
        values = sources[number].values(raw)
        mine = np.flatnonzero(ensemble.feature[nodes] == number)
        for part in np.array_split(mine, 1 + mine.size * raw.size // CHUNK):
            answers = decisions(ensemble, np.repeat(nodes[part], raw.size), np.tile(values, part.size))
            found[part] = answers.reshape(part.size, raw.size)
    return found


def _cuts(ensemble: TreeEnsemble, sources: tuple[Source, ...], nodes: Integers, cell: _Cells) -> Integers:
    """How many of the lowest bins each node sends left: they pass up to some bin, and fail from there on."""
    values = {number: sources[number].values(_representatives(cell)) for number in np.unique(ensemble.feature[nodes])}
    table = np.stack([values[number] for number in sorted(values)]) if values else np.zeros((0, cell.low.size))
    line = np.searchsorted(sorted(values), ensemble.feature[nodes])
    low, high = np.zeros(nodes.size, np.int64), np.full(nodes.size, cell.low.size, np.int64)
    while (low < high).any():
        middle = np.minimum((low + high) // 2, cell.low.size - 1)
        passing = decisions(ensemble, nodes, table[line, middle])
        low, high = np.where(passing & (low < high), middle + 1, low), np.where(passing, high, np.minimum(middle, high))
    return low


def _masks(
    ensemble: TreeEnsemble, sources: tuple[Source, ...], nodes: Integers, cell: _Cells
) -> tuple[NDArray[np.uint64], Integers]:
    """Distinct masks (k, words) of the bins that go left, the missing value as the last, and each node's mask."""
    width = _words(cell.low.size)
    if nodes.size * width > MAX_MASK_WORDS:
        raise _too_large(f"{nodes.size:,} tests of {cell.low.size:,} categories", f"{MAX_MASK_WORDS:,} mask words")
    if not nodes.size:
        return np.zeros((0, width), np.uint64), np.zeros(0, np.int64)
    raw = np.append(_representatives(cell), np.nan)
    tests = np.stack([ensemble.feature, ensemble.category, ensemble.default_left], axis=1)[nodes]
    _, first, which = np.unique(
        np.column_stack([tests, ensemble.threshold[nodes]]), axis=0, return_index=True, return_inverse=True
    )
    bits = np.zeros((first.size, width * 64), np.bool_)
    bits[:, : raw.size] = _decide(ensemble, sources, nodes[first], raw)
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64), which.reshape(-1).astype(np.int64)


def _representatives(cell: _Cells) -> Floats:
    """One finite value in each bin."""
    return np.where(np.isfinite(cell.low), cell.low, np.where(np.isfinite(cell.high), cell.high, 0.0))


def _too_large(problem: str, limit: str) -> TargetError:
    return TargetError(
        f"the model is too large to search: {problem}",
        cause=f"the limit is {limit}",
        fix="test it as a black box, or train it with fewer bins (max_bin) and categories",
        code="HF-ATK-006",
    )

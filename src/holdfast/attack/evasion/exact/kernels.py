"""The trees inside a box: the leaves that some row in it can reach, and the tests that tell them apart.

A column that still has a choice is *active*. Its open bins are numbered 0 .. n - 1 (its missing value last), and a
leaf asks for an interval of them (`low`, `high`), or, where the order means nothing, for a set (`bits`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from holdfast.attack.evasion.kernels.jit import whole  # it also names the private folder of compiled kernels

Function = TypeVar("Function", bound=Callable[..., Any])
Array = NDArray[Any]
ONE = np.uint64(1)
NONE = np.uint64(0)
NODE, MARK, ACTIVE, LOW, HIGH = range(5)
TRAIL, DEPTH = 0, 1


def compiled(function: Function) -> Function:
    """To machine code, kept on disk."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


class Trees(NamedTuple):
    """The trees over bins: see `attack.bins.Forest`."""

    nodes: Array
    default_left: Array
    mask: Array
    roots: Array


class Table(NamedTuple):
    """A box over d columns, A of them active."""

    active: Array
    """(d,) number among the active columns, else -1."""
    place: Array
    """(d,) the bin of a column that is not active."""
    start: Array
    size: Array
    """(d,), (d,): first slot and number of bins."""
    rank: Array
    """(S,) open bins of its column before a slot."""
    first: Array
    """(A + 1,) first open slot of each active column in `member`."""
    member: Array
    """Bins of the open slots."""
    column: Array
    """(A,)"""
    ordered: Array
    """(A,) whether tests are cuts of its open bins."""
    opened: Array
    """(A,) open slots."""
    bits: Array
    """(A,) a one for each open slot where the order means nothing."""


class Path(NamedTuple):
    """What is left of the active columns on the way to a leaf, and how to go back."""

    low: Array
    high: Array
    bits: Array
    stack: Array
    stack_bits: Array
    undo: Array
    undo_bits: Array
    top: Array


class Found(NamedTuple):
    """Leaves: node, tree, and what each asks of the active columns."""

    node: Array
    tree: Array
    low: Array
    high: Array
    bits: Array


class Entries(NamedTuple):
    """Rows of coefficients as coordinates, and the bounds of each row; `top` counts rows and entries."""

    row: Array
    column: Array
    value: Array
    low: Array
    high: Array
    top: Array


@compiled
def _fixed_left(trees: Trees, table: Table, node: int, column: int) -> bool:
    """Whether the one bin of a column passes a test."""
    cut, place = trees.nodes[node, 1], table.place[column]
    if cut < 0:
        return bool((trees.mask[-1 - cut + (place >> 6)] >> np.uint64(place & 63)) & ONE != NONE)
    return bool(place < cut or (place == table.size[column] and trees.default_left[node]))


@compiled
def _left_bits(trees: Trees, table: Table, node: int, a: int) -> Any:
    """The open slots of an active column that a test sends left."""
    cut, column = trees.nodes[node, 1], table.column[a]
    first, found = table.first[a], np.uint64(0)
    for i in range(table.first[a + 1] - first):
        place = table.member[first + i]
        if cut < 0:
            left = (trees.mask[-1 - cut + (place >> 6)] >> np.uint64(place & 63)) & ONE != NONE
        else:
            left = place < cut or (place == table.size[column] and trees.default_left[node])
        if left:
            found |= ONE << np.uint64(i)
    return found


@compiled
def _narrow(path: Path, a: int, low: int, high: int, bits: Any) -> None:
    at = path.top[TRAIL]
    path.undo[at, 0], path.undo[at, 1], path.undo[at, 2] = a, path.low[a], path.high[a]
    path.undo_bits[at] = path.bits[a]
    path.top[TRAIL] += 1
    path.low[a], path.high[a], path.bits[a] = low, high, bits


@compiled
def _back(path: Path, mark: int) -> None:
    while path.top[TRAIL] > mark:
        path.top[TRAIL] -= 1
        at = path.top[TRAIL]
        a = path.undo[at, 0]
        path.low[a], path.high[a], path.bits[a] = path.undo[at, 1], path.undo[at, 2], path.undo_bits[at]


@compiled
def _later(path: Path, node: int, a: int, low: int, high: int, bits: Any) -> None:
    """Remember a branch, and what holds of a column on it."""
    at = path.top[DEPTH]
    path.stack[at, NODE], path.stack[at, MARK], path.stack[at, ACTIVE] = node, path.top[TRAIL], a
    path.stack[at, LOW], path.stack[at, HIGH], path.stack_bits[at] = low, high, bits
    path.top[DEPTH] += 1


@compiled
def _child(trees: Trees, table: Table, path: Path, node: int) -> int:
    """The next node: left where both sides are open, the right one being remembered."""
    column = whole(trees.nodes[node, 0])
    left, right = whole(trees.nodes[node, 2]), whole(trees.nodes[node, 3])
    a = table.active[column]
    if a < 0:
        return left if _fixed_left(trees, table, node, column) else right
    low, high, bits = path.low[a], path.high[a], path.bits[a]
    if table.ordered[a]:
        cut = whole(table.rank[table.start[column] + trees.nodes[node, 1]])
        if high <= cut or low >= cut:
            return left if high <= cut else right
        _later(path, right, a, cut, high, bits)
        _narrow(path, a, low, cut, bits)
        return left
    passing = _left_bits(trees, table, node, a)
    if bits & passing == NONE or bits & ~passing == NONE:
        return right if bits & passing == NONE else left
    _later(path, right, a, low, high, bits & ~passing)
    _narrow(path, a, low, high, bits & passing)
    return left


@compiled
def list_leaves(trees: Trees, table: Table, path: Path, found: Found) -> int:
    """Fill `found` with the leaves that the box can reach; how many, or -1 where there is no room for all."""
    count = 0
    for tree in range(trees.roots.size):
        node = whole(trees.roots[tree])
        while True:
            while trees.nodes[node, 0] >= 0:
                node = _child(trees, table, path, node)
            if count == found.node.size:
                return -1
            found.node[count], found.tree[count] = node, tree
            found.low[count], found.high[count], found.bits[count] = path.low, path.high, path.bits
            count += 1
            if path.top[DEPTH] == 0:
                break
            path.top[DEPTH] -= 1
            at = path.top[DEPTH]
            node = path.stack[at, NODE]
            _back(path, path.stack[at, MARK])
            _narrow(path, path.stack[at, ACTIVE], path.stack[at, LOW], path.stack[at, HIGH], path.stack_bits[at])
        _back(path, 0)
    return count


@compiled
def _enter(entries: Entries, column: int, value: float) -> None:
    at = entries.top[1]
    entries.row[at], entries.column[at], entries.value[at] = entries.top[0], column, value
    entries.top[1] += 1


@compiled
def _close(entries: Entries, low: float, high: float) -> None:
    entries.low[entries.top[0]], entries.high[entries.top[0]] = low, high
    entries.top[0] += 1


@compiled
def _fits(entries: Entries, more: int) -> bool:
    return bool(entries.top[1] + more < entries.row.size and entries.top[0] + 1 < entries.low.size)


@compiled
def _below(side: Array, entries: Entries, begin: int, end: int, a: int, start: int, leaves: int, n: int) -> bool:
    """For each test of an ordered column in one tree: leaves that lie below it need the row to be there."""
    for at in range(begin, end):
        k, seen = side[at, a], False
        for other in range(begin, at):
            seen = seen or side[other, a] == k
        if seen or k >= n:
            continue
        if not _fits(entries, end - begin + 1):
            return False
        for leaf in range(begin, end):
            if side[leaf, a] <= k:
                _enter(entries, leaves + leaf, 1.0)
        _enter(entries, start + k, -1.0)
        _close(entries, -np.inf, 0.0)
    return True


@compiled
def _above(side: Array, entries: Entries, begin: int, end: int, a: int, start: int, leaves: int) -> bool:
    """As `_below`, for leaves that lie above a test."""
    for at in range(begin, end):
        k, seen = side[at, a], False
        for other in range(begin, at):
            seen = seen or side[other, a] == k
        if seen or k <= 0:
            continue
        if not _fits(entries, end - begin + 1):
            return False
        for leaf in range(begin, end):
            if side[leaf, a] >= k:
                _enter(entries, leaves + leaf, 1.0)
        _enter(entries, start + k, 1.0)
        _close(entries, -np.inf, 1.0)
    return True


@compiled
def _without(bits: Array, entries: Entries, begin: int, end: int, a: int, start: int, leaves: int, n: int) -> bool:
    """For each slot of a column without order: leaves that exclude it need the row to be elsewhere."""
    for k in range(n):
        if not _fits(entries, end - begin + 1):
            return False
        before = entries.top[1]
        for leaf in range(begin, end):
            if bits[leaf, a] >> np.uint64(k) & ONE == NONE:
                _enter(entries, leaves + leaf, 1.0)
        if entries.top[1] > before:
            _enter(entries, start + k, 1.0)
            _close(entries, -np.inf, 1.0)
    return True


@compiled
def _tree(found: Found, table: Table, start: Array, entries: Entries, begin: int, end: int) -> bool:
    """The rows of one tree: one of its leaves, and only where its tests lead there."""
    leaves, kept = start[table.ordered.size], _fits(entries, end - begin + 1)
    for leaf in range(begin, end if kept else begin):
        _enter(entries, leaves + leaf, 1.0)
    if kept:
        _close(entries, 1.0, 1.0)
    for a in range(table.ordered.size):
        if table.ordered[a]:
            kept = kept and _below(found.high, entries, begin, end, a, start[a], leaves, table.opened[a])
            kept = kept and _above(found.low, entries, begin, end, a, start[a], leaves)
        else:
            kept = kept and _without(found.bits, entries, begin, end, a, start[a], leaves, table.opened[a])
    return kept


@compiled
def link_rows(found: Found, table: Table, start: Array, entries: Entries) -> bool:
    """What ties the leaves of each tree to the columns. False where there is no room for it.

    Leaves are grouped by tree. `start` (A + 1,): first variable of each active column; its variable k says "below
    slot k" where it is ordered, else "in slot k". Leaf l is variable start[A] + l.
    """
    begin = 0
    while begin < found.tree.size:
        end = begin
        while end < found.tree.size and found.tree[end] == found.tree[begin]:
            end += 1
        if not _tree(found, table, start, entries, begin, end):
            return False
        begin = end
    return True

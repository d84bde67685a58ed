"""The trees inside a box: the leaves that some row in it can reach, and the tests that tell them apart.

A column that still has a choice is *active*. Its open bins are numbered 0 .. n - 1 (its missing value last), and a
leaf asks for an interval of them (`low`, `high`), or, where the order means nothing, for a set (`bits`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from holdfast.attack.evasion.kernels.jit import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])
Array = NDArray[Any]
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
ONE = np.uint64(1)

assert cache_folder  # importing it names the private folder in which compiled kernels are kept


def compiled(function: Function) -> Function:
    """To machine code, kept on disk."""
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def left_bits(node: int, trees: Any, box: Any, a: int) -> Any:
    """The open classes of active column `a` that a test sends left."""
    nodes, default_left, mask = trees[0], trees[1], trees[2]
    first, cut = box[4][a], nodes[node, 1]
    found = np.uint64(0)
    for i in range(box[4][a + 1] - first):
        place = box[5][first + i]
        if cut < 0:
            left = (mask[-1 - cut + (place >> 6)] >> np.uint64(place & 63)) & ONE != np.uint64(0)
        else:
            left = place < cut or (place == box[6][a] and default_left[node])
        if left:
            found |= ONE << np.uint64(i)
    return found


@compiled
def fixed_left(node: int, trees: Any, place: int, size: int) -> bool:
    """Whether bin `place` passes a test."""
    cut = trees[0][node, 1]
    if cut < 0:
        return bool((trees[2][-1 - cut + (place >> 6)] >> np.uint64(place & 63)) & ONE != np.uint64(0))
    return bool(place < cut or (place == size and trees[1][node]))


@compiled
def list_leaves(trees: Any, box: Any, out: Any) -> int:
    """Fill `out` with the leaves of all trees that the box can reach; how many, or -1 where there is no room.

    trees: nodes (N, 4), default_left, mask, roots. box: active (d,) or -1, place (d,) of the others, start of each
    column, rank (S,), first class (A + 1,), bin of each class, size of each active column, ordered (A,), size (d,).
    out: node, tree, low (L, A), high (L, A), bits (L, A).
    """
    nodes, roots = trees[0], trees[3]
    active, place, start, rank, ordered, sizes = box[0], box[1], box[2], box[3], box[7], box[8]
    low, high, bits = box[9].copy(), box[10].copy(), box[11].copy()
    stack = np.empty((out[5], 5), np.int64)
    stack_bits = np.empty(out[5], np.uint64)
    undo = np.empty((2 * out[5], 3), np.int64)
    undo_bits = np.empty(2 * out[5], np.uint64)
    count = 0
    for tree in range(roots.size):
        node, depth, trail = np.int64(roots[tree]), 0, 0
        while True:
            column = np.int64(nodes[node, 0])
            while column >= 0:
                a = active[column]
                if a < 0:
                    node = np.int64(nodes[node, 2 if fixed_left(node, trees, place[column], sizes[column]) else 3])
                elif ordered[a]:
                    cut = np.int64(rank[start[column] + nodes[node, 1]])
                    if high[a] <= cut:
                        node = np.int64(nodes[node, 2])
                    elif low[a] >= cut:
                        node = np.int64(nodes[node, 3])
                    else:
                        stack[depth, 0], stack[depth, 1], stack[depth, 2] = nodes[node, 3], trail, a
                        stack[depth, 3], stack[depth, 4], stack_bits[depth] = cut, high[a], bits[a]
                        depth += 1
                        undo[trail, 0], undo[trail, 1], undo[trail, 2], undo_bits[trail] = a, low[a], high[a], bits[a]
                        trail += 1
                        high[a] = cut
                        node = np.int64(nodes[node, 2])
                else:
                    left = left_bits(node, trees, box, a)
                    if bits[a] & ~left == np.uint64(0):
                        node = np.int64(nodes[node, 2])
                    elif bits[a] & left == np.uint64(0):
                        node = np.int64(nodes[node, 3])
                    else:
                        stack[depth, 0], stack[depth, 1], stack[depth, 2] = nodes[node, 3], trail, a
                        stack[depth, 3], stack[depth, 4], stack_bits[depth] = low[a], high[a], bits[a] & ~left
                        depth += 1
                        undo[trail, 0], undo[trail, 1], undo[trail, 2], undo_bits[trail] = a, low[a], high[a], bits[a]
                        trail += 1
                        bits[a] &= left
                        node = np.int64(nodes[node, 2])
                column = np.int64(nodes[node, 0])
            if count == out[0].size:
                return -1
            out[0][count], out[1][count] = node, tree
            out[2][count], out[3][count], out[4][count] = low, high, bits
            count += 1
            if depth == 0:
                break
            depth -= 1
            node = stack[depth, 0]
            while trail > stack[depth, 1]:
                trail -= 1
                b = undo[trail, 0]
                low[b], high[b], bits[b] = undo[trail, 1], undo[trail, 2], undo_bits[trail]
            a = stack[depth, 2]
            undo[trail, 0], undo[trail, 1], undo[trail, 2], undo_bits[trail] = a, low[a], high[a], bits[a]
            trail += 1
            low[a], high[a], bits[a] = stack[depth, 3], stack[depth, 4], stack_bits[depth]
        while trail > 0:
            trail -= 1
            b = undo[trail, 0]
            low[b], high[b], bits[b] = undo[trail, 1], undo[trail, 2], undo_bits[trail]
    return count


@compiled
def link_rows(leaves: Any, box: Any, start: Array, used: Array, coo: Any) -> Any:
    """What ties the leaves of each tree to the columns, as rows of coefficients.

    leaves: tree (L,), low, high, bits (L, A). `start` (A + 1,): first variable of each active column: for an ordered
    one variable k says "bin below k", else variable i says "class i". Marks the variables `used`. coo: row, column,
    value, bound of each row (at most). Leaf l is variable start[A] + l. Returns (rows, entries), or (-1, -1).
    """
    tree, low, high, bits = leaves[0], leaves[1], leaves[2], leaves[3]
    ordered, n_active = box[7], low.shape[1]
    rows, size = 0, 0
    at = 0
    while at < tree.size:
        end = at
        while end < tree.size and tree[end] == tree[at]:
            end += 1
        if end - at > 1:
            if size + end - at + 2 > coo[0].size or rows + 1 >= coo[3].size:
                return -1, -1
            for leaf in range(at, end):
                coo[0][size], coo[1][size], coo[2][size] = rows, start[n_active] + leaf, 1.0
                size += 1
            coo[3][rows], coo[4][rows] = 1.0, 1.0
            rows += 1
            for a in range(n_active):
                n = box[10][a] if ordered[a] else box[4][a + 1] - box[4][a]
                steps = end - at if ordered[a] else n
                for j in range(steps):
                    for side in range(2 if ordered[a] else 1):
                        k = np.int64(j)
                        if ordered[a]:
                            k = np.int64(high[at + j, a] if side == 0 else low[at + j, a])
                            if (side == 0 and k >= n) or (side == 1 and k <= 0):
                                continue
                            seen = False
                            for leaf in range(at, at + j):
                                seen = seen or (high[leaf, a] if side == 0 else low[leaf, a]) == k
                            if seen:
                                continue
                        begun = size
                        if size + (end - at) + 2 >= coo[0].size or rows + 1 >= coo[3].size:
                            return -1, -1
                        for leaf in range(at, end):
                            if not ordered[a]:
                                inside = bits[leaf, a] >> np.uint64(k) & ONE == np.uint64(0)
                            else:
                                inside = high[leaf, a] <= k if side == 0 else low[leaf, a] >= k
                            if inside:
                                coo[0][size], coo[1][size], coo[2][size] = rows, start[n_active] + leaf, 1.0
                                size += 1
                        if size == begun:
                            continue
                        below = ordered[a] and side == 0
                        coo[0][size], coo[1][size], coo[2][size] = rows, start[a] + k, -1.0 if below else 1.0
                        size += 1
                        coo[3][rows], coo[4][rows] = -np.inf, 0.0 if below else 1.0
                        used[start[a] + k] = True
                        rows += 1
        at = end
    return rows, size

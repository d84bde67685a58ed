"""What a box cannot hold: an upper bound on the gap of every row inside it, whatever the relations.

Each tree is given the leaf it likes best among those that some row in the box can reach. Different trees may want
different rows, so the bound is not tight; but a box whose bound is not above zero provably holds no evasion.
"""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.forest import COLUMN, CUT, LEFT, NODE, RIGHT
from holdfast.attack.evasion.kernels.jit import ints, kernel, reals, shorts, whole, words
from holdfast.attack.evasion.kernels.state import LEVEL, State

ENTRY = 6
"""A branch to come back to: node, undo mark, the column, low, high that hold on it, and the turns before it."""
UNDO = 3
"""A column's low and high before they were narrowed."""


@kernel
def best_case(s: State) -> float:
    """No row made of bins in reach has a larger gap."""
    most, least = reals(s.out_most), reals(s.out_least)
    for k in range(s.n_outputs):
        most[k] = reals(s.base)[k]
        least[k] = most[k]
    for column in range(s.n_columns):
        ints(s.trail_low)[column] = ints(s.reach_low)[column]
        ints(s.trail_high)[column] = ints(s.reach_high)[column]
    for tree in range(s.n_trees):
        _range_of_tree(s, tree)
        target = ints(s.output)[tree]
        for w in range(s.width if target < 0 else 1):
            k = target if target >= 0 else w
            most[k] += reals(s.leaf_most)[w]
            least[k] += reals(s.leaf_least)[w]
    if s.aim_mode == LEVEL:
        return s.aim_sign * ((most[s.aim_output] if s.aim_sign > 0 else least[s.aim_output]) - s.aim_level)
    rival = -np.inf
    for k in range(s.n_outputs):
        if k != s.aim_output and least[k] > rival:
            rival, s.rival = least[k], whole(k)
    return most[s.aim_output] - rival - s.aim_level


@kernel
def _range_of_tree(s: State, tree: int) -> None:
    """Fill `leaf_most` and `leaf_least` (width,) over the leaves that one tree can give in the box."""
    nodes, stack = shorts(s.nodes), ints(s.stack)
    for w in range(s.width):
        reals(s.leaf_most)[w], reals(s.leaf_least)[w] = -np.inf, np.inf
    node, depth, undone = ints(s.roots)[tree], whole(0), whole(0)
    while True:
        column = whole(nodes[NODE * node + COLUMN])
        while column >= 0:
            s.visited += 1
            left, right = open_sides(s, node, column)
            if left and right:
                stack[depth], stack[depth + 1] = whole(nodes[NODE * node + RIGHT]), undone
                undone = branch(s, node, column, depth + 2, undone)
                depth += ENTRY
            node = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
            column = whole(nodes[NODE * node + COLUMN])
        for w in range(s.width):
            value = reals(s.leaf)[s.width * node + w]
            reals(s.leaf_most)[w] = max(reals(s.leaf_most)[w], value)
            reals(s.leaf_least)[w] = min(reals(s.leaf_least)[w], value)
        if depth == 0:
            break
        depth -= ENTRY
        node = stack[depth]
        undone = undo(s, undone, stack[depth + 1])
        undone = narrow(s, stack[depth + 2], stack[depth + 3], stack[depth + 4], undone)
    undo(s, undone, whole(0))


@kernel
def open_sides(s: State, node: int, column: int) -> tuple[bool, bool]:
    """Whether some bin still in reach goes left, and whether some goes right."""
    cut = whole(shorts(s.nodes)[NODE * node + CUT])
    if cut < 0:
        first, left, right = ints(s.word)[column], False, False
        for w in range(first, ints(s.word)[column + 1]):
            reach, passing = words(s.reach_mask)[w], words(s.mask)[-1 - cut - first + w]
            left = left or reach & passing != np.uint64(0)
            right = right or reach & ~passing != np.uint64(0)
        return left, right
    low, high = ints(s.trail_low)[column], ints(s.trail_high)[column]
    missing, default = ints(s.reach_missing)[column] != 0, ints(s.default_left)[node] != 0
    return low < min(high, cut) or (missing and default), max(low, cut) < high or (missing and not default)


@kernel
def branch(s: State, node: int, column: int, at: int, undone: int) -> int:
    """Go left with what is left of the column's bins, and leave at `at` what holds on the right; the new undo mark.

    Masked columns and missing values are not narrowed: the bound is a little looser for it, and as true.
    """
    cut, stack = whole(shorts(s.nodes)[NODE * node + CUT]), ints(s.stack)
    low, high = ints(s.trail_low)[column], ints(s.trail_high)[column]
    if cut < 0:
        stack[at], stack[at + 1], stack[at + 2] = column, low, high
        return undone
    stack[at], stack[at + 1], stack[at + 2] = column, max(low, cut), high
    return narrow(s, column, low, min(high, cut), undone)


@kernel
def narrow(s: State, column: int, low: int, high: int, undone: int) -> int:
    before, lows, highs = ints(s.undo), ints(s.trail_low), ints(s.trail_high)
    before[undone], before[undone + 1], before[undone + 2] = column, lows[column], highs[column]
    lows[column], highs[column] = low, high
    return undone + UNDO


@kernel
def undo(s: State, undone: int, mark: int) -> int:
    before = ints(s.undo)
    while undone > mark:
        undone -= UNDO
        column = before[undone]
        ints(s.trail_low)[column], ints(s.trail_high)[column] = before[undone + 1], before[undone + 2]
    return mark

"""What trees would like: the leaf each prefers in a box, and which values that leaves to a column.

If the preferred leaves have a row in common, it is the best row of the box. If not, some column is torn: the cut on
whose two sides most is lost is where to split the box.
"""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.bound import ENTRY, branch, narrow, open_sides, undo
from holdfast.attack.evasion.kernels.forest import COLUMN, CUT, LEFT, NODE, RIGHT
from holdfast.attack.evasion.kernels.jit import ints, kernel, reals, shorts, whole, words
from holdfast.attack.evasion.kernels.state import LEVEL, State
from holdfast.attack.evasion.kernels.sums import SUMS, fits_caps, least_far, toll

BELOW, ABOVE, ONLY, NOT = 0, 1, 2, 3
"""Parts of a column's bins: under a cut (and missing), from it on, one slot, all but it. Neighbours are complements."""


@kernel
def take_votes(s: State) -> float:
    """Let every tree vote for the bins of the leaf it likes best in the box; no row in the box has a larger gap."""
    for column in range(s.n_columns):
        start, last = ints(s.start)[column], ints(s.start)[column] + ints(s.size)[column]
        masked = ints(s.masked)[column] != 0
        low = start if masked else start + ints(s.reach_low)[column]
        high = last if masked else start + ints(s.reach_high)[column]
        for slot in range(low, high + 1):
            reals(s.begins)[slot], reals(s.ends)[slot], reals(s.loss)[slot] = 0.0, 0.0, 0.0
        reals(s.begins)[last], reals(s.ends)[last], reals(s.loss)[last] = 0.0, 0.0, 0.0
        _forget(s, column)
    bound = _start(s)
    for tree in range(s.n_trees):
        turns = _favourite(s, tree)
        bound += s.leaf_best
        if turns > 0:
            _vote(s, turns, s.leaf_best - s.leaf_worst)
    return bound


@kernel
def _start(s: State) -> float:
    base = reals(s.base)
    if s.aim_mode == LEVEL:
        return s.aim_sign * (base[s.aim_output] - s.aim_level)
    return base[s.aim_output] - base[s.rival] - s.aim_level


@kernel
def _merit(s: State, tree: int, node: int) -> float:
    """What a leaf adds to the gap (to the nearest rival)."""
    target, at = ints(s.output)[tree], s.width * node
    if target >= 0:
        value = reals(s.leaf)[at]
        if s.aim_mode == LEVEL:
            return s.aim_sign * value if target == s.aim_output else 0.0
        return value if target == s.aim_output else (-value if target == s.rival else 0.0)
    own = reals(s.leaf)[at + s.aim_output]
    return s.aim_sign * own if s.aim_mode == LEVEL else own - reals(s.leaf)[at + s.rival]


@kernel
def _forget(s: State, column: int) -> None:
    """Open a column's trail to all bins in reach."""
    ints(s.trail_low)[column], ints(s.trail_high)[column] = ints(s.reach_low)[column], ints(s.reach_high)[column]
    ints(s.trail_missing)[column] = ints(s.reach_missing)[column]
    for w in range(ints(s.word)[column], ints(s.word)[column + 1]):
        words(s.trail_mask)[w] = words(s.reach_mask)[w]


@kernel
def _favourite(s: State, tree: int) -> int:
    """Fill `pick` with the turns (2 * node, + 1 to the left) to the leaf a tree likes best in the box; how many."""
    nodes, stack, route, pick = shorts(s.nodes), ints(s.stack), ints(s.route), ints(s.pick)
    s.leaf_best, s.leaf_worst = -np.inf, np.inf
    node, depth, undone, turns, picked = ints(s.roots)[tree], whole(0), whole(0), whole(0), whole(0)
    while True:
        column = whole(nodes[NODE * node + COLUMN])
        while column >= 0:
            s.visited += 1
            left, right = open_sides(s, node, column)
            if left and right:
                stack[depth], stack[depth + 1] = whole(nodes[NODE * node + RIGHT]), undone
                stack[depth + 5] = turns
                undone = branch(s, node, column, depth + 2, undone)
                depth += ENTRY
                route[turns] = 2 * node + 1
                turns += 1
            node = whole(nodes[NODE * node + (LEFT if left else RIGHT)])
            column = whole(nodes[NODE * node + COLUMN])
        value, fits = _merit(s, tree, node), s.capped == 0 or _leaf_fits(s, turns)
        s.leaf_worst = min(s.leaf_worst, value)
        if fits and value > s.leaf_best:
            s.leaf_best, picked = value, turns
            for i in range(turns):
                pick[i] = route[i]
        if depth == 0:
            break
        depth -= ENTRY
        node, turns = stack[depth], stack[depth + 5]
        route[turns] -= 1
        turns += 1
        undone = undo(s, undone, stack[depth + 1])
        undone = narrow(s, stack[depth + 2], stack[depth + 3], stack[depth + 4], undone)
    undo(s, undone, whole(0))
    return picked


@kernel
def _leaf_fits(s: State, turns: int) -> bool:
    """Whether the totals leave room for a row in the leaf at the end of `route`: columns narrowed on it must move."""
    for norm in SUMS:
        reals(s.leaf_spent)[norm] = reals(s.part_spent)[norm]
    for i in range(turns):
        column = whole(shorts(s.nodes)[NODE * (ints(s.route)[i] >> 1) + COLUMN])
        plain = ints(s.masked)[column] == 0 and ints(s.reach_missing)[column] == 0
        if plain and ints(s.derived)[column] == 0 and ints(s.torn)[column] == 0:
            ints(s.torn)[column] = 1
            far = least_far(s, column, ints(s.trail_low)[column], ints(s.trail_high)[column], s.part_radius)
            for norm in SUMS:
                added = toll(s, norm, column, far) - toll(s, norm, column, reals(s.part_far)[column])
                reals(s.leaf_spent)[norm] += added
    for i in range(turns):
        ints(s.torn)[whole(shorts(s.nodes)[NODE * (ints(s.route)[i] >> 1) + COLUMN])] = 0
    return fits_caps(s, reals(s.leaf_spent))


@kernel
def _vote(s: State, turns: int, weight: float) -> None:
    """Count `weight` against all bins that the picked turns exclude."""
    nodes, pick = shorts(s.nodes), ints(s.pick)
    for i in range(turns):
        node, left = pick[i] >> 1, pick[i] & 1 != 0
        column, cut = whole(nodes[NODE * node + COLUMN]), whole(nodes[NODE * node + CUT])
        if cut < 0:
            _keep_bits(s, column, -1 - cut, left)
        else:
            if left:
                ints(s.trail_high)[column] = min(ints(s.trail_high)[column], cut)
            else:
                ints(s.trail_low)[column] = max(ints(s.trail_low)[column], cut)
            if (ints(s.default_left)[node] != 0) != left:
                ints(s.trail_missing)[column] = 0
        ints(s.torn)[column] = 1
    for i in range(turns):
        column = whole(nodes[NODE * (pick[i] >> 1) + COLUMN])
        if ints(s.torn)[column] != 0:
            ints(s.torn)[column] = 0
            if ints(s.masked)[column] != 0:
                _vote_bits(s, column, weight)
            else:
                _vote_interval(s, column, weight)
            _forget(s, column)


@kernel
def _keep_bits(s: State, column: int, offset: int, left: bool) -> None:
    first = ints(s.word)[column]
    for w in range(first, ints(s.word)[column + 1]):
        passing = words(s.mask)[offset - first + w]
        words(s.trail_mask)[w] &= passing if left else ~passing


@kernel
def _vote_bits(s: State, column: int, weight: float) -> None:
    first, start = ints(s.word)[column], ints(s.start)[column]
    reals(s.begins)[start] += weight
    for k in range(ints(s.size)[column] + 1):
        bit = words(s.trail_mask)[first + (k >> 6)] >> np.uint64(k & 63)
        if bit & np.uint64(1) == np.uint64(0):
            reals(s.ends)[start + k] += weight


@kernel
def _vote_interval(s: State, column: int, weight: float) -> None:
    """Bins under `low` and from `high` on are lost, all of them where the interval is empty."""
    start, last = ints(s.start)[column], ints(s.reach_high)[column]
    low, high = ints(s.trail_low)[column], ints(s.trail_high)[column]
    if low >= high:
        reals(s.begins)[start + last] += weight
    else:
        if low > ints(s.reach_low)[column]:
            reals(s.begins)[start + low] += weight
        if high < last:
            reals(s.ends)[start + high] += weight
    if ints(s.reach_missing)[column] != 0 and ints(s.trail_missing)[column] == 0:
        reals(s.loss)[start + ints(s.size)[column]] += weight


@kernel
def count_votes(s: State, column: int, radius: float) -> bool:
    """Fill `loss` for the bins of a column and choose the least; False where no bin in reach may be used.

    Notes the split of the box that costs most on both sides, if it beats those of other columns.
    """
    if ints(s.masked)[column] != 0:
        return _count_bits(s, column, radius)
    start, low, high = ints(s.start)[column], ints(s.reach_low)[column], ints(s.reach_high)[column]
    loss, begins, ends, far = reals(s.loss), reals(s.begins), reals(s.ends), reals(s.far)
    lost = 0.0
    for slot in range(start + low, start + high):
        lost += ends[slot]
        loss[slot] = lost
    chosen, least = whole(-1), np.inf
    empty = begins[start + high] if ints(s.reach_missing)[column] != 0 else 0.0
    lost = empty
    for slot in range(start + high - 1, start + low - 1, -1):
        before = loss[slot]
        loss[slot] += lost
        lost += begins[slot]
        if slot > start + low:
            _note_split(s, column, whole(slot - start), BELOW, min(before, lost))
        near = far[slot] <= radius
        if near and (loss[slot] < least or (loss[slot] == least and far[slot] < far[start + chosen])):
            chosen, least = whole(slot - start), loss[slot]
    last = ints(s.size)[column]
    if ints(s.reach_missing)[column] != 0 and far[start + last] <= radius:
        if low < high:
            _note_split(s, column, last, ONLY, min(loss[start + last], empty))
        if loss[start + last] < least:
            chosen = last
    ints(s.choice)[column] = chosen
    return chosen >= 0


@kernel
def _count_bits(s: State, column: int, radius: float) -> bool:
    start, first = ints(s.start)[column], ints(s.word)[column]
    loss, far = reals(s.loss), reals(s.far)
    chosen, least, rest = whole(-1), np.inf, whole(0)
    for k in range(ints(s.size)[column] + 1):
        bit = words(s.reach_mask)[first + (k >> 6)] >> np.uint64(k & 63)
        if bit & np.uint64(1) != np.uint64(0) and far[start + k] <= radius:
            rest += 1
            loss[start + k] = reals(s.ends)[start + k]
            if loss[start + k] < least or (loss[start + k] == least and far[start + k] < far[start + chosen]):
                chosen, least = whole(k), loss[start + k]
    ints(s.choice)[column] = chosen
    if rest > 1:
        _note_split(s, column, chosen, ONLY, min(least, reals(s.begins)[start] - least))
    return chosen >= 0


@kernel
def _note_split(s: State, column: int, at: int, kind: int, score: float) -> None:
    if score > s.split_score:
        s.split_score, s.split_column, s.split_at, s.split_kind = score, column, at, kind

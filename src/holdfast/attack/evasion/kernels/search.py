"""The search: climb the gap inside a box, bisect on the box, pull back what was not needed."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.bound import best_case
from holdfast.attack.evasion.kernels.branch import ARRIVED, NONE, settle
from holdfast.attack.evasion.kernels.forest import outputs, profile
from holdfast.attack.evasion.kernels.jit import RealArray, entry, ints, kernel, reals, whole
from holdfast.attack.evasion.kernels.moves import GAIN, foreseen, measured, step, step_across, tie
from holdfast.attack.evasion.kernels.reach import open_reach
from holdfast.attack.evasion.kernels.row import (
    begin,
    copy,
    draw,
    gap,
    gap_at,
    keep,
    move_to,
    place,
    reset,
    spent,
)
from holdfast.attack.evasion.kernels.rules import (
    assign,
    changes_hold,
    distance,
    drop,
    row_cost,
    row_distance,
    single_holds,
)
from holdfast.attack.evasion.kernels.state import State

EVERYWHERE = 1e308
"""The largest box. Slots that are not allowed are farther: at inf."""
MAX_STEPS = 200
"""Steps of one climb: each raises the gap, so this only bounds pathological models."""
STIRRED_SHARE = 0.3
SHORT_VALLEY = 2
LONG_VALLEY = 4
"""Moves that may follow one that loses."""
CLOSER = 1 - 1e-9
FIRST_FORKS, FLOOR_FORKS = 1000, 300
LOST = 8
"""Times as many restarts while no arrival is known at all."""


@kernel
def climb(s: State, radius: float) -> bool:
    """Steepest ascent of the gap from the present row inside the box, over small valleys; whether it arrived."""
    for _ in range(MAX_STEPS):
        profile(s, reals(s.out), reals(s.delta))
        now = gap(s, reals(s.out))
        if now > s.aim_guard or spent(s):
            return now > s.aim_guard
        if not (step(s, radius, now, whole(1)) or step_across(s, radius, now)):
            return False
    return False


@kernel
def pull_back(s: State) -> float:
    """Give back whatever change the arrival does not need, the farthest column first, and remember the row.

    Returns the distance that remains.
    """
    open_reach(s, row_distance(s))
    for _ in range(MAX_STEPS):
        profile(s, reals(s.out), reals(s.delta))
        if spent(s) or not (_shorten_single(s) or _shorten_line(s) or _unswap(s)):
            break
    copy(reals(s.best), reals(s.x), s.n_columns)
    return row_distance(s)


@kernel
def _shorten_single(s: State) -> bool:
    """Move one column nearer to where it was, still beyond the decision: the farthest that can."""
    chosen, chosen_slot, chosen_far = whole(-1), whole(-1), 0.0
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        away = distance(s, column, reals(s.x)[column])
        if away > chosen_far:
            slot = _nearer_slot(s, column, away)
            if slot >= 0:
                chosen, chosen_slot, chosen_far = column, slot, away
    if chosen < 0:
        return False
    move_to(s, chosen, chosen_slot)
    return True


@kernel
def _nearer_slot(s: State, column: int, away: float) -> int:
    """The slot nearest to where a column was, nearer than `away`, that keeps the row beyond the decision; else -1."""
    far, start = reals(s.far), ints(s.start)[column]
    own = start + ints(s.bins)[column]
    nearest, chosen = away, -1
    for slot in range(start, start + ints(s.size)[column] + 1):
        if far[slot] < nearest:
            arrived = slot == own or gap_at(s, reals(s.out), reals(s.delta), slot) > s.aim_guard
            if arrived and single_holds(s, column, reals(s.value)[slot]):
                nearest, chosen = far[slot], whole(slot)
    return chosen


@kernel
def _shorten_line(s: State) -> bool:
    """Take tied columns back together, where that neither lengthens the way nor costs as much."""
    far, cost = row_distance(s), row_cost(s)
    for line in range(s.n_lines):
        primary = ints(s.primary)[line]
        away = distance(s, primary, reals(s.x)[primary]) if primary >= 0 else 0.0
        if away > 0.0 and (line < s.n_base or _partner_moved(s, line)):
            start = ints(s.start)[primary]
            for slot in range(start, start + ints(s.size)[primary] + 1):
                if reals(s.far)[slot] < away:
                    if tie(s, line, reals(s.value)[slot]) and _cheaper(s, far, cost):
                        keep(s)
                        return True
                    drop(s)
    return False


@kernel
def _partner_moved(s: State, line: int) -> bool:
    partner = ints(s.step_partner)[ints(s.step_at)[line]]
    return partner != ints(s.primary)[line] and reals(s.x)[partner] != reals(s.was)[partner]


@kernel
def _cheaper(s: State, far: float, cost: float) -> bool:
    """Whether the pending changes are worth keeping."""
    saves = row_distance(s) <= far and row_cost(s) < cost - GAIN
    return saves and foreseen(s) > s.aim_guard and measured(s) > s.aim_guard


@kernel
def _unswap(s: State) -> bool:
    """Give a one-hot group its first member back."""
    for line in range(s.n_lines):
        if ints(s.primary)[line] < 0:
            group = -1 - ints(s.primary)[line]
            first = ints(s.member_at)[group]
            for at in range(first, ints(s.member_at)[group + 1]):
                column = ints(s.member)[at]
                if reals(s.was)[column] == 1.0 and reals(s.x)[column] != 1.0:
                    if tie(s, line, float(at - first)) and measured(s) > s.aim_guard:
                        keep(s)
                        return True
                    drop(s)
    return False


@kernel
def _retreat(s: State, radius: float) -> bool:
    """Start from the best row so far, its far columns drawn into the box; False where the contract forbids that."""
    copy(reals(s.x), reals(s.best), s.n_columns)
    place(s)
    for column in range(s.n_columns):
        if distance(s, column, reals(s.x)[column]) > radius:
            assign(s, column, reals(s.value)[_outermost(s, column, radius)])
    possible = changes_hold(s) and row_distance(s) <= radius
    keep(s)
    return possible


@kernel
def _outermost(s: State, column: int, radius: float) -> int:
    """The allowed slot inside the box nearest to the column's present bin."""
    far, start = reals(s.far), ints(s.start)[column]
    own, best, apart = start + ints(s.bins)[column], start, -1
    for slot in range(start, start + ints(s.size)[column] + 1):
        if far[slot] <= radius and (apart < 0 or abs(slot - own) < apart):
            best, apart = whole(slot), abs(slot - own)
    return best


@kernel
def _stir(s: State, radius: float) -> None:
    """Move some of the free columns anywhere inside the box, as far as the relations allow."""
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        low, high = ints(s.reach_low)[column], ints(s.reach_high)[column]
        if draw(s) < STIRRED_SHARE and low < high:
            slot = ints(s.start)[column] + low + whole(draw(s) * (high - low))
            if reals(s.far)[slot] <= radius and single_holds(s, column, reals(s.value)[slot]):
                move_to(s, column, slot)


@kernel
def _arrive(s: State, radius: float, hard: int) -> bool:
    """Whether a climb inside the box arrives, from the best row so far, drawn into the box, or from the row itself.

    Where `hard`, it climbs one column at a time, and then from stirred rows.
    """
    open_reach(s, radius)
    again = s.restarts if radius < EVERYWHERE else LOST * s.restarts
    attempts = 2 + again if hard else 2
    for attempt in range(attempts):
        s.eager = whole(not hard or attempt >= 2)
        s.valley = LONG_VALLEY if hard else SHORT_VALLEY
        s.wide = whole(hard and radius == EVERYWHERE)
        if attempt % 2 == 1:
            reset(s)
        elif not (radius < EVERYWHERE and _retreat(s, radius)):
            continue
        if attempt >= 2:
            _stir(s, radius)
        if climb(s, radius):
            return True
        if spent(s):
            return False
    return False


@entry
def search_row(s: State) -> None:
    """Search the row in `was`; fills `best`, `found`, `floor` and `visited`.

    `found` is the least distance at which the row arrives, inf where none was found. Provably nothing arrives at a
    distance below `floor`. Bisection on the box first; what it leaves is tried again, the hard way, in any smaller box.
    """
    copy(reals(s.best), reals(s.was), s.n_columns)
    s.found, s.floor = np.inf, 0.0
    if not begin(s):
        return
    outputs(s, reals(s.out))
    if gap(s, reals(s.out)) > s.aim_guard:
        s.found = 0.0
        return
    s.floor = np.inf
    if _hopeless(s, EVERYWHERE):
        return
    s.found = _improve(s, EVERYWHERE, whole(0))
    if np.isinf(s.found):
        s.found = _improve(s, EVERYWHERE, whole(1))
    high = _rising(s)
    hopeful = _first_hopeful(s, high)
    high = _bisect(s, hopeful, high)
    s.forks = 0
    if not _settled(s, hopeful, high):
        _raise_floor(s, hopeful, _try_hard(s, hopeful, _fewer(s, high)))


@kernel
def _bisect(s: State, hopeful: int, high: int) -> int:
    """Easy climbs in boxes of the rising `radii`; how many are below the distance then found."""
    low = hopeful
    while low < high and np.isfinite(s.found) and not spent(s):
        middle = (low + high) // 2
        better = _improve(s, reals(s.radii)[middle], whole(0))
        if np.isfinite(better):
            s.found = better
            high = _fewer(s, high)
        else:
            low = middle + 1
    return high


@kernel
def _settled(s: State, hopeful: int, high: int) -> bool:
    """Search the box just below the distance found by splitting it, until that proves the distance, or gives up.

    Where columns are derived, boxes between two of the `radii` differ too.
    """
    answer = whole(NONE if hopeful == high and s.n_derived == 0 else ARRIVED)
    while answer == ARRIVED and s.found > 0.0 and not spent(s):
        s.fork_limit = s.forks + FIRST_FORKS
        answer = settle(s, min(EVERYWHERE, s.found * CLOSER))
        if answer == ARRIVED:
            s.found = pull_back(s)
    s.floor = s.found
    return answer == NONE


@kernel
def _try_hard(s: State, hopeful: int, high: int) -> int:
    while hopeful < high and np.isfinite(s.found) and not spent(s):
        better = _improve(s, s.found * CLOSER, whole(1))
        if np.isinf(better):
            break
        s.found = better
        high = _fewer(s, high)
    return high


@kernel
def _raise_floor(s: State, hopeful: int, high: int) -> None:
    """Set `floor` to the greatest of the `radii` that splitting proves too small."""
    top = high
    while hopeful < high and not spent(s):
        middle = (hopeful + high) // 2
        s.fork_limit = s.forks + FLOOR_FORKS
        answer = settle(s, reals(s.radii)[middle])
        if answer == NONE:
            hopeful = middle + 1
        elif answer == ARRIVED:
            s.found = pull_back(s)
            high = _fewer(s, high)
        else:
            high = middle
    if s.n_derived > 0:
        s.floor = reals(s.radii)[hopeful - 1] if hopeful > 0 else 0.0
    else:
        s.floor = min(s.found, reals(s.radii)[hopeful] if hopeful < top else np.inf)


@kernel
def _improve(s: State, radius: float, hard: int) -> float:
    """The distance of an arrival inside the box, pulled back and remembered; inf where none was found."""
    return pull_back(s) if _arrive(s, radius, hard) else np.inf


@kernel
def _fewer(s: State, size: int) -> int:
    """How many of the first `size` radii are below the distance found."""
    while size > 0 and reals(s.radii)[size - 1] >= s.found:
        size -= 1
    return size


@kernel
def _hopeless(s: State, radius: float) -> bool:
    """Whether no row in the box can arrive."""
    open_reach(s, radius)
    return best_case(s) <= -s.aim_guard


@kernel
def _first_hopeful(s: State, size: int) -> int:
    """How many of the rising `radii` are too small for any arrival."""
    low, high = whole(0), size
    while low < high and not spent(s):
        middle = (low + high) // 2
        if _hopeless(s, reals(s.radii)[middle]):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _rising(s: State) -> int:
    """Fill `radii` with the distances below `found`, in rising order, at which some bin comes into reach; how many."""
    size = whole(0)
    for slot in range(s.n_slots):
        if 0.0 < reals(s.far)[slot] < s.found:
            reals(s.radii)[size] = reals(s.far)[slot]
            size += 1
    values = reals(s.radii)
    for root in range(size // 2 - 1, -1, -1):
        _sift(values, root, size)
    for end in range(size - 1, 0, -1):
        values[0], values[end] = values[end], values[0]
        _sift(values, whole(0), whole(end))
    return size


@kernel
def _sift(values: RealArray, root: int, size: int) -> None:
    """One step of a heap sort."""
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and values[child] < values[child + 1]:
            child += 1
        if values[root] >= values[child]:
            return
        values[root], values[child] = values[child], values[root]
        root = child

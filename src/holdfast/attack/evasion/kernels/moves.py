"""The moves: one column alone, several tied together by the contract, two at once."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.forest import find_bin, outputs, profile
from holdfast.attack.evasion.kernels.jit import RealArray, ints, kernel, reals, whole
from holdfast.attack.evasion.kernels.row import copy, gap, gap_at, keep, move_to, place, spent
from holdfast.attack.evasion.kernels.rules import (
    CATEGORY,
    INTEGER,
    assign,
    changes_distance,
    changes_hold,
    distance,
    drop,
    relation_holds,
    row_state,
    single_holds,
    solve,
)
from holdfast.attack.evasion.kernels.state import State
from holdfast.attack.evasion.kernels.sums import account, row_fits, row_toll, single_extra, single_fits, worth

GAIN = 1e-12
"""A gap must grow by more than this to count as progress."""
SECANT_STEPS = 12
OPTION_NODES = 16
"""What an option of a line costs, in nodes of the budget."""
NARROW, WIDE = 16, 96
"""Moves looked at more closely, out of all that look good."""


@kernel
def best_single(s: State, radius: float, out: RealArray, delta: RealArray) -> tuple[int, int, float, float]:
    """(column, slot, gap, worth) of the best move of one column inside `radius`; column -1 where there is none.

    Among moves that arrive, the shortest is best; else the one that is worth most.
    """
    far, now = reals(s.far), gap(s, out)
    best, best_worth, best_column, best_slot, best_extra = -np.inf, -np.inf, -1, -1, np.inf
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        start = ints(s.start)[column]
        low, high = start + ints(s.reach_low)[column], start + ints(s.reach_high)[column]
        last, own = start + ints(s.size)[column], start + ints(s.bins)[column]
        slot = low
        while slot <= last:
            if far[slot] <= radius and slot != own:
                found, extra = gap_at(s, out, delta, slot), single_extra(s, column, slot)
                value, arrives = worth(s, found, now, extra), found > s.aim_guard
                better = arrives and extra < best_extra if best > s.aim_guard else arrives or value > best_worth
                if better and single_holds(s, column, reals(s.value)[slot]) and single_fits(s, column, slot):
                    best, best_worth, best_column, best_slot, best_extra = found, value, column, slot, extra
            slot = slot + 1 if slot + 1 < high or slot >= high else last
    return best_column, best_slot, best, best_worth


@kernel
def step_all(s: State, radius: float, level: float) -> bool:
    """Make the best move of every column that gains by itself, if together they reach a gap above `level`."""
    now = gap(s, reals(s.out))
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        slot = _best_slot(s, column, radius, now + GAIN)
        if slot >= 0:
            assign(s, column, reals(s.value)[slot])
    if s.n_changes > 1 and row_fits(s) and measured(s) > level + GAIN:
        keep(s)
        return True
    drop(s)
    return False


@kernel
def _best_slot(s: State, column: int, radius: float, above: float) -> int:
    """The slot to which moving one column alone gives the largest gap, larger than `above`; -1 where there is none."""
    far, start, chosen = reals(s.far), ints(s.start)[column], -1
    low, high = start + ints(s.reach_low)[column], start + ints(s.reach_high)[column]
    last, own = start + ints(s.size)[column], start + ints(s.bins)[column]
    slot = low
    while slot <= last:
        if far[slot] <= radius and slot != own:
            found = gap_at(s, reals(s.out), reals(s.delta), slot)
            if found > above and single_holds(s, column, reals(s.value)[slot]) and single_fits(s, column, slot):
                above, chosen = found, slot
        slot = slot + 1 if slot + 1 < high or slot >= high else last
    return chosen


@kernel
def tie(s: State, line: int, value: float) -> bool:
    """Make the moves of a line, its first column taking `value` (or member number `value` of a one-hot group).

    Changes stay pending. False where the contract does not allow the row that results.
    """
    primary = ints(s.primary)[line]
    if primary < 0:
        _swap(s, -1 - primary, value)
        return changes_hold(s)
    assign(s, primary, value)
    for step in range(ints(s.step_at)[line], ints(s.step_at)[line + 1]):
        row, wanted = ints(s.step_row)[step], ints(s.step_wanted)[step]
        if relation_holds(s, ints(s.step_relation)[step]) or row_state(s, row) == wanted:
            continue
        fitting = solve(s, row, ints(s.step_partner)[step], wanted)
        if np.isnan(fitting):
            return False
        assign(s, ints(s.step_partner)[step], fitting)
    return changes_hold(s)


@kernel
def _swap(s: State, group: int, member: float) -> None:
    first = ints(s.member_at)[group]
    for at in range(first, ints(s.member_at)[group + 1]):
        column, wanted = ints(s.member)[at], 1.0 if at - first == member else 0.0
        if reals(s.x)[column] != wanted:
            assign(s, column, wanted)


@kernel
def foreseen(s: State) -> float:
    """The gap after the pending changes, if they did not interact."""
    out, delta = reals(s.out_ahead), reals(s.delta)
    copy(out, reals(s.out), s.n_outputs)
    for i in range(s.n_changes):
        column = ints(s.change_column)[i]
        at = find_bin(s, column, reals(s.x)[column])
        if at < 0:
            return -np.inf
        if at != ints(s.bins)[column]:
            for k in range(s.n_outputs):
                out[k] += delta[k * s.n_slots + ints(s.start)[column] + at]
    return gap(s, out)


@kernel
def measured(s: State) -> float:
    """The gap after the pending changes; the bins are left as they were."""
    bins, before = ints(s.bins), ints(s.change_bin)
    for i in range(s.n_changes):
        column = ints(s.change_column)[i]
        before[i] = bins[column]
        bins[column] = find_bin(s, column, reals(s.x)[column])
    outputs(s, reals(s.out_ahead))
    for i in range(s.n_changes):
        bins[ints(s.change_column)[i]] = before[i]
    return gap(s, reals(s.out_ahead))


@kernel
def line_values(s: State, line: int, radius: float, level: float) -> int:
    """Fill `options` with values of a line's first column worth trying; how many.

    One per bin of its own, and one for each bin of a derived column that follows it. Of a line that repairs, only
    those that alone would take the gap above `level`: if they were allowed, no repair would be needed.
    """
    primary, options, size = ints(s.primary)[line], reals(s.options), whole(0)
    if primary < 0:
        return _other_members(s, -1 - primary)
    start = ints(s.start)[primary]
    own = start + ints(s.bins)[primary]
    for slot in range(start, start + ints(s.size)[primary] + 1):
        if size == s.n_options or reals(s.far)[slot] > radius or slot == own:
            continue
        if line < s.n_base or gap_at(s, reals(s.out), reals(s.delta), slot) > level:
            options[size] = reals(s.value)[slot]
            size += 1
    if ints(s.step_at)[line] == ints(s.step_at)[line + 1] and ints(s.kind)[primary] != CATEGORY:
        for at in range(ints(s.affected_at)[primary], ints(s.affected_at)[primary + 1]):
            size = _crossings(s, primary, ints(s.derived_column)[ints(s.affected)[at]], radius, size)
    return size


@kernel
def _other_members(s: State, group: int) -> int:
    first, size = ints(s.member_at)[group], 0
    for at in range(first, ints(s.member_at)[group + 1]):
        if size < s.n_options and reals(s.x)[ints(s.member)[at]] != 1.0:
            reals(s.options)[size] = at - first
            size += 1
    return size


@kernel
def _crossings(s: State, primary: int, derived: int, radius: float, size: int) -> int:
    """Add the values of `primary` at which `derived` enters its other bins."""
    if np.isnan(reals(s.x)[primary]) or np.isnan(reals(s.x)[derived]):
        return size
    start = ints(s.start)[derived]
    here = start + ints(s.bins)[derived]
    for slot in range(start, start + ints(s.size)[derived]):
        if slot != here and size < s.n_options:
            edge = reals(s.low)[slot] if slot > here else reals(s.high)[slot]
            value = _value_at_edge(s, primary, derived, edge, slot > here)
            if not np.isnan(value) and distance(s, primary, value) <= radius:
                reals(s.options)[size] = value
                size += 1
    return size


@kernel
def _value_at_edge(s: State, primary: int, derived: int, edge: float, above: bool) -> float:
    """A value of `primary`, near its present one, that takes `derived` to `edge` or just beyond; NaN if none found.

    Secant steps: exact at once where the formula is linear in `primary`, a few rounds where it divides by it.
    """
    now, at_left = reals(s.x)[primary], reals(s.x)[derived]
    whole = ints(s.kind)[primary] == INTEGER
    left, right = now, now + (1.0 if whole else 1e-3 * reals(s.scale)[primary])
    for _ in range(SECANT_STEPS):
        at_right = _derived_at(s, primary, derived, right)
        if left != now and (at_right >= edge if above else at_right <= edge):
            return right
        if not np.isfinite(at_right) or at_right == at_left:
            return np.nan
        aim = right + (edge - at_right) * (right - left) / (at_right - at_left)
        aim += (aim - now) * 1e-12
        left, at_left = right, at_right
        right = aim if not whole else (np.ceil(aim) if aim > now else np.floor(aim))
    return np.nan


@kernel
def _derived_at(s: State, primary: int, derived: int, value: float) -> float:
    assign(s, primary, value)
    found = reals(s.x)[derived]
    drop(s)
    return found


@kernel
def best_line(s: State, first: int, last: int, radius: float, level: float, bar: float) -> tuple[int, float]:
    """(line, value) of the best of lines first .. last; line -1 where none has a gap above `level`, or is worth `bar`.

    Every option is judged by the sum of its single effects; the best few are then measured.
    """
    s.short_size = 0
    now = gap(s, reals(s.out))
    for line in range(first, last):
        size = line_values(s, line, radius, level)
        s.visited += OPTION_NODES * size
        for i in range(size):
            value = reals(s.options)[i]
            if tie(s, line, value) and changes_distance(s) <= radius and row_fits(s):
                hoped = foreseen(s)
                if hoped > level + GAIN:
                    shortlist(s, line, value, _pending_worth(s, hoped, now))
            drop(s)
    best, chosen, chosen_value = bar, -1, 0.0
    for i in range(s.short_size):
        tie(s, ints(s.short_line)[i], reals(s.short_value)[i])
        found = measured(s)
        value = _pending_worth(s, found, now)
        drop(s)
        if found > level + GAIN and value > best:
            best, chosen, chosen_value = value, ints(s.short_line)[i], reals(s.short_value)[i]
    return chosen, chosen_value


@kernel
def _pending_worth(s: State, found: float, now: float) -> float:
    return worth(s, found, now, row_toll(s, s.norm) - reals(s.spent)[s.norm]) if s.greed != 0 else found


@kernel
def shortlist(s: State, line: int, value: float, hoped: float) -> None:
    """Keep an option if it is among the best."""
    hopes = reals(s.short_hope)
    at = whole(s.short_size)
    if at == s.n_short:
        at = 0
        for i in range(1, s.n_short):
            if hopes[i] < hopes[at]:
                at = whole(i)
        if hoped <= hopes[at]:
            return
    else:
        s.short_size += 1
    ints(s.short_line)[at], reals(s.short_value)[at], hopes[at] = line, value, hoped


@kernel
def step(s: State, radius: float, level: float, repair: int) -> bool:
    """Make the best move that raises the gap above `level`, after `profile`: of one column, of several that gain, tied.

    Where none does and `repair` is wanted, a move with what repairs its relation. False where nothing gains.
    """
    column, slot, found, value_alone = best_single(s, radius, reals(s.out), reals(s.delta))
    alone = column >= 0 and found > level + GAIN
    bar = value_alone if alone else -np.inf
    line, value = best_line(s, whole(0), s.n_base, radius, found if alone and s.greed == 0 else level, bar)
    if line < 0 and not alone and repair:
        line, value = best_line(s, s.n_base, s.n_lines, radius, level, -np.inf)
    if line >= 0:
        tie(s, line, value)
        keep(s)
    elif alone and (found > s.aim_guard or s.eager == 0 or not step_all(s, radius, found)):
        move_to(s, column, slot)
    return line >= 0 or alone


@kernel
def step_across(s: State, radius: float, level: float) -> bool:
    """Cross a valley: a move that loses, then `valley` moves at most that more than make up for it. False if none do.

    The first move is the least bad of some column or line, the least bad of all first.
    """
    first = _first_moves(s, radius)
    copy(reals(s.x_before), reals(s.x), s.n_columns)
    for _ in range(first):
        if spent(s):
            break
        line, value = _next_first(s, first)
        _make(s, line, value)
        for _ in range(s.valley):
            profile(s, reals(s.out), reals(s.delta))
            account(s)
            now = gap(s, reals(s.out))
            if now > level + GAIN:
                return True
            if not step(s, radius, now, whole(0)):
                break
        outputs(s, reals(s.out))
        if gap(s, reals(s.out)) > level + GAIN:
            return True
        copy(reals(s.x), reals(s.x_before), s.n_columns)
        place(s)
    return False


@kernel
def _make(s: State, line: int, value: float) -> None:
    if line < 0:
        move_to(s, -1 - line, whole(value))
    else:
        tie(s, line, value)
        keep(s)


@kernel
def _first_moves(s: State, radius: float) -> int:
    """Fill `first_*` with the single or tied moves that lose least; how many.

    One for each column and line; where `wide`, any number of bins of a column.
    """
    s.short_size = 0
    s.n_short = WIDE if s.wide else NARROW
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        if s.wide:
            _shortlist_column(s, column, radius)
        else:
            slot = _best_slot(s, column, radius, -np.inf)
            if slot >= 0:
                shortlist(s, -1 - column, float(slot), gap_at(s, reals(s.out), reals(s.delta), slot))
    for line in range(s.n_base):
        best, best_value = -np.inf, 0.0
        for i in range(line_values(s, line, radius, -np.inf)):
            value = reals(s.options)[i]
            if tie(s, line, value) and changes_distance(s) <= radius and row_fits(s):
                hoped = foreseen(s)
                if hoped > best:
                    best, best_value = hoped, value
            drop(s)
        if best > -np.inf:
            shortlist(s, line, best_value, best)
    for i in range(s.short_size):
        ints(s.first_line)[i], reals(s.first_value)[i] = ints(s.short_line)[i], reals(s.short_value)[i]
        reals(s.first_hope)[i] = reals(s.short_hope)[i]
    s.n_short = NARROW
    return s.short_size


@kernel
def _shortlist_column(s: State, column: int, radius: float) -> None:
    """Shortlist every bin of a column that changes the gap in its own way."""
    start, before = ints(s.start)[column], np.nan
    own = start + ints(s.bins)[column]
    for slot in range(start, start + ints(s.size)[column] + 1):
        if reals(s.far)[slot] <= radius and slot != own:
            found = gap_at(s, reals(s.out), reals(s.delta), slot)
            new = found != before and single_fits(s, column, slot)
            if new and single_holds(s, column, reals(s.value)[slot]):
                shortlist(s, -1 - column, float(slot), found)
                before = found


@kernel
def _next_first(s: State, size: int) -> tuple[int, float]:
    """Take the most hopeful of the first moves that are left."""
    hopes, best = reals(s.first_hope), 0
    for i in range(size):
        if hopes[i] > hopes[best]:
            best = i
    hopes[best] = -np.inf
    return ints(s.first_line)[best], reals(s.first_value)[best]

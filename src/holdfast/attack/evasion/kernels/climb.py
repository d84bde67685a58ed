"""Climbing the gap inside a box, and pulling back what an arrival does not need."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.forest import find_bin, profile
from holdfast.attack.evasion.kernels.jit import ints, kernel, reals, whole
from holdfast.attack.evasion.kernels.moves import GAIN, foreseen, measured, step, step_across, tie
from holdfast.attack.evasion.kernels.reach import open_reach
from holdfast.attack.evasion.kernels.row import copy, draw, gap, gap_at, keep, move_to, place, reset, spent
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
from holdfast.attack.evasion.kernels.sums import LINF, account, row_fits, row_toll, single_fits, toll

MAX_STEPS = 200
"""Steps of one climb: each raises the gap, so this only bounds pathological models."""
STIRRED_SHARE = 0.3
SHORT_VALLEY = 2
LONG_VALLEY = 4
"""Moves that may follow one that loses."""
LOST = 8
"""Times as many restarts while no arrival is known at all."""


@kernel
def climb(s: State, radius: float) -> bool:
    """Steepest ascent of the gap from the present row inside the box, over small valleys; whether it arrived."""
    for _ in range(MAX_STEPS):
        profile(s, reals(s.out), reals(s.delta))
        account(s)
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
    return row_toll(s, s.norm)


@kernel
def _shorten_single(s: State) -> bool:
    """Move one column nearer to where it was, still beyond the decision: the farthest, or what saves most."""
    chosen, chosen_slot, most = whole(-1), whole(-1), 0.0
    for p in range(s.n_plain):
        column = ints(s.plain)[p]
        away = distance(s, column, reals(s.x)[column])
        saved = toll(s, s.norm, column, away)
        if saved > most:
            slot = _nearer_slot(s, column, away)
            if slot >= 0 and s.norm != LINF:
                saved -= toll(s, s.norm, column, reals(s.far)[slot])
            if slot >= 0 and saved > most:
                chosen, chosen_slot, most = column, slot, saved
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
    far, cost = row_toll(s, s.norm), _second(s)
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
    saves = row_toll(s, s.norm) <= far and _second(s) < cost - GAIN and row_fits(s)
    return saves and foreseen(s) > s.aim_guard and measured(s) > s.aim_guard


@kernel
def _second(s: State) -> float:
    """What must fall: in L-inf the cost, as most columns do not count there."""
    return row_cost(s) if s.norm == LINF else row_toll(s, s.norm)


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
    return possible and (s.capped == 0 or _give_back(s))


@kernel
def _give_back(s: State) -> bool:
    """Return columns to where they were, those first that gain least for what they add, until all totals fit."""
    for _ in range(s.n_columns):
        if row_fits(s):
            return True
        profile(s, reals(s.out), reals(s.delta))
        chosen, least, now = whole(-1), np.inf, gap(s, reals(s.out))
        for p in range(s.n_plain):
            column = ints(s.plain)[p]
            added = toll(s, s.norm, column, distance(s, column, reals(s.x)[column]))
            if added > 0.0:
                slot = ints(s.start)[column] + find_bin(s, column, reals(s.was)[column])
                loss = (now - gap_at(s, reals(s.out), reals(s.delta), slot)) / added
                if loss < least and single_holds(s, column, reals(s.was)[column]):
                    chosen, least = column, loss
        if chosen < 0:
            return False
        assign(s, chosen, reals(s.was)[chosen])
        keep(s)
    return False


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
            account(s)
            fits = reals(s.far)[slot] <= radius and single_fits(s, column, slot)
            if fits and single_holds(s, column, reals(s.value)[slot]):
                move_to(s, column, slot)


@kernel
def arrive(s: State, radius: float, hard: int) -> bool:
    """Whether a climb inside the box arrives, from the best row so far, drawn into the box, or from the row itself.

    Where `hard`, it climbs one column at a time, and then from stirred rows.
    """
    open_reach(s, radius)
    lost = np.isinf(s.found)
    again = LOST * s.restarts if lost else s.restarts
    attempts = 2 + again if hard else 2
    for attempt in range(attempts):
        s.eager = whole((not hard or attempt >= 2) and s.norm == LINF)
        s.greed = whole(s.norm != LINF and attempt % 4 < 2)
        s.valley = LONG_VALLEY if hard else SHORT_VALLEY
        s.wide = whole(hard and lost)
        if attempt % 2 == 1:
            reset(s)
        elif lost or not _retreat(s, radius):
            continue
        if attempt >= 2:
            _stir(s, radius)
        if climb(s, radius):
            return True
        if spent(s):
            return False
    return False

"""One row under attack: its bins, the nearest allowed value in each, and how far beyond the decision it stands."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.forest import find_bin
from holdfast.attack.evasion.kernels.jit import RealArray, ints, kernel, reals, whole
from holdfast.attack.evasion.kernels.rules import ANY, CATEGORY, DOWN, INTEGER, NEVER, UP, assign, distance
from holdfast.attack.evasion.kernels.state import LEVEL, State


@kernel
def copy(target: RealArray, source: RealArray, size: int) -> None:
    """Fill an array from another."""
    for i in range(size):
        target[i] = source[i]


@kernel
def gap(s: State, out: RealArray) -> float:
    """How far outputs are beyond the decision; negative: not there yet."""
    if s.aim_mode == LEVEL:
        return s.aim_sign * (out[s.aim_output] - s.aim_level)
    rival = -np.inf
    for k in range(s.n_outputs):
        if k != s.aim_output:
            rival = max(rival, out[k])
    return out[s.aim_output] - rival - s.aim_level


@kernel
def gap_at(s: State, out: RealArray, delta: RealArray, slot: int) -> float:
    """The gap after the single change that `slot` stands for."""
    own = s.aim_output
    if s.aim_mode == LEVEL:
        return s.aim_sign * (out[own] + delta[own * s.n_slots + slot] - s.aim_level)
    rival = -np.inf
    for k in range(s.n_outputs):
        if k != own:
            rival = max(rival, out[k] + delta[k * s.n_slots + slot])
    return out[own] + delta[own * s.n_slots + slot] - rival - s.aim_level


@kernel
def begin(s: State) -> bool:
    """Put the row in `was` under attack. False if the model has no bin for one of its values."""
    was, value, far = reals(s.was), reals(s.value), reals(s.far)
    s.visited = 0
    for column in range(s.n_columns):
        place = find_bin(s, column, was[column])
        if place < 0:
            return False
        start = ints(s.start)[column]
        last = start + ints(s.size)[column]
        for slot in range(start, last + 1):
            value[slot] = _nearest(s, column, slot)
            far[slot] = np.inf if np.isnan(value[slot]) else distance(s, column, value[slot])
        if ints(s.missing)[column] != 0 and ints(s.move)[column] == ANY:
            value[last], far[last] = np.nan, distance(s, column, np.nan)
        value[start + place], far[start + place] = was[column], 0.0
    reset(s)
    return True


@kernel
def _nearest(s: State, column: int, slot: int) -> float:
    """The value inside a bin nearest to where the column was that it may take; NaN where there is none."""
    move, was = ints(s.move)[column], reals(s.was)[column]
    low, high = reals(s.low)[slot], reals(s.high)[slot]
    if move == NEVER or np.isnan(low) or (np.isnan(was) and move != ANY):
        return np.nan
    if ints(s.kind)[column] != CATEGORY:
        low, high = max(low, reals(s.least)[column]), min(high, reals(s.most)[column])
    if ints(s.kind)[column] == INTEGER:
        low, high = np.ceil(low), np.floor(high)
    if move == UP:
        low = max(low, was)
    elif move == DOWN:
        high = min(high, was)
    if low > high:
        return np.nan
    return min(max(0.0 if np.isnan(was) else was, low), high)


@kernel
def reset(s: State) -> None:
    """Back to the row before the attack."""
    copy(reals(s.x), reals(s.was), s.n_columns)
    s.n_changes = 0
    place(s)


@kernel
def place(s: State) -> None:
    """Look up every column's bin."""
    for column in range(s.n_columns):
        ints(s.bins)[column] = find_bin(s, column, reals(s.x)[column])


@kernel
def keep(s: State) -> None:
    """Make the pending changes final."""
    for i in range(s.n_changes):
        column = ints(s.change_column)[i]
        ints(s.bins)[column] = find_bin(s, column, reals(s.x)[column])
    s.n_changes = 0


@kernel
def move_to(s: State, column: int, slot: int) -> None:
    """Move one column to the nearest allowed value of a slot, for good."""
    assign(s, column, reals(s.value)[slot])
    keep(s)


@kernel
def spent(s: State) -> bool:
    """Whether the row's budget of nodes is used up."""
    return s.visited >= s.limit


@kernel
def draw(s: State) -> float:
    """A number in [0, 1) (xorshift64*)."""
    bits = np.uint64(s.random)
    bits ^= bits >> np.uint64(12)
    bits ^= bits << np.uint64(25)
    bits ^= bits >> np.uint64(27)
    s.random = whole(bits)
    return np.float64((bits * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0

"""Splitting a box: a row that arrives, or the proof that none does, or neither within a number of parts."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.bound import best_case
from holdfast.attack.evasion.kernels.forest import find_bin
from holdfast.attack.evasion.kernels.jit import ints, kernel, reals, whole, words
from holdfast.attack.evasion.kernels.moves import measured
from holdfast.attack.evasion.kernels.reach import open_reach
from holdfast.attack.evasion.kernels.row import keep, reset, spent
from holdfast.attack.evasion.kernels.rules import NEVER, assign, changes_hold, drop
from holdfast.attack.evasion.kernels.state import TOP, State
from holdfast.attack.evasion.kernels.sums import LEAST_TOLL, SUMS, fits_caps, least_far, row_fits, toll
from holdfast.attack.evasion.kernels.votes import ABOVE, BELOW, NOT, ONLY, count_votes, take_votes

FORKS = 256
"""Splits on the way to one part."""
NONE, ARRIVED, UNSURE = 0, 1, 2


@kernel
def settle(s: State, radius: float) -> int:
    """Search the box depth first: ARRIVED (in `x`), NONE (a proof), or UNSURE."""
    open_reach(s, radius)
    _remember(s)
    depth, doubt = whole(0), whole(0)
    while True:
        s.forks += 1
        split = whole(0)
        _narrow_to(s, depth)
        if _promising(s, radius) and _choose(s, radius):
            if _chosen_arrives(s):
                keep(s)
                return ARRIVED
            drop(s)
            split = _split(s, depth, radius)
            if split == 0:
                doubt = whole(1)
        if split:
            depth += 1
        else:
            while depth > 0 and ints(s.fork_open)[depth - 1] == 0:
                depth -= 1
            if depth == 0:
                return UNSURE if doubt else NONE
            ints(s.fork_kind)[depth - 1] ^= 1
            ints(s.fork_open)[depth - 1] = 0
        if s.forks >= s.fork_limit or spent(s):
            return UNSURE


@kernel
def _promising(s: State, radius: float) -> bool:
    """Whether some row in the part may arrive; votes are taken on the way."""
    if s.capped != 0 and not _affordable(s, radius):
        return False
    if s.aim_mode == TOP and best_case(s) <= -s.aim_guard:
        return False
    return take_votes(s) > -s.aim_guard


@kernel
def _affordable(s: State, radius: float) -> bool:
    """Note how far each column must move in the part; whether the totals leave room for that."""
    s.part_radius = radius
    for norm in SUMS:
        reals(s.part_spent)[norm] = 0.0
    for column in range(s.n_columns):
        far = 0.0
        if _free(s, column) and ints(s.masked)[column] == 0 and ints(s.reach_missing)[column] == 0:
            far = least_far(s, column, ints(s.reach_low)[column], ints(s.reach_high)[column], radius)
        reals(s.part_far)[column] = far
        if far > 0.0:
            for norm in SUMS:
                reals(s.part_spent)[norm] += toll(s, norm, column, far)
    return fits_caps(s, reals(s.part_spent))


@kernel
def _economise(s: State) -> None:
    """Leave columns where they were that gain the votes least for what they add, until all totals fit."""
    for column in range(s.n_columns):
        slot = ints(s.start)[column] + ints(s.choice)[column]
        far = reals(s.far)[slot] if _free(s, column) else 0.0
        for norm in SUMS:
            reals(s.spent)[norm] = (0.0 if column == 0 else reals(s.spent)[norm]) + toll(s, norm, column, far)
    for _ in range(s.n_columns):
        if fits_caps(s, reals(s.spent)):
            return
        chosen, least = whole(-1), np.inf
        for column in range(s.n_columns):
            start, choice, own = ints(s.start)[column], ints(s.choice)[column], ints(s.bins)[column]
            if _free(s, column) and choice != own and _in_reach(s, column, own):
                gain = reals(s.loss)[start + own] - reals(s.loss)[start + choice]
                gain /= max(LEAST_TOLL, toll(s, s.norm, column, reals(s.far)[start + choice]))
                if gain < least:
                    chosen, least = column, gain
        if chosen < 0:
            return
        for norm in SUMS:
            far = reals(s.far)[ints(s.start)[chosen] + ints(s.choice)[chosen]]
            reals(s.spent)[norm] -= toll(s, norm, chosen, far)
        ints(s.choice)[chosen] = ints(s.bins)[chosen]


@kernel
def _in_reach(s: State, column: int, place: int) -> bool:
    if ints(s.masked)[column] != 0:
        word = words(s.reach_mask)[ints(s.word)[column] + (place >> 6)]
        return bool((word >> np.uint64(place & 63)) & np.uint64(1) != np.uint64(0))
    if place == ints(s.size)[column]:
        return ints(s.reach_missing)[column] != 0
    return ints(s.reach_low)[column] <= place < ints(s.reach_high)[column]


@kernel
def _remember(s: State) -> None:
    for column in range(s.n_columns):
        ints(s.kept_low)[column], ints(s.kept_high)[column] = ints(s.reach_low)[column], ints(s.reach_high)[column]
        ints(s.kept_missing)[column] = ints(s.reach_missing)[column]
    for w in range(ints(s.word)[s.n_columns]):
        words(s.kept_mask)[w] = words(s.reach_mask)[w]


@kernel
def _narrow_to(s: State, depth: int) -> None:
    """Leave in reach what the splits so far leave."""
    for column in range(s.n_columns):
        ints(s.reach_low)[column], ints(s.reach_high)[column] = ints(s.kept_low)[column], ints(s.kept_high)[column]
        ints(s.reach_missing)[column] = ints(s.kept_missing)[column]
    for w in range(ints(s.word)[s.n_columns]):
        words(s.reach_mask)[w] = words(s.kept_mask)[w]
    for i in range(depth):
        _take_part(s, ints(s.fork_column)[i], ints(s.fork_at)[i], ints(s.fork_kind)[i])


@kernel
def _take_part(s: State, column: int, at: int, kind: int) -> None:
    lows, highs, missings = ints(s.reach_low), ints(s.reach_high), ints(s.reach_missing)
    if kind == BELOW:
        highs[column] = min(highs[column], at)
    elif kind == ABOVE:
        lows[column], missings[column] = max(lows[column], at), 0
    elif ints(s.masked)[column] == 0:
        if kind == ONLY:
            lows[column] = highs[column]
        else:
            missings[column] = 0
    else:
        first, bit = ints(s.word)[column], np.uint64(1) << np.uint64(at & 63)
        for w in range(first, ints(s.word)[column + 1]):
            mine = bit if w == first + (at >> 6) else np.uint64(0)
            words(s.reach_mask)[w] &= mine if kind == ONLY else ~mine


@kernel
def _free(s: State, column: int) -> bool:
    return ints(s.move)[column] != NEVER and ints(s.derived)[column] == 0


@kernel
def _choose(s: State, radius: float) -> bool:
    """Choose the bins that cost the votes least; False where some column has none."""
    s.split_score, s.split_column = 0.0, -1
    for column in range(s.n_columns):  # noqa: SIM110
        if _free(s, column) and not count_votes(s, column, radius):
            return False
    return True


@kernel
def _chosen_arrives(s: State) -> bool:
    """Whether the row of the chosen bins is allowed and beyond the decision; its changes stay pending."""
    reset(s)
    if s.capped != 0:
        _economise(s)
    for column in range(s.n_columns):
        if _free(s, column) and ints(s.choice)[column] != ints(s.bins)[column]:
            assign(s, column, reals(s.value)[ints(s.start)[column] + ints(s.choice)[column]])
    for group in range(s.n_groups):
        _one_member(s, group)
    return changes_hold(s) and row_fits(s) and measured(s) > s.aim_guard


@kernel
def _one_member(s: State, group: int) -> None:
    """Of a one-hot group, the member that the votes want most."""
    first, last = ints(s.member_at)[group], ints(s.member_at)[group + 1]
    best, chosen = -np.inf, whole(-1)
    for at in range(first, last):
        column = ints(s.member)[at]
        wish = _loss_of(s, column, 0.0) - _loss_of(s, column, 1.0)
        if wish > best or (wish == best and reals(s.was)[column] == 1.0):
            best, chosen = wish, column
    for at in range(first, last):
        column = ints(s.member)[at]
        wanted = 1.0 if column == chosen else 0.0
        if reals(s.x)[column] != wanted:
            assign(s, column, wanted)


@kernel
def _loss_of(s: State, column: int, value: float) -> float:
    """What the votes lose where a column takes a value; much where it is out of reach."""
    place = find_bin(s, column, value)
    inside = place >= 0 and _free(s, column) and _in_reach(s, column, place)
    return reals(s.loss)[ints(s.start)[column] + place] if inside else 1e9


@kernel
def _split(s: State, depth: int, radius: float) -> int:
    """Note the next split, the part with the chosen bins first; 0 where nothing is left to split."""
    if depth == FORKS:
        return whole(0)
    if s.split_column < 0 and not _split_anywhere(s, radius):
        return whole(0)
    column, at, kind = s.split_column, s.split_at, s.split_kind
    if kind == BELOW and ints(s.choice)[column] >= at and ints(s.choice)[column] < ints(s.size)[column]:
        kind = whole(ABOVE)
    if kind == ONLY and ints(s.choice)[column] != at:
        kind = whole(NOT)
    ints(s.fork_column)[depth], ints(s.fork_at)[depth], ints(s.fork_kind)[depth] = column, at, kind
    ints(s.fork_open)[depth] = 1
    return whole(1)


@kernel
def _split_anywhere(s: State, radius: float) -> bool:
    """All trees agree, but the contract forbids their row: part a column at the chosen bin, moved columns first."""
    best = whole(0)
    for column in range(s.n_columns):
        if _free(s, column):
            moved = whole(ints(s.choice)[column] != ints(s.bins)[column])
            size = _part_at_choice(s, column, radius)
            if size > 1 and (moved + 1) * 100000 + size > best:
                best = (moved + 1) * 100000 + size
                s.split_column = column
    if best == 0:
        return False
    column = s.split_column
    _part_at_choice(s, column, radius)
    return True


@kernel
def _part_at_choice(s: State, column: int, radius: float) -> int:
    """Set the split of a column beside its chosen bin; how many usable bins it has."""
    start, chosen, usable, under = ints(s.start)[column], ints(s.choice)[column], whole(0), whole(0)
    for k in range(ints(s.size)[column] + 1):
        if _in_reach(s, column, whole(k)) and reals(s.far)[start + k] <= radius:
            usable += 1
            under += whole(k < chosen)
    s.split_at, s.split_kind = chosen, whole(ONLY)
    if ints(s.masked)[column] == 0 and chosen < ints(s.size)[column]:
        s.split_at, s.split_kind = chosen + whole(under == 0), whole(BELOW)
    return usable

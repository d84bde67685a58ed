"""The search: a first arrival, then ever nearer ones, and what is proven on the way."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.bound import best_case
from holdfast.attack.evasion.kernels.branch import ARRIVED, NONE, UNSURE, settle
from holdfast.attack.evasion.kernels.climb import arrive, pull_back
from holdfast.attack.evasion.kernels.forest import outputs
from holdfast.attack.evasion.kernels.jit import RealArray, entry, kernel, reals, whole
from holdfast.attack.evasion.kernels.reach import open_reach
from holdfast.attack.evasion.kernels.row import begin, copy, gap, spent
from holdfast.attack.evasion.kernels.state import State
from holdfast.attack.evasion.kernels.sums import L0, LINF

CLOSER = 1 - 1e-9
FIRST_FORKS, FLOOR_FORKS = 1000, 300
"""Parts of the box just below the distance found, and of the smaller ones that raise the floor."""
FLOOR_STEPS = 8


@entry
def search_row(s: State) -> None:
    """Search the row in `was`; fills `best`, `found`, `floor` and `visited`.

    `found` is the least distance at which the row arrives, inf where none was found. Provably nothing arrives at a
    distance below `floor`. Both are in the norm of the goal, squared for L2.
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
    if _hopeless(s, reals(s.caps)[LINF]):
        return
    s.forks = 0
    s.found = _improve(s, reals(s.caps)[LINF], whole(0))
    if np.isinf(s.found):
        s.found = _improve(s, reals(s.caps)[LINF], whole(1))
    if s.norm == LINF:
        _least_box(s)
    else:
        _least_total(s)


@kernel
def _least_box(s: State) -> None:
    """Bisect on the box; what that leaves is searched by splitting, then the hard way, in any smaller box."""
    high = _rising(s)
    hopeful = _first_hopeful(s, high)
    high = _bisect(s, hopeful, high)
    if not _settled(s, hopeful, high):
        _raise_floor(s, hopeful, _try_hard(s, hopeful, _fewer(s, high)))


@kernel
def _least_total(s: State) -> None:
    """Ever smaller totals: climbs, then splits, then climbs the hard way, while any of them arrives."""
    most = reals(s.caps)[s.norm]
    answer = whole(ARRIVED)
    while answer != NONE and s.found > 0.0 and not spent(s):
        reals(s.caps)[s.norm] = min(most, _below(s))
        better = _improve(s, reals(s.caps)[LINF], whole(answer == UNSURE)) if np.isfinite(s.found) else np.inf
        if np.isinf(better):
            if answer == UNSURE:
                break
            s.fork_limit = s.forks + FIRST_FORKS
            answer = settle(s, reals(s.caps)[LINF])
            better = pull_back(s) if answer == ARRIVED else np.inf
        s.found = min(s.found, better)
    s.floor = s.found if answer == NONE else _total_floor(s)
    reals(s.caps)[s.norm] = most


@kernel
def _below(s: State) -> float:
    """The largest total that is less than what was found; numbers of columns are whole."""
    return s.found - 0.5 if s.norm == L0 else s.found * CLOSER


@kernel
def _total_floor(s: State) -> float:
    """The greatest total that a few bisections prove too small."""
    low, high = 0.0, s.found
    for _ in range(FLOOR_STEPS if np.isfinite(s.found) else 0):
        middle = 0.5 * (low + high)
        if s.norm == L0:
            middle = np.floor(middle) + 0.5
        if spent(s) or not low < middle < high:
            break
        reals(s.caps)[s.norm] = middle
        s.fork_limit = s.forks + FLOOR_FORKS
        answer = settle(s, reals(s.caps)[LINF])
        if answer == NONE:
            low = middle
        elif answer == ARRIVED:
            s.found = min(s.found, pull_back(s))
            high = s.found
        else:
            high = middle
    return np.ceil(low) if s.norm == L0 else low


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
        answer = settle(s, min(reals(s.caps)[LINF], s.found * CLOSER))
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
    return pull_back(s) if arrive(s, radius, hard) else np.inf


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
        if 0.0 < reals(s.far)[slot] < s.found and reals(s.far)[slot] <= reals(s.caps)[LINF]:
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

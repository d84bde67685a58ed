"""All that a search holds in its hands, as one record: the model, the contract, the goal, and one row's state.

Columns c of d, slots (bins of all columns side by side, column c at start[c] .. start[c] + size[c], the last for
missing values), nodes N, trees T, outputs K, relations C with rows R, derived columns D. `*_at` are offsets.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, Generic, TypeVar, cast, get_type_hints

import numpy as np

from holdfast.attack.evasion.kernels.jit import Ints, Reals, Shorts, Words

LEVEL, TOP = 0, 1


class State:
    """What a kernel sees as `s`. Addresses are read by `reals(s.low)` and the like; numbers directly."""

    # the model
    n_trees: int
    n_outputs: int
    width: int
    """Values per leaf: K for vector leaves else 1."""
    nodes: Shorts
    """(N, 4) column (-1 at leaves), cut (-1 - offset into `mask` for masked tests), left, right."""
    default_left: Ints
    mask: Words
    leaf: Reals
    """(N, width)"""
    roots: Ints
    output: Ints
    """(T,) output a tree adds to, -1 for vector leaves."""
    base: Reals

    # its bins
    n_columns: int
    n_slots: int
    start: Ints
    size: Ints
    low: Reals
    high: Reals
    """(slots,) least and greatest value of a bin."""
    masked: Ints
    word: Ints
    """(d + 1,) first of the mask words of each column's bins."""

    # the contract
    kind: Ints
    move: Ints
    least: Reals
    most: Reals
    missing: Ints
    scale: Reals
    cost: Reals
    derived: Ints
    """(d,) per column."""
    affected_at: Ints
    affected: Ints
    """Derived columns to recompute when a column changes, as numbers 0 .. D - 1, in evaluation order."""
    n_derived: int
    derived_column: Ints
    derived_term_at: Ints
    derived_undefined: Reals
    touch_at: Ints
    touch: Ints
    """Relations that read the present value of a column."""
    first_row: Ints
    body_row: Ints
    """(C + 1,), (C,): rows first .. body are the guard, body .. next first must hold."""
    op: Ints
    bound: Reals
    term_at: Ints
    coefficient: Reals
    factor_at: Ints
    factor: Ints
    """Column of a factor, or -1 - column for its value before the attack."""
    inverse: Ints

    # the moves
    n_plain: int
    plain: Ints
    """Columns that can move alone."""
    n_base: int
    n_lines: int
    """Lines move several columns at once; the first `n_base` are always tried, the others when stuck."""
    primary: Ints
    """Column moved first, or -1 - group for a swap inside a one-hot group."""
    step_at: Ints
    step_row: Ints
    step_partner: Ints
    step_wanted: Ints
    """If `row` is not as wanted after the first move, `partner` is moved until it is."""
    step_relation: Ints
    n_groups: int
    member_at: Ints
    member: Ints
    """Columns of each one-hot group."""

    # the goal
    aim_mode: int
    """LEVEL: aim_sign * (out[aim_output] - aim_level); TOP: out[aim_output] - max(others) - aim_level."""
    aim_output: int
    aim_sign: float
    aim_level: float
    aim_guard: float
    """A little over zero, so that rounding cannot undo an arrival."""

    norm: int
    """The norm to be least: see `sums`."""
    caps: Reals
    spent: Reals
    """(4,) most that each norm may be, and what the present row has of it."""
    capped: int
    """1: some total has a limit."""
    share: Reals
    """(d,) what a changed column adds to the number of changes."""
    greed: int
    """1: moves are judged by gain per distance, 0: by gain."""

    # one row
    x: Reals
    was: Reals
    best: Reals
    bins: Ints
    value: Reals
    far: Reals
    """(slots,) the allowed value nearest to the row before the attack, and its distance (inf: not allowed)."""
    radii: Reals
    tree: int
    tree_leaf: int
    """The tree being walked, and the leaf in which the row ends."""
    out: Reals
    delta: Reals
    """(K,), (K, slots): outputs of the row, and what each single change adds to them."""
    out_ahead: Reals
    reach_low: Ints
    reach_high: Ints
    reach_missing: Ints
    reach_mask: Words
    """The bins the search may use: per column an interval (cut columns) or a mask (masked columns)."""
    span_low: Reals
    span_high: Reals
    """(d,) least and greatest value in the box."""
    trail_low: Ints
    trail_high: Ints
    trail_missing: Ints
    trail_mask: Words
    trail_tree: Ints
    """What is left of each column's bins along a path."""
    stack: Ints
    stack_mask: Words
    undo: Ints
    out_most: Reals
    out_least: Reals
    leaf_most: Reals
    leaf_least: Reals
    leaf_best: float
    leaf_worst: float
    """Extremes over a box: of the outputs, of one tree's leaves, of what its leaves add to the gap."""
    rival: int
    """The output nearest to the wanted one, where there are several."""

    # splitting a box
    route: Ints
    pick: Ints
    torn: Ints
    begins: Reals
    ends: Reals
    loss: Reals
    choice: Ints
    """Turns to a leaf, and to the preferred one; (slots,) weights of the votes that begin and end at a bin, and of
    those lost in it; (d,) the bins with the least loss. See `votes`."""
    split_score: float
    split_column: int
    split_at: int
    split_kind: int
    fork_column: Ints
    fork_at: Ints
    fork_kind: Ints
    fork_open: Ints
    """The best split, and the splits made so far: whose other part is still to be searched."""
    part_far: Reals
    part_spent: Reals
    leaf_spent: Reals
    """(d,), (4,) least distance of each column in a part of the box, and the totals there and in one leaf."""
    part_radius: float
    kept_low: Ints
    kept_high: Ints
    kept_missing: Ints
    kept_mask: Words
    """The bins in reach before any split."""
    forks: int
    fork_limit: int
    """Boxes looked at, and how many may be."""
    n_changes: int
    change_column: Ints
    change_value: Reals
    change_bin: Ints
    """Columns changed by a pending move, with their values and bins before it."""
    n_options: int
    options: Reals
    """Values of a line's first column worth trying."""
    n_short: int
    short_size: int
    short_line: Ints
    short_value: Reals
    short_hope: Reals
    """A short list of moves."""
    first_line: Ints
    first_value: Reals
    first_hope: Reals
    x_before: Reals
    valley: int
    wide: int
    """Moves that may lose before a climb gives up: the first of them, the row before it, how many may follow it, and
    whether many or few first moves are tried."""
    visited: int
    limit: int
    """Tree nodes visited for this row, and how many may be."""
    restarts: int
    eager: int
    """1: climb with all gaining columns at once where that goes further than the best of them."""
    random: int
    found: float
    floor: float
    """What a search answers: see `search.search_row`."""


_TYPES: dict[type, Any] = {Reals: np.float64, Ints: np.int64, Shorts: np.int32, Words: np.uint64}
Record = TypeVar("Record")


@cache
def _layout(kind: Any) -> tuple[dict[str, type], Any]:
    """The fields of a record, and how they lie in memory."""
    fields = get_type_hints(kind)
    return fields, np.dtype([(name, "f8" if hint is float else "i8") for name, hint in fields.items()])


class Arena(Generic[Record]):
    """Owns the arrays that a record points to: a State, or another class of fields. One per thread."""

    def __init__(self, kind: type[Record], arrays: Mapping[str, Any], numbers: Mapping[str, float]) -> None:
        self._fields, layout = _layout(cast(Hashable, kind))
        self._record = np.zeros(1, layout)
        self.arrays: dict[str, Any] = {}
        self.set(**numbers)
        for name, array in arrays.items():
            self.put(name, array)

    @property
    def state(self) -> Record:
        """What to hand to a kernel."""
        state: Record = self._record[0]
        return state

    def get(self, name: str) -> float:
        """Read a plain number."""
        return float(self._record[name][0])

    def set(self, **numbers: float) -> None:
        """Set plain numbers."""
        for name, number in numbers.items():
            self._record[name][0] = number

    def put(self, name: str, array: Any) -> None:
        """Let a field point to an array, cast to the field's type and kept alive."""
        kept = np.ascontiguousarray(array, dtype=_TYPES[self._fields[name]])
        self.arrays[name] = kept if kept.size else np.zeros(1, kept.dtype)
        self._record[name][0] = self.arrays[name].ctypes.data

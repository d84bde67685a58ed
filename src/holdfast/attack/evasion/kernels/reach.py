"""The box: which bins of each column a search may use, and between which values a derived column must stay."""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.kernels.forest import find_bin
from holdfast.attack.evasion.kernels.jit import ints, kernel, reals, whole, words
from holdfast.attack.evasion.kernels.rules import CATEGORY, DOWN, NEVER, UP
from holdfast.attack.evasion.kernels.state import State

WIDER = 1e-9
"""Relative room for rounding around the range of a derived column."""


@kernel
def open_reach(s: State, radius: float) -> None:
    """Let the search use the bins whose nearest value is within `radius`, and those that derived columns then reach."""
    far = reals(s.far)
    for column in range(s.n_columns):
        start, low, high = ints(s.start)[column], whole(0), ints(s.size)[column]
        missing = far[start + high] <= radius
        while low < high and far[start + low] > radius:
            low += 1
        while high > low and far[start + high - 1] > radius:
            high -= 1
        ints(s.reach_low)[column], ints(s.reach_high)[column] = low, high
        ints(s.reach_missing)[column] = whole(missing)
        _span(s, column, radius)
    for number in range(s.n_derived):
        _open_derived(s, number)
    for column in range(s.n_columns):
        if ints(s.masked)[column] != 0:
            _open_words(s, column, radius)


@kernel
def _span(s: State, column: int, radius: float) -> None:
    """The least and the greatest value that a column can take in the box."""
    was, move = reals(s.was)[column], ints(s.move)[column]
    low, high = -np.inf, np.inf
    if move == NEVER:
        low, high = was, was
    elif ints(s.kind)[column] != CATEGORY and not np.isnan(was):
        away = radius * reals(s.scale)[column]
        low = was if move == UP else max(was - away, reals(s.least)[column])
        high = was if move == DOWN else min(was + away, reals(s.most)[column])
    reals(s.span_low)[column], reals(s.span_high)[column] = low, high


@kernel
def _open_derived(s: State, number: int) -> None:
    """The bins that a derived column reaches while the columns it follows stay in the box, by interval arithmetic."""
    column = ints(s.derived_column)[number]
    low, high, missing = 0.0, 0.0, False
    for term in range(ints(s.derived_term_at)[number], ints(s.derived_term_at)[number + 1]):
        least, most, absent = _term_span(s, term)
        low, high, missing = low + least, high + most, missing or absent
    low -= WIDER * max(1.0, abs(low))
    high += WIDER * max(1.0, abs(high))
    if not np.isfinite(low + high):
        low, high, missing = -np.inf, np.inf, True
    reals(s.span_low)[column], reals(s.span_high)[column] = low, high
    ints(s.reach_low)[column] = find_bin(s, column, low)
    ints(s.reach_high)[column] = find_bin(s, column, high) + 1
    ints(s.reach_missing)[column] = whole(missing)


@kernel
def _term_span(s: State, term: int) -> tuple[float, float, bool]:
    """(least, most, may be missing) of a term; NaN where it may divide by zero, overflow, or is not known."""
    least = reals(s.coefficient)[term]
    most, missing = least, False
    for f in range(ints(s.factor_at)[term], ints(s.factor_at)[term + 1]):
        column = ints(s.factor)[f]
        low, high = reals(s.span_low)[column], reals(s.span_high)[column]
        missing = missing or ints(s.reach_missing)[column] != 0
        if ints(s.inverse)[f] != 0:
            if not (low > 0.0 or high < 0.0):
                return np.nan, np.nan, True
            low, high = 1.0 / high, 1.0 / low
        a, b, c, d = least * low, least * high, most * low, most * high
        if not np.isfinite(a + b + c + d):
            return np.nan, np.nan, True
        least, most = min(a, b, c, d), max(a, b, c, d)
    return least, most, missing


@kernel
def _open_words(s: State, column: int, radius: float) -> None:
    first, reach = ints(s.word)[column], words(s.reach_mask)
    for w in range(first, ints(s.word)[column + 1]):
        reach[w] = np.uint64(0)
    for k in range(ints(s.size)[column] + 1):
        if ints(s.derived)[column] != 0:
            inside = ints(s.reach_low)[column] <= k < ints(s.reach_high)[column]
            inside = inside or (k == ints(s.size)[column] and ints(s.reach_missing)[column] != 0)
        else:
            inside = reals(s.far)[ints(s.start)[column] + k] <= radius
        if inside:
            reach[first + (k >> 6)] |= np.uint64(1) << np.uint64(k & 63)

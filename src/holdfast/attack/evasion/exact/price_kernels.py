"""Prices that make trees agree: a bound on the lead in a box, and the search by parts that rests on it.

Each tree pays a price for the bins of the leaf it takes. Over all trees the prices of a bin never add up to less than
nothing, so no row leads by more than the sum of what each tree likes best at these prices. Prices move, one column
after the other, to where the trees that test it gain the same from each of its bins; the sum falls as they do. This is
dual block-coordinate ascent; see Kolmogorov, "A New Look at Reweighted Message Passing" (TPAMI 2015).

A column is cut into segments that no test in the box tells apart. A *link* is a tree with a column it tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from holdfast.attack.evasion.exact.kernels import Array, compiled

NONE, ARRIVED, UNSURE, LIMIT = range(4)
TOP, PENDING, VISITED, DOUBT, REFUTED, QUIET, NUMBER = range(7)
DECIDED, SPLIT, FULL = range(3)
FIRST_PASSES, PASSES, PATIENCE = 60, 12, 10.0
"""Passes over all columns in the first part and in the others, and how many like the last one may be still to go."""
STEP, CALM = 0.5, 0.01
"""How far fees move with a sum that is too large or too small, and what keeps a small excess from moving them far."""
LESSER = 0.05
"""What the better side of a cut counts beside the worse."""


class Market(NamedTuple):
    """L leaves of T trees over A columns, E links; segments of each link side by side."""

    gain: Array
    begin: Array
    """(L,) lead of a leaf; (T + 1,) first leaf of each tree."""
    first: Array
    """(T + 1,) first link of each tree."""
    tree: Array
    column: Array
    """(E,), (E,)"""
    start: Array
    edge: Array
    """(E + 1,) first of a link's edges: the segments of its column at which its own begin, and the last one's end."""
    entry: Array
    """(L + 1,) first entry of each leaf: one for each link of its tree."""
    low: Array
    high: Array
    """Per entry, the link's segments that lead to the leaf."""
    order: Array
    of: Array
    """(E,), (A + 1,): links by column."""
    size: Array
    """(A,) segments of each column."""


class Stall(NamedTuple):
    """The prices, and what they make of one part of the box."""

    price: Array
    offer: Array
    """(edges,), (edges,): per segment of a link, its price, and the best score that leads there without it."""
    paid: Array
    """(entries,) the best price among a leaf's segments of a link."""
    score: Array
    alive: Array
    """(L,) a leaf's lead at these prices; leaves that the part can reach."""
    living: Array
    """(T + 1,) first leaf of each tree in `alive`."""
    left: Array
    right: Array
    """(E,), (E,): the link's segments in the part."""
    worth: Array
    peak: Array
    """(K + 1,), (levels, K + 1): what all trees gain in a segment of a column, and its greatest value from there on."""
    below: Array
    above: Array
    """(K + 2,), (K + 1,): what the trees lose below a cut and above it."""
    choice: Array
    near: Array
    """(A,), (A,): the segment of each column that is worth most, and the one nearest to the row."""


class Sums(NamedTuple):
    """R sums that must not exceed a bound: per entry a column, and the least that each of its segments adds."""

    first: Array
    """(R + 1,) first entry of each."""
    column: Array
    offset: Array
    """Per entry, its column and where the column's segments begin in `least`."""
    least: Array
    bound: Array
    fee: Array
    """(R,), (R,): the bound, and what a unit of the sum costs at present."""
    part: Array


class Parts(NamedTuple):
    """Parts still to be searched, as segments of each column, and counters."""

    low: Array
    high: Array
    counter: Array


@compiled
def count_links(begin: Array, low: Array, high: Array, size: Array, mark: Array) -> tuple[int, int, int]:
    """How many links, edges and entries there are."""
    links, edges, entries, stamp = 0, 0, 0, 0
    for tree in range(begin.size - 1):
        found = 0
        for a in range(size.size):
            stamp += 1
            distinct = 0
            for leaf in range(begin[tree], begin[tree + 1]):
                for at in (low[leaf, a], high[leaf, a]):
                    distinct += mark[at] != stamp
                    mark[at] = stamp
            if distinct > 2:
                found += 1
                edges += distinct
        links += found
        entries += found * (begin[tree + 1] - begin[tree])
    return links, edges, entries


@compiled
def _link(market: Market, low: Array, high: Array, mark: Array, tree: int, a: int, link: int) -> bool:
    """Write the edges of a tree on a column; False where it does not test it. `mark` then numbers them."""
    size = market.size[a]
    mark[: size + 1] = -1
    for leaf in range(market.begin[tree], market.begin[tree + 1]):
        mark[low[leaf, a]], mark[high[leaf, a]] = 0, 0
    at = market.start[link]
    for k in range(size + 1):
        if mark[k] == 0:
            if at < market.edge.size:
                market.edge[at] = k
            mark[k] = at - market.start[link]
            at += 1
    if at - market.start[link] <= 2:
        return False
    market.tree[link], market.column[link], market.start[link + 1] = tree, a, at
    return True


@compiled
def write_links(market: Market, low: Array, high: Array, mark: Array) -> None:
    """Fill the links of a market, and the segments of them that lead to each leaf."""
    link, entry = 0, 0
    for tree in range(market.begin.size - 1):
        market.first[tree] = link
        begin, end = market.begin[tree], market.begin[tree + 1]
        width = 0
        for a in range(market.size.size):
            if link < market.tree.size:
                width += _link(market, low, high, mark, tree, a, link + width)
        for leaf in range(begin, end):
            market.entry[leaf] = entry + (leaf - begin) * width
        for q in range(width):
            _link(market, low, high, mark, tree, market.column[link + q], link + q)
            for leaf in range(begin, end):
                at = market.entry[leaf] + q
                market.low[at] = mark[low[leaf, market.column[link + q]]]
                market.high[at] = mark[high[leaf, market.column[link + q]]]
        entry += width * (end - begin)
        link += width
    market.first[market.begin.size - 1] = link
    market.entry[market.gain.size] = entry


@compiled
def _squeeze(sums: Sums, low: Array, high: Array) -> bool:
    """Take away segments at the ends of columns with which some sum is too large; False where nothing is left."""
    for r in range(sums.bound.size):
        total = 0.0
        for i in range(sums.first[r], sums.first[r + 1]):
            a = sums.column[i]
            sums.part[i] = sums.least[sums.offset[i] + low[a] : sums.offset[i] + high[a]].min()
            total += sums.part[i]
        if total > sums.bound[r]:
            return False
        for i in range(sums.first[r], sums.first[r + 1]):
            a, room = sums.column[i], sums.bound[r] - (total - sums.part[i])
            while low[a] + 1 < high[a] and sums.least[sums.offset[i] + low[a]] > room:
                low[a] += 1
            while low[a] + 1 < high[a] and sums.least[sums.offset[i] + high[a] - 1] > room:
                high[a] -= 1
    return True


@compiled
def _dearest(market: Market, stall: Stall, link: int, at: int) -> float:
    """The best price among the segments of a link that lead to a leaf and are in the part."""
    start, best = market.start[link], -np.inf
    for j in range(max(market.low[at], stall.left[link]), min(market.high[at], stall.right[link])):
        best = max(best, stall.price[start + j])
    return best


@compiled
def _enter_links(market: Market, stall: Stall, low: Array, high: Array) -> None:
    """Which segments of each link are in a part; where only one is, it has no price."""
    for link in range(market.tree.size):
        a, start = market.column[link], market.start[link]
        size, j = market.start[link + 1] - start - 1, 0
        while market.edge[start + j + 1] <= low[a]:
            j += 1
        stall.left[link] = j
        while j < size and market.edge[start + j] < high[a]:
            j += 1
        stall.right[link] = j
        if j - stall.left[link] < 2:
            stall.price[start + stall.left[link]] = 0.0


@compiled
def _enter(market: Market, stall: Stall, low: Array, high: Array) -> None:
    """Take a part: its leaves, and their scores at the present prices."""
    _enter_links(market, stall, low, high)
    count = 0
    for tree in range(market.begin.size - 1):
        stall.living[tree] = count
        first, width = market.first[tree], market.first[tree + 1] - market.first[tree]
        for leaf in range(market.begin[tree], market.begin[tree + 1]):
            at, inside = market.entry[leaf], True
            for q in range(width):
                if market.low[at + q] >= stall.right[first + q] or market.high[at + q] <= stall.left[first + q]:
                    inside = False
                    break
            if inside:
                score = market.gain[leaf]
                for q in range(width):
                    stall.paid[at + q] = _dearest(market, stall, first + q, at + q)
                    score += stall.paid[at + q]
                stall.score[leaf] = score
                stall.alive[count] = leaf
                count += 1
    stall.living[market.begin.size - 1] = count


@compiled
def _gather(market: Market, stall: Stall, link: int, plain: bool) -> float:
    """Fill `offer` for the segments of a link: the best score of a leaf there, without its price; the best of all.

    With `plain`, the best lead of a leaf instead, whatever the prices.
    """
    start, left, right, tree = market.start[link], stall.left[link], stall.right[link], market.tree[link]
    q, most = link - market.first[tree], -np.inf
    stall.offer[start + left : start + right] = -np.inf
    for i in range(stall.living[tree], stall.living[tree + 1]):
        leaf = stall.alive[i]
        at = market.entry[leaf] + q
        score = market.gain[leaf] if plain else stall.score[leaf] - stall.paid[at]
        most = max(most, score)
        for j in range(max(market.low[at], left), min(market.high[at], right)):
            stall.offer[start + j] = max(stall.offer[start + j], score)
    return most


@compiled
def _charge(sums: Sums, stall: Stall, a: int, low: int, high: int) -> None:
    """Take from the worth of each segment of a column what it costs in fees."""
    for r in range(sums.bound.size):
        if sums.fee[r] > 0.0:
            for i in range(sums.first[r], sums.first[r + 1]):
                if sums.column[i] == a:
                    for k in range(low, high):
                        stall.worth[k] -= sums.fee[r] * sums.least[sums.offset[i] + k]


@compiled
def _move_fees(sums: Sums, stall: Stall, excess: float) -> None:
    """Raise the fees of sums that the chosen segments make too large, and lower those of the others."""
    for r in range(sums.bound.size):
        over = -sums.bound[r]
        for i in range(sums.first[r], sums.first[r + 1]):
            over += sums.least[sums.offset[i] + stall.choice[sums.column[i]]]
        if np.isfinite(over):
            sums.fee[r] = max(0.0, sums.fee[r] + STEP * excess * over / (over * over + CALM))


@compiled
def _fits(sums: Sums, stall: Stall) -> bool:
    """Whether the chosen segments may keep every sum."""
    for r in range(sums.bound.size):
        total = 0.0
        for i in range(sums.first[r], sums.first[r + 1]):
            total += sums.least[sums.offset[i] + stall.choice[sums.column[i]]]
        if total > sums.bound[r]:
            return False
    return True


@compiled
def _sum_offers(market: Market, stall: Stall, a: int, low: int, high: int) -> int:
    """Fill `worth` of a column from the offers of its links; how many tell its segments in the part apart."""
    stall.worth[low : high + 1] = 0.0
    count = 0
    for i in range(market.of[a], market.of[a + 1]):
        link = market.order[i]
        start, left, right = market.start[link], stall.left[link], stall.right[link]
        if right - left < 2:
            continue
        count += 1
        _gather(market, stall, link, False)
        stall.worth[low] += stall.offer[start + left]
        for j in range(left + 1, right):
            stall.worth[market.edge[start + j]] += stall.offer[start + j] - stall.offer[start + j - 1]
    for k in range(low + 1, high):
        stall.worth[k] += stall.worth[k - 1]
    return count


@compiled
def _find_peaks(stall: Stall, low: int, high: int) -> None:
    """Fill `peak`: level i holds the greatest worth of 2**i segments."""
    stall.peak[0, low:high] = stall.worth[low:high]
    level = 1
    while (1 << level) <= high - low:
        half = 1 << (level - 1)
        for k in range(low, high - (1 << level) + 1):
            stall.peak[level, k] = max(stall.peak[level - 1, k], stall.peak[level - 1, k + half])
        level += 1


@compiled
def _peak(stall: Stall, a: int, low: int, high: int) -> int:
    """The segment that is worth most, the nearest to the row of several."""
    best, chosen = -np.inf, low
    for k in range(low, high):
        nearer = stall.worth[k] == best and abs(k - stall.near[a]) < abs(chosen - stall.near[a])
        if stall.worth[k] > best or nearer:
            best, chosen = stall.worth[k], k
    return chosen


@compiled
def _reprice(market: Market, stall: Stall, link: int, low: int, high: int, share: float) -> None:
    """Give a link its share of what its column is worth, in each of its segments."""
    start, tree = market.start[link], market.tree[link]
    for j in range(stall.left[link], stall.right[link]):
        first, last = max(market.edge[start + j], low), min(market.edge[start + j + 1], high)
        level = 0
        while (2 << level) <= last - first:
            level += 1
        most = max(stall.peak[level, first], stall.peak[level, last - (1 << level)])
        stall.price[start + j] = most * share - stall.offer[start + j]
    for i in range(stall.living[tree], stall.living[tree + 1]):
        leaf = stall.alive[i]
        at = market.entry[leaf] + link - market.first[tree]
        paid = _dearest(market, stall, link, at)
        stall.score[leaf] += paid - stall.paid[at]
        stall.paid[at] = paid


@compiled
def _settle_column(market: Market, stall: Stall, sums: Sums, a: int, low: int, high: int) -> tuple[int, float]:
    """Move the prices of one column; the work done, and what the column is worth to nobody but the fees."""
    count = _sum_offers(market, stall, a, low, high)
    _charge(sums, stall, a, low, high)
    stall.choice[a] = _peak(stall, a, low, high)
    if count == 0:
        return 1, stall.worth[stall.choice[a]]
    _find_peaks(stall, low, high)
    work = 0
    for i in range(market.of[a], market.of[a + 1]):
        link = market.order[i]
        if stall.right[link] - stall.left[link] >= 2:
            _reprice(market, stall, link, low, high, 1.0 / count)
            work += 4 * (stall.living[market.tree[link] + 1] - stall.living[market.tree[link]])
    return work, 0.0


@compiled
def _bound(market: Market, stall: Stall) -> float:
    """What each tree likes best, added up."""
    total = 0.0
    for tree in range(market.begin.size - 1):
        best = -np.inf
        for i in range(stall.living[tree], stall.living[tree + 1]):
            best = max(best, stall.score[stall.alive[i]])
        total += best
    return total


@compiled
def _pass(market: Market, stall: Stall, sums: Sums, parts: Parts, low: Array, high: Array, back: bool) -> float:
    """Move the prices of all columns, in order or back; the bound then."""
    found = 0.0
    for i in range(market.size.size):
        a = market.size.size - 1 - i if back else i
        work, alone = _settle_column(market, stall, sums, a, low[a], high[a])
        parts.counter[VISITED] += work
        found += alone
    for r in range(sums.bound.size):
        if sums.fee[r] > 0.0:
            found += sums.fee[r] * sums.bound[r]
    return found + _bound(market, stall)


@compiled
def _relax(
    market: Market, stall: Stall, sums: Sums, parts: Parts, low: Array, high: Array, wanted: float, passes: int
) -> bool:
    """Move all prices until the bound is no more than `wanted`; whether it is."""
    last = np.inf
    for turn in range(passes):
        found = _pass(market, stall, sums, parts, low, high, turn % 2 == 1)
        if found <= wanted:
            return True
        if turn > 1 and (last - found) * PATIENCE < found - wanted:
            return False
        last = found
        _move_fees(sums, stall, found - wanted)
    return False


@compiled
def _lead(market: Market, stall: Stall) -> float:
    """The lead of a row in the chosen segments."""
    total = 0.0
    for tree in range(market.begin.size - 1):
        first, width = market.first[tree], market.first[tree + 1] - market.first[tree]
        for i in range(stall.living[tree], stall.living[tree + 1]):
            leaf, inside = stall.alive[i], True
            at = market.entry[leaf]
            for q in range(width):
                k, start = stall.choice[market.column[first + q]], market.start[first + q]
                if market.edge[start + market.low[at + q]] > k or market.edge[start + market.high[at + q]] <= k:
                    inside = False
                    break
            if inside:
                total += market.gain[leaf]
                break
    return total


@compiled
def _count_losses(market: Market, stall: Stall, a: int, low: int, high: int) -> None:
    """Fill what trees lose, prices aside, below each cut of a column (as steps) and above it (as steps)."""
    stall.below[low : high + 1], stall.above[low : high + 1] = 0.0, 0.0
    for i in range(market.of[a], market.of[a + 1]):
        link = market.order[i]
        start, left, right = market.start[link], stall.left[link], stall.right[link]
        if right - left < 2:
            continue
        most = _gather(market, stall, link, True)
        best, before = -np.inf, 0.0
        for j in range(left, right):
            best = max(best, stall.offer[start + j])
            stall.below[low + 1 if j == left else market.edge[start + j] + 1] += most - best - before
            before = most - best
        best, before = -np.inf, high
        for j in range(right - 1, left - 1, -1):
            best, at = max(best, stall.offer[start + j]), max(market.edge[start + j], low)
            stall.above[at] += most - best
            stall.above[before] -= most - best
            before = at


@compiled
def _find_cut(market: Market, stall: Stall, low: Array, high: Array) -> tuple[int, int]:
    """The column and the cut on both sides of which trees lose most; column -1 where none tells rows apart."""
    best, column, cut = -1.0, -1, 0
    for a in range(market.size.size):
        if high[a] - low[a] < 2:
            continue
        _count_losses(market, stall, a, low[a], high[a])
        below, above = 0.0, stall.above[low[a]]
        for k in range(low[a] + 1, high[a]):
            below, above = below + stall.below[k], above + stall.above[k]
            score = min(below, above) + LESSER * max(below, above)
            if score > best and (below > 0.0 or above > 0.0):
                best, column, cut = score, a, k
    return column, cut


@compiled
def _split(market: Market, stall: Stall, parts: Parts, low: Array, high: Array) -> int:
    """Put both sides of a cut on the stack, the side with the choice last: SPLIT, DECIDED or FULL."""
    column, cut = _find_cut(market, stall, low, high)
    top = parts.counter[TOP]
    if column < 0:
        return DECIDED
    if top + 2 > parts.low.shape[0]:
        return FULL
    for side in range(2):
        parts.low[top + side], parts.high[top + side] = low, high
        if (side == 1) == (stall.choice[column] < cut):
            parts.high[top + side, column] = cut
        else:
            parts.low[top + side, column] = cut
    parts.counter[TOP] += 2
    return SPLIT


@compiled
def _closed(market: Market, stall: Stall, sums: Sums, parts: Parts, low: Array, high: Array, wanted: float) -> bool:
    """Whether no row of a part that nobody saw before leads by more than `wanted`; it is taken and priced."""
    parts.counter[NUMBER] += 1
    if not _squeeze(sums, low, high):
        return True
    _enter(market, stall, low, high)
    return _relax(market, stall, sums, parts, low, high, wanted, FIRST_PASSES if parts.counter[NUMBER] == 1 else PASSES)


@compiled
def search_parts(
    market: Market, stall: Stall, sums: Sums, parts: Parts, wanted: float, enough: float, limit: int
) -> int:
    """Search the parts on the stack: NONE leads by more than `wanted`; else ARRIVED, UNSURE or LIMIT.

    ARRIVED: rows in the chosen segments lead by more than `enough`, which is no less than `wanted`. Called again, it
    goes on from there: with REFUTED set where the model itself says that they do not. LIMIT: VISITED came to `limit`;
    it goes on, too. With QUIET set it wants a proof or nothing.
    """
    counter = parts.counter
    while counter[TOP] > 0:
        if counter[VISITED] >= limit:
            return LIMIT
        top = counter[TOP] - 1
        low, high = parts.low[top].copy(), parts.high[top].copy()
        leads = counter[PENDING] == 1
        counter[TOP], counter[PENDING] = top, 0
        if leads:
            _enter(market, stall, low, high)
        else:
            if _closed(market, stall, sums, parts, low, high, wanted):
                continue
            leads = _lead(market, stall) > enough
            if leads and counter[QUIET] == 0 and _fits(sums, stall):
                parts.low[top], parts.high[top] = low, high
                counter[TOP], counter[PENDING], counter[REFUTED] = top + 1, 1, 0
                return ARRIVED
        answer = _split(market, stall, parts, low, high)
        if answer == FULL or (answer == DECIDED and leads and counter[REFUTED] == 0):
            counter[DOUBT] = 1
            if counter[QUIET] == 1:
                return UNSURE
        counter[REFUTED] = 0
    return UNSURE if counter[DOUBT] else NONE

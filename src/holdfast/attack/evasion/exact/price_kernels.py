"""Prices that make trees agree: a bound on the lead in a box, and the search by parts that rests on it.

Each tree pays a price for the bins of the leaf it takes. Over all trees the prices of a bin never add up to less than
nothing, so no row leads by more than the sum of what each tree likes best at these prices. Prices move, one column
after the other, to where the trees that test it gain the same from each of its bins; the sum falls as they do. This is
dual block-coordinate ascent; see Kolmogorov, "A New Look at Reweighted Message Passing" (TPAMI 2015).
"""

from __future__ import annotations

import numpy as np

from holdfast.attack.evasion.exact.market import Market
from holdfast.attack.evasion.kernels.jit import entry, ints, kernel, reals, whole

NONE, ARRIVED, UNSURE, LIMIT = range(4)
DECIDED, SPLIT, FULL = range(3)
FIRST_PASSES, PASSES, PATIENCE = 60, 12, 10.0
"""Passes over all columns in the first part and in the others, and how many like the last one may be still to go."""
STEP, CALM = 0.5, 0.01
"""How far fees move with a sum that is too large or too small, and what keeps a small excess from moving them far."""
LESSER = 0.05
"""What the better side of a cut counts beside the worse."""


@kernel
def _squeeze(m: Market) -> bool:
    """Take away segments at the ends of columns with which some sum is too large; False where nothing is left."""
    low, high, least, part = ints(m.part_low), ints(m.part_high), reals(m.sum_least), reals(m.sum_part)
    for r in range(m.n_sums):
        total = 0.0
        for i in range(ints(m.sum_first)[r], ints(m.sum_first)[r + 1]):
            a, offset = ints(m.sum_column)[i], ints(m.sum_offset)[i]
            part[i] = np.inf
            for k in range(low[a], high[a]):
                part[i] = min(part[i], least[offset + k])
            total += part[i]
        if total > reals(m.sum_bound)[r]:
            return False
        for i in range(ints(m.sum_first)[r], ints(m.sum_first)[r + 1]):
            a, offset = ints(m.sum_column)[i], ints(m.sum_offset)[i]
            room = reals(m.sum_bound)[r] - (total - part[i])
            while low[a] + 1 < high[a] and least[offset + low[a]] > room:
                low[a] += 1
            while low[a] + 1 < high[a] and least[offset + high[a] - 1] > room:
                high[a] -= 1
    return True


@kernel
def _dearest(m: Market, link: int, at: int) -> float:
    """The best price among the segments of a link that lead to a leaf and are in the part."""
    start, best, price = ints(m.start)[link], -np.inf, reals(m.price)
    for j in range(max(ints(m.low)[at], ints(m.left)[link]), min(ints(m.high)[at], ints(m.right)[link])):
        best = max(best, price[start + j])
    return best


@kernel
def _enter_links(m: Market) -> None:
    """Which segments of each link are in the part; where only one is, it has no price."""
    edge = ints(m.edge)
    for link in range(m.n_links):
        a, start = ints(m.column)[link], ints(m.start)[link]
        size, j = ints(m.start)[link + 1] - start - 1, whole(0)
        while edge[start + j + 1] <= ints(m.part_low)[a]:
            j += 1
        ints(m.left)[link] = j
        while j < size and edge[start + j] < ints(m.part_high)[a]:
            j += 1
        ints(m.right)[link] = j
        if j - ints(m.left)[link] < 2:
            reals(m.price)[start + ints(m.left)[link]] = 0.0


@kernel
def _inside(m: Market, leaf: int, first: int, width: int) -> bool:
    """Whether a part can reach a leaf."""
    at = ints(m.entry)[leaf]
    for q in range(width):
        if ints(m.low)[at + q] >= ints(m.right)[first + q] or ints(m.high)[at + q] <= ints(m.left)[first + q]:
            return False
    return True


@kernel
def _enter(m: Market) -> None:
    """Take the part: its leaves, and their scores at the present prices."""
    _enter_links(m)
    count = whole(0)
    for tree in range(m.n_trees):
        ints(m.living)[tree] = count
        first = ints(m.first)[tree]
        width = ints(m.first)[tree + 1] - first
        for leaf in range(ints(m.begin)[tree], ints(m.begin)[tree + 1]):
            if _inside(m, whole(leaf), first, width):
                at, score = ints(m.entry)[leaf], reals(m.gain)[leaf]
                for q in range(width):
                    reals(m.paid)[at + q] = _dearest(m, first + q, at + q)
                    score += reals(m.paid)[at + q]
                reals(m.score)[leaf] = score
                ints(m.alive)[count] = leaf
                count += 1
    ints(m.living)[m.n_trees] = count


@kernel
def _gather(m: Market, link: int, plain: int) -> float:
    """Fill `offer` for the segments of a link: the best score of a leaf there, without its price; the best of all.

    With `plain`, the best lead of a leaf instead, whatever the prices.
    """
    start, left, right, tree = ints(m.start)[link], ints(m.left)[link], ints(m.right)[link], ints(m.tree)[link]
    offer, lows, highs = reals(m.offer), ints(m.low), ints(m.high)
    q, most = link - ints(m.first)[tree], -np.inf
    for j in range(left, right):
        offer[start + j] = -np.inf
    for i in range(ints(m.living)[tree], ints(m.living)[tree + 1]):
        leaf = ints(m.alive)[i]
        at = ints(m.entry)[leaf] + q
        score = reals(m.gain)[leaf] if plain else reals(m.score)[leaf] - reals(m.paid)[at]
        most = max(most, score)
        for j in range(max(lows[at], left), min(highs[at], right)):
            offer[start + j] = max(offer[start + j], score)
    return most


@kernel
def _charge(m: Market, a: int, low: int, high: int) -> None:
    """Take from the worth of each segment of a column what it costs in fees."""
    for r in range(m.n_sums):
        if reals(m.fee)[r] > 0.0:
            for i in range(ints(m.sum_first)[r], ints(m.sum_first)[r + 1]):
                if ints(m.sum_column)[i] == a:
                    for k in range(low, high):
                        reals(m.worth)[k] -= reals(m.fee)[r] * reals(m.sum_least)[ints(m.sum_offset)[i] + k]


@kernel
def _chosen_sum(m: Market, r: int) -> float:
    """By how much the chosen segments exceed a sum's bound, at least."""
    over = -reals(m.sum_bound)[r]
    for i in range(ints(m.sum_first)[r], ints(m.sum_first)[r + 1]):
        over += reals(m.sum_least)[ints(m.sum_offset)[i] + ints(m.choice)[ints(m.sum_column)[i]]]
    return over


@kernel
def _move_fees(m: Market, excess: float) -> None:
    """Raise the fees of sums that the chosen segments make too large, and lower those of the others."""
    for r in range(m.n_sums):
        over = _chosen_sum(m, whole(r))
        reals(m.fee)[r] = max(0.0, reals(m.fee)[r] + STEP * excess * over / (over * over + CALM))


@kernel
def _fits(m: Market) -> bool:
    """Whether the chosen segments may keep every sum."""
    for r in range(m.n_sums):  # noqa: SIM110
        if _chosen_sum(m, whole(r)) > 0.0:
            return False
    return True


@kernel
def _sum_offers(m: Market, a: int, low: int, high: int) -> int:
    """Fill `worth` of a column from the offers of its links; how many tell its segments in the part apart."""
    worth, offer, edge = reals(m.worth), reals(m.offer), ints(m.edge)
    for k in range(low, high + 1):
        worth[k] = 0.0
    count = whole(0)
    for i in range(ints(m.of)[a], ints(m.of)[a + 1]):
        link = ints(m.order)[i]
        start, left, right = ints(m.start)[link], ints(m.left)[link], ints(m.right)[link]
        if right - left >= 2:
            count += 1
            _gather(m, link, whole(0))
            worth[low] += offer[start + left]
            for j in range(left + 1, right):
                worth[edge[start + j]] += offer[start + j] - offer[start + j - 1]
    for k in range(low + 1, high):
        worth[k] += worth[k - 1]
    return count


@kernel
def _find_peaks(m: Market, low: int, high: int) -> None:
    """Fill `peak`: level i holds the greatest worth of 2**i segments."""
    peak = reals(m.peak)
    for k in range(low, high):
        peak[k] = reals(m.worth)[k]
    level, half = whole(1), whole(1)
    while 2 * half <= high - low:
        into, before = level * m.wide, (level - 1) * m.wide
        for k in range(low, high - 2 * half + 1):
            peak[into + k] = max(peak[before + k], peak[before + k + half])
        level, half = level + 1, 2 * half


@kernel
def _best_segment(m: Market, a: int, low: int, high: int) -> int:
    """The segment that is worth most, the nearest to the row of several."""
    best, chosen, near, worth = -np.inf, low, ints(m.near)[a], reals(m.worth)
    for k in range(low, high):
        if worth[k] > best or (worth[k] == best and abs(k - near) < abs(chosen - near)):
            best, chosen = worth[k], whole(k)
    return chosen


@kernel
def _reprice(m: Market, link: int, low: int, high: int, share: float) -> None:
    """Give a link its share of what its column is worth, in each of its segments."""
    start, tree, edge, peak = ints(m.start)[link], ints(m.tree)[link], ints(m.edge), reals(m.peak)
    for j in range(ints(m.left)[link], ints(m.right)[link]):
        first, last = max(edge[start + j], low), min(edge[start + j + 1], high)
        level, wide = whole(0), whole(1)
        while 2 * wide <= last - first:
            level, wide = level + 1, 2 * wide
        most = max(peak[level * m.wide + first], peak[level * m.wide + last - wide])
        reals(m.price)[start + j] = most * share - reals(m.offer)[start + j]
    for i in range(ints(m.living)[tree], ints(m.living)[tree + 1]):
        leaf = ints(m.alive)[i]
        at = ints(m.entry)[leaf] + link - ints(m.first)[tree]
        paid = _dearest(m, link, at)
        reals(m.score)[leaf] += paid - reals(m.paid)[at]
        reals(m.paid)[at] = paid


@kernel
def _settle_column(m: Market, a: int) -> float:
    """Move the prices of one column; what it is worth where no tree tests it: less than nothing, by the fees."""
    low, high = ints(m.part_low)[a], ints(m.part_high)[a]
    count = _sum_offers(m, a, low, high)
    _charge(m, a, low, high)
    ints(m.choice)[a] = _best_segment(m, a, low, high)
    m.visited += 1
    if count == 0:
        return reals(m.worth)[ints(m.choice)[a]]
    _find_peaks(m, low, high)
    for i in range(ints(m.of)[a], ints(m.of)[a + 1]):
        link = ints(m.order)[i]
        if ints(m.right)[link] - ints(m.left)[link] >= 2:
            _reprice(m, link, low, high, 1.0 / count)
            tree = ints(m.tree)[link]
            m.visited += 4 * (ints(m.living)[tree + 1] - ints(m.living)[tree])
    return 0.0


@kernel
def _bound(m: Market) -> float:
    """What each tree likes best, added up, and the bounds of the sums at their fees."""
    total = 0.0
    for tree in range(m.n_trees):
        best = -np.inf
        for i in range(ints(m.living)[tree], ints(m.living)[tree + 1]):
            best = max(best, reals(m.score)[ints(m.alive)[i]])
        total += best
    for r in range(m.n_sums):
        if reals(m.fee)[r] > 0.0:
            total += reals(m.fee)[r] * reals(m.sum_bound)[r]
    return total


@kernel
def _relax(m: Market, wanted: float, passes: int) -> bool:
    """Move all prices until the bound is no more than `wanted`; whether it is."""
    last = np.inf
    for turn in range(passes):
        found = 0.0
        for i in range(m.n_columns):
            found += _settle_column(m, whole(i if turn % 2 == 0 else m.n_columns - 1 - i))
        found += _bound(m)
        if found <= wanted:
            return True
        if turn > 1 and (last - found) * PATIENCE < found - wanted:
            return False
        last = found
        _move_fees(m, found - wanted)
    return False


@kernel
def _holds_choice(m: Market, leaf: int, first: int, width: int) -> bool:
    """Whether rows in the chosen segments end in a leaf."""
    at = ints(m.entry)[leaf]
    for q in range(width):
        k, start = ints(m.choice)[ints(m.column)[first + q]], ints(m.start)[first + q]
        if ints(m.edge)[start + ints(m.low)[at + q]] > k or ints(m.edge)[start + ints(m.high)[at + q]] <= k:
            return False
    return True


@kernel
def _lead(m: Market) -> float:
    """The lead of a row in the chosen segments."""
    total = 0.0
    for tree in range(m.n_trees):
        first = ints(m.first)[tree]
        for i in range(ints(m.living)[tree], ints(m.living)[tree + 1]):
            if _holds_choice(m, ints(m.alive)[i], first, ints(m.first)[tree + 1] - first):
                total += reals(m.gain)[ints(m.alive)[i]]
                break
    return total


@kernel
def _count_losses(m: Market, a: int, low: int, high: int) -> None:
    """Fill what trees lose, prices aside, below each cut of a column and above it, as steps."""
    below, above, offer, edge = reals(m.below), reals(m.above), reals(m.offer), ints(m.edge)
    for k in range(low, high + 1):
        below[k] = above[k] = 0.0
    for i in range(ints(m.of)[a], ints(m.of)[a + 1]):
        link = ints(m.order)[i]
        start, left, right = ints(m.start)[link], ints(m.left)[link], ints(m.right)[link]
        if right - left < 2:
            continue
        most = _gather(m, link, whole(1))
        best, before = -np.inf, 0.0
        for j in range(left, right):
            best = max(best, offer[start + j])
            below[low + 1 if j == left else edge[start + j] + 1] += most - best - before
            before = most - best
        best, last = -np.inf, high
        for j in range(right - 1, left - 1, -1):
            best, at = max(best, offer[start + j]), max(edge[start + j], low)
            above[at] += most - best
            above[last] -= most - best
            last = at


@kernel
def _split(m: Market) -> int:
    """Put both sides of the cut where trees lose most on the stack, the choice last: SPLIT, DECIDED or FULL."""
    best, column, cut = -1.0, whole(-1), whole(0)
    for a in range(m.n_columns):
        low, high = ints(m.part_low)[a], ints(m.part_high)[a]
        if high - low >= 2:
            _count_losses(m, whole(a), low, high)
            below, above = 0.0, reals(m.above)[low]
            for k in range(low + 1, high):
                below, above = below + reals(m.below)[k], above + reals(m.above)[k]
                score = min(below, above) + LESSER * max(below, above)
                if score > best and (below > 0.0 or above > 0.0):
                    best, column, cut = score, whole(a), whole(k)
    if column < 0:
        return DECIDED
    if m.top + 2 > m.room:
        return FULL
    for side in range(2):
        _push(m)
        if (side == 1) == (ints(m.choice)[column] < cut):
            ints(m.wait_high)[(m.top - 1) * m.n_columns + column] = cut
        else:
            ints(m.wait_low)[(m.top - 1) * m.n_columns + column] = cut
    return SPLIT


@kernel
def _push(m: Market) -> None:
    at = m.top * m.n_columns
    for a in range(m.n_columns):
        ints(m.wait_low)[at + a], ints(m.wait_high)[at + a] = ints(m.part_low)[a], ints(m.part_high)[a]
    m.top += 1


@kernel
def _pop(m: Market) -> None:
    m.top -= 1
    at = m.top * m.n_columns
    for a in range(m.n_columns):
        ints(m.part_low)[a], ints(m.part_high)[a] = ints(m.wait_low)[at + a], ints(m.wait_high)[at + a]


@kernel
def _closed(m: Market, wanted: float) -> bool:
    """Whether no row of a part that nobody saw before leads by more than `wanted`; it is taken and priced."""
    m.number += 1
    if not _squeeze(m):
        return True
    _enter(m)
    return _relax(m, wanted, whole(FIRST_PASSES if m.number == 1 else PASSES))


@entry
def search_parts(m: Market, wanted: float, enough: float, limit: int) -> int:
    """Search the parts on the stack: NONE leads by more than `wanted`; else ARRIVED, UNSURE or LIMIT.

    ARRIVED: rows in the chosen segments lead by more than `enough`, which is no less than `wanted`. Called again, it
    goes on from there: with `refuted` set where the model itself says that they do not. LIMIT: `visited` came to
    `limit`; it goes on, too. With `quiet` set it wants a proof or nothing.
    """
    while m.top > 0:
        if m.visited >= limit:
            return LIMIT
        _pop(m)
        leads = m.pending == 1
        m.pending = 0
        if leads:
            _enter(m)
        else:
            if _closed(m, wanted):
                continue
            leads = _lead(m) > enough
            if leads and m.quiet == 0 and _fits(m):
                _push(m)
                m.pending, m.refuted = 1, 0
                return ARRIVED
        answer = _split(m)
        if answer == FULL or (answer == DECIDED and leads and m.refuted == 0):
            m.doubt = 1
            if m.quiet == 1:
                return UNSURE
        m.refuted = 0
    return UNSURE if m.doubt else NONE

"""A box as a market: the leaves in reach, who pays for which bins, and the search for a row that crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.attack.evasion.exact import price_kernels as kernels
from holdfast.attack.evasion.exact.box import Box, leaves
from holdfast.attack.evasion.exact.ground import Bools, Floats, Ints
from holdfast.attack.evasion.exact.kernels import Array, Found
from holdfast.attack.evasion.exact.least import Least, sums_of
from holdfast.attack.evasion.exact.price_kernels import Market, Parts, Stall, Sums

DEPTH = 1_000
"""Parts that may wait to be searched."""
MAX_ENTRIES = 8_000_000
ROUNDING = 1e-9
"""Of all leads added up: what the rounding of prices may hide."""


@dataclass(frozen=True, eq=False)
class Prices:
    """One box of one row: whether some row in it leads by more than the aim's guard takes away."""

    box: Box
    market: Market
    stall: Stall
    sums: Sums
    parts: Parts
    cuts: tuple[Ints, ...]
    """Per active column, the open slots at which its segments begin, and their number."""
    base: float
    """The lead of the trees that the box decides."""

    @classmethod
    def of(cls, box: Box) -> Prices | None:
        """None where the box is too large, or where there is more than one rival."""
        gains, base = box.place.ground.gains
        found = leaves(box) if base.size == 1 and box.solvable else None
        if found is None:
            return None
        many = np.bincount(found.tree)[found.tree] > 1
        low, high, leaf = _intervals(box, Found(*(part[many] for part in found)))
        node, tree = found.node[many][leaf], found.tree[many][leaf]
        cuts, low, high = _segments(box.count, low, high)
        market = _market(gains[node, 0], tree, low, high, np.array([cut.size - 1 for cut in cuts], np.int64))
        if market is None:
            return None
        stall, parts = _stall(market, _near(box, cuts)), _parts(market)
        total = float(base[0] + gains[found.node[~many], 0].sum())
        return cls(box, market, stall, sums_of(Least.of(box), cuts), parts, cuts, total)

    def search(self, limit: int) -> int:
        """Go on with the search until `limit` leaves were looked at in all: an answer of `search_parts`."""
        guard = -self.box.place.ground.aim.guard - self.base
        slack = ROUNDING * (abs(self.base) + float(np.abs(self.market.gain).sum()))
        return int(kernels.search_parts(self.market, self.stall, self.sums, self.parts, guard - slack, guard, limit))

    @property
    def visited(self) -> int:
        return int(self.parts.counter[kernels.VISITED])

    def refuse(self, *, refuted: bool, quiet: bool) -> None:
        """The row found is not taken: `refuted` if the model says it does not cross. `quiet`: find only proofs now."""
        self.parts.counter[kernels.REFUTED] = refuted
        self.parts.counter[kernels.QUIET] = quiet

    def row(self) -> Floats:
        """The row (d,) of the chosen segments nearest to the place, derived columns left aside."""
        place, found = self.box.place, self.box.place.row.copy()
        for a, column in enumerate(self.box.columns.tolist()):
            if place.ground.free[column]:
                k = int(self.stall.choice[a])
                slots = self.box.slots[a][self.cuts[a][k] : self.cuts[a][k + 1]]
                found[column] = place.value[slots[place.far[slots].argmin()]]
        return found


def _intervals(box: Box, found: Found) -> tuple[Ints, Ints, Ints]:
    """(n, A), (n, A), (n,): what leaves ask of the open slots, as intervals, and which leaf it is.

    A set of slots of a column without order becomes one leaf for each run of it.
    """
    low, high = found.low.astype(np.int64), found.high.astype(np.int64)
    leaf = np.arange(found.node.size)
    for a in np.flatnonzero(~box.ordered).tolist():
        slots = np.arange(int(box.count[a]), dtype=np.uint64)
        inside = ((found.bits[leaf, a][:, None] >> slots) & np.uint64(1)).astype(np.bool_)
        edge = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        which, begin = np.nonzero(edge == 1)
        end = np.nonzero(edge == -1)[1]
        low, high, leaf = low[which], high[which], leaf[which]
        low[:, a], high[:, a] = begin, end
    return low, high, leaf


def _segments(count: Ints, low: Ints, high: Ints) -> tuple[tuple[Ints, ...], Ints, Ints]:
    """The cuts of each column that some leaf asks for, and the leaves' intervals in segments between them."""
    cuts, least, most = [], np.empty_like(low), np.empty_like(high)
    for a, n in enumerate(count.tolist()):
        used: Bools = np.zeros(n + 1, np.bool_)
        used[[0, n]] = True
        used[low[:, a]] = used[high[:, a]] = True
        rank = np.cumsum(used) - 1
        least[:, a], most[:, a] = rank[low[:, a]], rank[high[:, a]]
        cuts.append(np.flatnonzero(used))
    return tuple(cuts), least, most


def _near(box: Box, cuts: tuple[Ints, ...]) -> Ints:
    """(A,) the segment nearest to the row."""
    far = box.place.far
    return np.array(
        [
            np.searchsorted(cut, int(far[slots].argmin()), side="right") - 1
            for slots, cut in zip(box.slots, cuts, strict=True)
        ],
        np.int64,
    )


def _market(gain: Array, tree: Ints, low: Ints, high: Ints, size: Ints) -> Market | None:
    """Who trades with whom; None where there is no room."""
    begin = np.append(np.flatnonzero(np.diff(tree, prepend=-1)), tree.size).astype(np.int64)
    mark = np.zeros(int(size.max(initial=0)) + 1, np.int64)
    links, edges, entries = kernels.count_links(begin, low, high, size, mark)
    if max(edges, entries) > MAX_ENTRIES:
        return None
    whole = np.int64
    market = Market(
        gain=np.ascontiguousarray(gain),
        begin=begin,
        first=np.zeros(begin.size, whole),
        tree=np.zeros(links, whole),
        column=np.zeros(links, whole),
        start=np.zeros(links + 1, whole),
        edge=np.zeros(edges, whole),
        entry=np.zeros(gain.size + 1, whole),
        low=np.zeros(entries, whole),
        high=np.zeros(entries, whole),
        order=np.zeros(links, whole),
        of=np.zeros(size.size + 1, whole),
        size=size,
    )
    kernels.write_links(market, low, high, mark)
    market.order[:] = np.argsort(market.column, kind="stable")
    market.of[1:] = np.cumsum(np.bincount(market.column, minlength=size.size))
    return market


def _stall(market: Market, near: Ints) -> Stall:
    edges, wide = market.edge.size, int(market.size.max(initial=0)) + 2
    leaves, links, columns = market.gain.size, market.tree.size, market.size.size
    return Stall(
        price=np.zeros(edges),
        offer=np.zeros(edges),
        paid=np.zeros(market.low.size),
        score=np.zeros(leaves),
        alive=np.zeros(leaves, np.int64),
        living=np.zeros(market.begin.size, np.int64),
        left=np.zeros(links, np.int64),
        right=np.zeros(links, np.int64),
        worth=np.zeros(wide),
        peak=np.zeros((wide.bit_length(), wide)),
        below=np.zeros(wide),
        above=np.zeros(wide),
        choice=np.zeros(columns, np.int64),
        near=near,
    )


def _parts(market: Market) -> Parts:
    """The whole box, to be searched."""
    columns = market.size.size
    parts = Parts(np.zeros((DEPTH, columns), np.int64), np.zeros((DEPTH, columns), np.int64), np.zeros(7, np.int64))
    parts.high[0] = market.size
    parts.counter[kernels.TOP] = 1
    return parts

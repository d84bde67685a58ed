"""A box as a market: the leaves in reach, who pays for which bins, and the search for a row that crosses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.attack.evasion.exact import price_kernels as kernels
from holdfast.attack.evasion.exact.box import Box, leaves
from holdfast.attack.evasion.exact.ground import Bools, Floats, Ints
from holdfast.attack.evasion.exact.kernels import Found
from holdfast.attack.evasion.exact.least import Least, sums_of
from holdfast.attack.evasion.exact.market import Market, count_links, write_links
from holdfast.attack.evasion.kernels.state import Arena

DEPTH = 1_000
"""Parts that may wait to be searched."""
MAX_ENTRIES = 8_000_000
ROUNDING = 1e-9
"""Of all leads added up: what the rounding of prices may hide."""


@dataclass(frozen=True, eq=False)
class Prices:
    """One box of one row: whether some row in it leads by more than the aim's guard takes away."""

    box: Box
    arena: Arena[Market]
    cuts: tuple[Ints, ...]
    """Per active column, the open slots at which its segments begin, and their number."""
    wanted: float
    """What the trees that the box leaves open must add to lead."""
    slack: float
    """What rounding may hide of it."""

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
        leads = gains[node, 0]
        arena = _market(leads, tree, low, high, np.array([cut.size - 1 for cut in cuts], np.int64))
        if arena is None:
            return None
        for name, array in {**_scratch(arena), "near": _near(box, cuts), **sums_of(Least.of(box), cuts)}.items():
            arena.put(name, array)
        arena.set(n_sums=arena.arrays["sum_first"].size - 1, room=DEPTH, top=1)
        arena.arrays["wait_high"][: len(cuts)] = arena.arrays["size"][: len(cuts)]
        total = float(base[0] + gains[found.node[~many], 0].sum())
        slack = ROUNDING * (abs(total) + float(np.abs(leads).sum()))
        return cls(box, arena, cuts, -box.place.ground.aim.guard - total, slack)

    def search(self, limit: int) -> int:
        """Go on with the search until `limit` leaves were looked at in all: an answer of `search_parts`."""
        return int(kernels.search_parts(self.arena.state, self.wanted - self.slack, self.wanted, limit))

    @property
    def visited(self) -> int:
        return int(self.arena.get("visited"))

    def refuse(self, *, refuted: bool, quiet: bool) -> None:
        """The row found is not taken: `refuted` if the model says it does not cross. `quiet`: find only proofs now."""
        self.arena.set(refuted=refuted, quiet=quiet)

    def row(self) -> Floats:
        """The row (d,) of the chosen segments nearest to the place, derived columns left aside."""
        place, found = self.box.place, self.box.place.row.copy()
        for a, column in enumerate(self.box.columns.tolist()):
            if place.ground.free[column]:
                k = int(self.arena.arrays["choice"][a])
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


def _market(gain: Floats, tree: Ints, low: Ints, high: Ints, size: Ints) -> Arena[Market] | None:
    """Who trades with whom; None where there is no room."""
    begin, columns = np.append(np.flatnonzero(np.diff(tree, prepend=-1)), tree.size), size.size
    wide = int(size.max(initial=0)) + 2
    wishes = {"gain": gain, "begin": begin, "size": size, "wish_low": low, "wish_high": high, "mark": np.zeros(wide)}
    numbers = {"n_leaves": gain.size, "n_trees": begin.size - 1, "n_columns": columns, "wide": wide}
    arena = Arena(Market, wishes, numbers)
    count_links(arena.state)
    links, edges, entries = (int(arena.get(name)) for name in ("n_links", "n_edges", "n_entries"))
    if max(edges, entries) > MAX_ENTRIES:
        return None
    rooms = {"first": begin.size, "entry": gain.size + 1, "edge": edges, "tree column left right": links}
    for names, room in {**rooms, "start": links + 1, "low high": entries}.items():
        for name in names.split():
            arena.put(name, np.zeros(room, np.int64))
    write_links(arena.state)
    column = arena.arrays["column"][:links]
    arena.put("order", np.argsort(column, kind="stable"))
    arena.put("of", np.concatenate(([0], np.cumsum(np.bincount(column, minlength=columns)))))
    return arena


def _scratch(arena: Arena[Market]) -> dict[str, Any]:
    """Room for prices and parts."""
    count = {name: int(arena.get(f"n_{name}")) for name in ("leaves", "trees", "columns", "edges", "entries")}
    wide = int(arena.get("wide"))
    rooms = {
        "price offer": count["edges"],
        "paid": count["entries"],
        "score alive": count["leaves"],
        "living": count["trees"] + 1,
        "worth below above": wide,
        "peak": wide.bit_length() * wide,
        "choice part_low part_high": count["columns"],
        "wait_low wait_high": DEPTH * count["columns"],
    }
    return {name: np.zeros(room) for names, room in rooms.items() for name in names.split()}

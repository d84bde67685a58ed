"""The record that prices are made in, and how the leaves of a box are written into it.

A column is cut into segments that no test in the box tells apart. A *link* is a tree with a column it tests.
"""

from __future__ import annotations

from holdfast.attack.evasion.kernels.jit import Ints, Reals, entry, ints, kernel, whole


class Market:
    """L leaves of T trees over A columns, E links, R sums; what belongs to one link or leaf stands side by side."""

    n_leaves: int
    n_trees: int
    n_columns: int
    n_links: int
    n_edges: int
    n_entries: int
    n_sums: int
    wide: int
    """Room for a column's segments."""

    # what is traded
    gain: Reals
    begin: Ints
    """(L,) lead of a leaf; (T + 1,) first leaf of each tree."""
    size: Ints
    """(A,) segments of each column."""
    wish_low: Ints
    wish_high: Ints
    """(L, A), (L, A): segments in which a leaf is."""
    mark: Ints
    """(wide,) scratch, below 0 at first."""
    first: Ints
    """(T + 1,) first link of each tree."""
    tree: Ints
    column: Ints
    """(E,), (E,)"""
    start: Ints
    edge: Ints
    """(E + 1,) first of a link's edges: the segments of its column at which its own begin, and the last one's end."""
    entry: Ints
    """(L + 1,) first entry of each leaf: one for each link of its tree."""
    low: Ints
    high: Ints
    """Per entry, the link's segments that lead to the leaf."""
    order: Ints
    of: Ints
    """(E,), (A + 1,): links by column."""

    # sums that must not exceed a bound
    sum_first: Ints
    """(R + 1,) first entry of each."""
    sum_column: Ints
    sum_offset: Ints
    """Per entry, its column, and where the column's segments begin in `sum_least`."""
    sum_least: Reals
    sum_bound: Reals
    sum_part: Reals
    fee: Reals
    """(R,) what a unit of a sum costs at present."""

    # the prices, and what they make of one part
    price: Reals
    offer: Reals
    """(edges,), (edges,): per segment of a link, its price, and the best score that leads there without it."""
    paid: Reals
    """(entries,) the best price among a leaf's segments of a link."""
    score: Reals
    alive: Ints
    """(L,) a leaf's lead at these prices; leaves that the part can reach."""
    living: Ints
    """(T + 1,) first leaf of each tree in `alive`."""
    left: Ints
    right: Ints
    """(E,), (E,): the link's segments in the part."""
    worth: Reals
    peak: Reals
    """(wide,), (levels, wide): what all trees gain in a segment of a column, and its greatest value from there on."""
    below: Reals
    above: Reals
    """(wide,), (wide,): what the trees lose below a cut and above it, as steps."""
    choice: Ints
    near: Ints
    """(A,), (A,): the segment of each column that is worth most, and the one nearest to the row."""

    # the parts
    part_low: Ints
    part_high: Ints
    """(A,), (A,): segments of the present part."""
    wait_low: Ints
    wait_high: Ints
    """(room, A), (room, A): parts still to be searched."""
    room: int
    top: int
    """How many wait."""
    number: int
    """Parts looked at."""
    visited: int
    """Leaves looked at."""
    pending: int
    """1: the part on top led and was not taken; it is to be split."""
    refuted: int
    """1: the model itself says that it does not lead."""
    quiet: int
    """1: only a proof is wanted."""
    doubt: int
    """1: some part stays open."""


@entry
def count_links(m: Market) -> None:
    """How many links, edges and entries there are."""
    links, edges, entries, stamp = whole(0), whole(0), whole(0), whole(0)
    mark, begin = ints(m.mark), ints(m.begin)
    for tree in range(m.n_trees):
        found = whole(0)
        for a in range(m.n_columns):
            stamp += 1
            distinct = whole(0)
            for leaf in range(begin[tree], begin[tree + 1]):
                below, above = ints(m.wish_low)[leaf * m.n_columns + a], ints(m.wish_high)[leaf * m.n_columns + a]
                distinct += whole(mark[below] != stamp)
                mark[below] = stamp
                distinct += whole(mark[above] != stamp)
                mark[above] = stamp
            if distinct > 2:
                found += 1
                edges += distinct
        links += found
        entries += found * (begin[tree + 1] - begin[tree])
    m.n_links, m.n_edges, m.n_entries = links, edges, entries


@kernel
def _link(m: Market, tree: int, a: int, link: int) -> bool:
    """Write the edges of a tree on a column; False where it does not test it. `mark` then numbers them."""
    size, mark, at = ints(m.size)[a], ints(m.mark), ints(m.start)[link]
    for k in range(size + 1):
        mark[k] = -1
    for leaf in range(ints(m.begin)[tree], ints(m.begin)[tree + 1]):
        mark[ints(m.wish_low)[leaf * m.n_columns + a]] = 0
        mark[ints(m.wish_high)[leaf * m.n_columns + a]] = 0
    for k in range(size + 1):
        if mark[k] == 0:
            if at < m.n_edges:
                ints(m.edge)[at] = k
            mark[k] = at - ints(m.start)[link]
            at += 1
    if at - ints(m.start)[link] <= 2:
        return False
    ints(m.tree)[link], ints(m.column)[link], ints(m.start)[link + 1] = tree, a, at
    return True


@entry
def write_links(m: Market) -> None:
    """Fill the links, and the segments of them that lead to each leaf."""
    link, at, begin = whole(0), whole(0), ints(m.begin)
    for tree in range(m.n_trees):
        ints(m.first)[tree] = link
        width = whole(0)
        for a in range(m.n_columns):
            if link + width < m.n_links:
                width += whole(_link(m, tree, a, link + width))
        for leaf in range(begin[tree], begin[tree + 1]):
            ints(m.entry)[leaf] = at + (leaf - begin[tree]) * width
        for q in range(width):
            a = ints(m.column)[link + q]
            _link(m, tree, a, link + q)
            for leaf in range(begin[tree], begin[tree + 1]):
                into = ints(m.entry)[leaf] + q
                ints(m.low)[into] = ints(m.mark)[ints(m.wish_low)[leaf * m.n_columns + a]]
                ints(m.high)[into] = ints(m.mark)[ints(m.wish_high)[leaf * m.n_columns + a]]
        at += width * (begin[tree + 1] - begin[tree])
        link += width
    ints(m.first)[m.n_trees] = link
    ints(m.entry)[m.n_leaves] = at

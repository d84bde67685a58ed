"""If-then rules that hold on every row: `if a > 0 then b >= 1`, `if a == k then b == v`.

Only values that stand out can be in a rule: zero (or a lowest value such as -1) that a fair share of a column
holds, and the codes of a category. So no rule says that a group's smallest amount happens to be 17.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.mining.columns import Column, Columns
from holdfast.core.contract.mining.mined import MIN_SURPRISE, Bools, Pair, Relation, by_chance
from holdfast.core.contract.syntax import Text, show, signed_number

MIN_CODE_SHARE = 0.005
MIN_SPECIAL_SHARE = 0.02
MAX_SHARE = 0.98
MIN_SURPRISE_SHARE = 0.002
MAX_CODES = 12
MAX_LITERALS = 1_500
CHUNK_ROWS = 32_768

Edge = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Literal:
    """A condition on one column: that it holds `value`, or (`above`) more than this lowest value."""

    column: int
    value: float
    above: bool
    text: str
    share: float


def mine_implications(
    columns: Columns, skip: frozenset[int], related: frozenset[Pair], ordered: frozenset[Pair]
) -> list[Relation]:
    """Rules between two columns, the most surprising first.

    None between `related` columns, none that follows from an `ordered` pair (low, high), and none that follows from
    two others. Of a rule and its contrapositive one is kept.
    """
    literals = _literals(columns, skip)
    if not literals:
        return []
    together = _count(_table(columns, literals))
    surprise = _surprise(together, columns.n_rows)
    least = max(MIN_SURPRISE, MIN_SURPRISE_SHARE * columns.n_rows)
    found = (np.diagonal(together)[:, None] == together) & (surprise >= least) & ~_tied(columns, literals, related)
    edges = [edge for edge in _reduced(found, literals, ordered) if not _by_order(literals, edge, ordered)]
    chosen = _one_of_each_contrapositive(literals, edges)
    relations = [_relation(columns, literals, edge, float(surprise[edge])) for edge in chosen]
    return sorted(relations, key=lambda relation: -relation.surprise)


def _literals(columns: Columns, skip: frozenset[int]) -> list[Literal]:
    found: list[Literal] = []
    for position, column in enumerate(columns.found):
        if not column.constant and not column.missing and position not in skip:
            found.extend(_of(position, column))
    return sorted(found, key=lambda literal: -min(literal.share, 1 - literal.share))[:MAX_LITERALS]


def _of(position: int, column: Column) -> list[Literal]:
    few_with_negatives = column.integral and column.distinct[0] < 0 and len(column.distinct) <= MAX_CODES
    if column.type == "category" or column.bit or few_with_negatives:
        shares = ((float(value), column.share(float(value))) for value in column.distinct)
        kept = ((value, share) for value, share in shares if MIN_CODE_SHARE <= share <= MAX_SHARE)
        return [Literal(position, value, False, _equals(column, value), share) for value, share in kept]
    lowest = float(column.distinct[0])
    share = column.share(lowest)
    if lowest not in (0.0, -1.0) or not MIN_SPECIAL_SHARE <= share <= MAX_SHARE:
        return []
    rest = f"{column.sign} >= 1" if column.integral and lowest == 0 else f"{column.sign} > {signed_number(lowest)}"
    return [
        Literal(position, lowest, False, _equals(column, lowest), share),
        Literal(position, lowest, True, rest, 1 - share),
    ]


def _equals(column: Column, value: float) -> str:
    shown = show(Text(column.texts[int(value)])) if column.texts else signed_number(value)
    return f"{column.sign} == {shown}"


def _table(columns: Columns, literals: list[Literal]) -> Bools:
    """(n, k): where each literal holds."""
    table = np.empty((columns.n_rows, len(literals)), dtype=np.bool_)
    for at, literal in enumerate(literals):
        table[:, at] = (columns.found[literal.column].values == literal.value) ^ literal.above
    return table


def _count(holds: Bools) -> NDArray[np.int64]:
    """(k, k): on how many rows two literals hold together."""
    together = np.zeros((holds.shape[1], holds.shape[1]), dtype=np.int64)
    for start in range(0, len(holds), CHUNK_ROWS):
        part = holds[start : start + CHUNK_ROWS].astype(np.float32)
        together += (part.T @ part).astype(np.int64)
    return together


def _tied(columns: Columns, literals: list[Literal], related: frozenset[Pair]) -> Bools:
    """(k, k): literals of one column, or of related ones."""
    table = np.eye(len(columns.found), dtype=np.bool_)
    for a, b in related:
        table[a, b] = True
    owner = np.array([literal.column for literal in literals])
    return np.asarray(table[owner[:, None], owner[None, :]])


def _surprise(together: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
    """(guard, then): on how many rows unrelated columns would break the rule."""
    counts = np.diagonal(together)
    return counts[:, None] * (1 - counts[None, :] / rows)


def _reduced(found: Bools, literals: list[Literal], ordered: frozenset[Pair]) -> list[Edge]:
    """The rules that do not follow from two others.

    Of literals that always hold together the first speaks for all; a circle ties them to it.
    """
    twins = found & found.T
    first = np.array([min([at, *np.flatnonzero(row).tolist()]) for at, row in enumerate(twins)])
    speaks = first == np.arange(len(found))
    among = found & speaks[:, None] & speaks[None, :]
    direct = among & ~((among.astype(np.float32) @ among.astype(np.float32)) > 0)
    pairs = [(int(a), int(b)) for a, b in zip(*np.nonzero(direct), strict=True)]
    for speaker in np.unique(first[~speaks]):
        pairs += _circle(np.flatnonzero(first == speaker), literals, ordered)
    return pairs


def _circle(members: NDArray[np.int64], literals: list[Literal], ordered: frozenset[Pair]) -> list[Edge]:
    """Rules around literals that always hold together, along known orderings, so that those say most of it already."""
    columns = [literals[at].column for at in members]
    rank = [sum((other, column) in ordered for other in columns) for column in columns]
    way = [int(members[at]) for at in np.argsort(rank, kind="stable")]
    if not literals[way[0]].above:
        way.reverse()  # `a <= b`: a above zero leaves b above zero, but b at zero leaves a at zero
    return list(itertools.pairwise([*way, way[0]]))


def _by_order(literals: list[Literal], edge: Edge, ordered: frozenset[Pair]) -> bool:
    """Whether `a <= b` says it already: a above zero leaves b above zero, b at zero leaves a at zero."""
    guard, then = literals[edge[0]], literals[edge[1]]
    if guard.value != then.value:
        return False
    up = guard.above and then.above and (guard.column, then.column) in ordered
    down = not guard.above and not then.above and (then.column, guard.column) in ordered
    return up or down


def _one_of_each_contrapositive(literals: list[Literal], edges: Iterable[Edge]) -> list[Edge]:
    negation = _negations(literals)
    kept: dict[Edge, None] = {}
    for guard, then in sorted(edges, key=lambda edge: _plainness(literals, edge)):
        if (negation.get(then), negation.get(guard)) not in kept:
            kept[guard, then] = None
    return list(kept)


def _plainness(literals: list[Literal], edge: Edge) -> tuple[bool, bool, int, int]:
    """Sorts rules that speak of something present before their contrapositives that speak of nothing being there."""
    guard, then = literals[edge[0]], literals[edge[1]]
    return not _present(guard), not _present(then), guard.column, then.column


def _present(literal: Literal) -> bool:
    return literal.above or literal.value not in (0.0, -1.0)


def _negations(literals: list[Literal]) -> dict[int, int]:
    """For literals of columns with two possible outcomes, the other outcome."""
    owners: dict[int, list[int]] = {}
    for at, literal in enumerate(literals):
        owners.setdefault(literal.column, []).append(at)
    pairs = [
        two for two in owners.values() if len(two) == 2 and literals[two[0]].share + literals[two[1]].share > 1 - 1e-9
    ]
    return {a: b for one, other in pairs for a, b in ((one, other), (other, one))}


def _relation(columns: Columns, literals: list[Literal], edge: Edge, surprise: float) -> Relation:
    guard, then = literals[edge[0]], literals[edge[1]]
    name = f"if-{columns.found[guard.column].name}-{columns.found[then.column].name}"
    support = f"{by_chance(columns.n_rows, surprise)}; its condition is met on {guard.share:.1%}"
    return Relation(name, f"if {guard.text} then {then.text}", support, surprise)

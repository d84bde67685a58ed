"""A contract as the arrays that kernels read, and the moves it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.evasion.goal import shares
from holdfast.attack.evasion.kernels import rules as codes
from holdfast.core.contract import Contract, Row, Term

KINDS = {"number": codes.NUMBER, "integer": codes.INTEGER, "category": codes.CATEGORY}
MOVES = {"never": codes.NEVER, "up": codes.UP, "down": codes.DOWN, "any": codes.ANY}
OPS = {"<=": codes.LE, "<": codes.LT, ">=": codes.GE, ">": codes.GT, "==": codes.EQ, "!=": codes.NE}
MAX_CHAIN = 4
MAX_CHAINS_PER_COLUMN = 16
MAX_REPAIRS = 4096

Floats = NDArray[np.float64]
Arrays = Mapping[str, Any]
Numbers = Mapping[str, float]


def compile_rules(contract: Contract, scales: Floats) -> Arrays:
    """Fields of `State`: the contract's bounds, relations and derived columns; distances in units of `scales` (d,)."""
    features = contract.features
    rows = [row for item in contract.constraints for row in (*item.guard, *item.rows)]
    guards = [len(item.guard) for item in contract.constraints]
    sizes = [len(item.guard) + len(item.rows) for item in contract.constraints]
    first = _offsets(sizes)
    groups = [row.terms for row in rows] + [derived.terms for derived in contract.derived]
    terms = [term for group in groups for term in group]
    term_at = _offsets([len(group) for group in groups])
    factors = [factor for term in terms for factor in term.factors]
    affected_at, affected = _joined([affected_by(contract, column) for column in range(len(features))])
    touch_at, touch = _joined([_touching(contract, column) for column in range(len(features))])
    return {
        "kind": [KINDS[feature.type] for feature in features],
        "move": [MOVES[feature.move] if feature.movable else codes.NEVER for feature in features],
        "least": [-np.inf if feature.type == "category" else feature.min for feature in features],
        "most": [np.inf if feature.type == "category" else feature.max for feature in features],
        "missing": [feature.missing for feature in features],
        "scale": scales,
        "cost": [feature.cost for feature in features],
        "share": shares(contract),
        "derived": [feature.derived is not None for feature in features],
        "affected_at": affected_at,
        "affected": affected,
        "derived_column": [derived.column for derived in contract.derived],
        "derived_term_at": term_at[len(rows) :],
        "derived_undefined": [derived.undefined for derived in contract.derived],
        "touch_at": touch_at,
        "touch": touch,
        "first_row": first,
        "body_row": first[:-1] + np.array(guards, np.int64),
        "op": [OPS[row.op] for row in rows],
        "bound": [row.bound for row in rows],
        "term_at": term_at,
        "coefficient": [term.coefficient for term in terms],
        "factor_at": _offsets([len(term.factors) for term in terms]),
        "factor": [-1 - factor.column if factor.was else factor.column for factor in factors],
        "inverse": [factor.power < 0 for factor in factors],
    }


def affected_by(contract: Contract, column: int) -> list[int]:
    """Numbers of the derived columns that follow `column`, directly or through others, in evaluation order."""
    reached = {column}
    found = []
    for number, derived in enumerate(contract.derived):
        if reached & {factor.column for term in derived.terms for factor in term.factors}:
            reached.add(derived.column)
            found.append(number)
    return found


def _touching(contract: Contract, column: int) -> list[int]:
    return [
        number
        for number, item in enumerate(contract.constraints)
        if any(column in row.columns for row in (*item.guard, *item.rows))
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """After the first column: if the row is not as wanted, move `partner` until it is."""

    row: int
    partner: int
    wanted: int
    relation: int


@dataclass(frozen=True, slots=True)
class Line:
    """Columns that move together: `primary` freely, or -1 - group for a swap; partners by their steps."""

    primary: int
    steps: tuple[Step, ...] = ()


def compile_lines(contract: Contract) -> tuple[Arrays, Numbers]:
    """Fields of `State`: moves of one column, of a column with what is tied to it, or what repairs its rows."""
    book = _Book(contract)
    plain = [column for column in book.free if not book.tied(column) and not affected_by(contract, column)]
    base = list(book.base_lines(set(plain)))
    lines = [*base, *book.repairs()]
    steps = [step for line in lines for step in line.steps]
    arrays: Arrays = {
        "plain": plain,
        "primary": [line.primary for line in lines],
        "step_at": _offsets([len(line.steps) for line in lines]),
        "step_row": [step.row for step in steps],
        "step_partner": [step.partner for step in steps],
        "step_wanted": [step.wanted for step in steps],
        "step_relation": [step.relation for step in steps],
        "member_at": _offsets([len(group) for group in contract.groups]),
        "member": [column for group in contract.groups for column in group],
    }
    return arrays, {"n_plain": len(plain), "n_base": len(base), "n_lines": len(lines), "n_groups": len(contract.groups)}


class _Book:
    """Which relations tie which columns."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        grouped = {column for group in contract.groups for column in group}
        features = contract.features
        self.free = [i for i, feature in enumerate(features) if feature.movable and i not in grouped]
        self._partners = {i for i in self.free if features[i].type != "category"}
        self._rows: list[tuple[int, Row, bool, bool]] = []
        for number, item in enumerate(contract.constraints):
            guarded = bool(item.guard)
            self._rows += [(number, row, True, guarded) for row in item.guard]
            self._rows += [(number, row, False, guarded) for row in item.rows]
        self._reach = {i: self._reached(i) for i in self.free}

    def tied(self, column: int) -> list[int]:
        """Equations that a move of this column alone would break."""
        return [
            number
            for number, (_, row, is_guard, guarded) in enumerate(self._rows)
            if row.op == "==" and not is_guard and not guarded and self._reach[column] & row.columns
        ]

    def base_lines(self, plain: set[int]) -> Iterator[Line]:
        for group in range(len(self._contract.groups)):
            if any(self._contract.features[column].movable for column in self._contract.groups[group]):
                yield Line(-1 - group)
        for column in self.free:
            if column not in plain:
                chains = self._chains(self.tied(column), {column}, ())
                for _, steps in zip(range(MAX_CHAINS_PER_COLUMN), chains, strict=False):
                    yield Line(column, steps)

    def repairs(self) -> list[Line]:
        """For each column and each relation that can forbid its move: a partner that moves to allow it."""
        found: list[Line] = []
        for column in self.free:
            for number, (constraint, row, is_guard, guarded) in enumerate(self._rows):
                if not self._concerns(column, constraint) or (row.op == "==" and not is_guard and not guarded):
                    continue
                wanted = codes.FALSE if is_guard else codes.TRUE
                for partner in sorted(self._partners & row.columns):
                    if not (is_guard and partner == column) and _solvable(row, partner):
                        found.append(Line(column, (Step(number, partner, wanted, constraint),)))
        return found[:MAX_REPAIRS]

    def _chains(self, pending: list[int], moved: set[int], steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
        """All short ways to keep the `pending` equations by moving further columns."""
        if not pending:
            yield steps
            return
        if len(steps) == MAX_CHAIN:
            return
        constraint, row, _, _ = self._rows[pending[0]]
        for partner in sorted((self._partners & row.columns) - moved):
            if _solvable(row, partner):
                step = Step(pending[0], partner, codes.TRUE, constraint)
                done = {one.row for one in steps} | {pending[0]}
                rest = [number for number in dict.fromkeys([*pending[1:], *self.tied(partner)]) if number not in done]
                yield from self._chains(rest, moved | {partner}, (*steps, step))

    def _concerns(self, column: int, constraint: int) -> bool:
        item = self._contract.constraints[constraint]
        return any(self._reach[column] & row.columns for row in (*item.guard, *item.rows))

    def _reached(self, column: int) -> set[int]:
        derived = self._contract.derived
        return {column, *(derived[number].column for number in affected_by(self._contract, column))}


def _solvable(row: Row, column: int) -> bool:
    """Whether the row is linear in the column, or in one over it."""
    powers = {sum(f.power for f in term.factors if f.column == column and not f.was) for term in row.terms}
    present = [term for term in row.terms if any(f.column == column and not f.was for f in term.factors)]
    return powers - {0} in ({1}, {-1}) and all(_once(term, column) for term in present)


def _once(term: Term, column: int) -> bool:
    return sum(f.column == column and not f.was for f in term.factors) == 1


def _offsets(sizes: list[int]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def _joined(lists: list[list[int]]) -> tuple[NDArray[np.int64], list[int]]:
    return _offsets([len(part) for part in lists]), [value for part in lists for value in part]

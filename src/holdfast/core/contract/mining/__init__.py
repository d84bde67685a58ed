"""Drafts a contract from training data: what each column is, and what holds between them on every row.

A rule is written down only if it holds on all rows and unrelated columns would have broken it often
(`mined.MIN_SURPRISE`); independent columns give no rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.mining.columns import Columns, read_columns
from holdfast.core.contract.mining.draft import Draft
from holdfast.core.contract.mining.implications import mine_implications
from holdfast.core.contract.mining.linear import mine_conditional_sums, mine_linear
from holdfast.core.contract.mining.mined import Formula, OneHotGroup, Pair
from holdfast.core.contract.mining.orders import mine_orders
from holdfast.core.contract.mining.products import mine_products
from holdfast.core.documents import suggest
from holdfast.core.errors import ContractError

__all__ = ["Draft", "infer"]

MAX_EQUALITIES = 20
MAX_ORDERS = 20
MAX_IMPLICATIONS = 20
SEED = 0


def infer(columns: Mapping[str, NDArray[Any]], label: str | None = None, drop: Collection[str] = ()) -> Draft:
    """A contract for named columns (n,) of training data; the label and dropped columns are no features.

    Deterministic. Raises ContractError: HF-CON-013 if there are no rows or no usable columns, or if `label` or
    `drop` name none; HF-CON-010 on infinite values.
    """
    _refuse(columns, [*([] if label is None else [label]), *drop])
    found = read_columns(columns, {*drop, *([] if label is None else [label])})
    if not found.found:
        cause = "; ".join(f"'{name}': {reason}" for name, reason in list(found.omitted.items())[:3])
        raise _nothing("no column can be a feature", cause or "all columns are dropped", "drop fewer columns")
    return _checked(_mine(found))


def _refuse(columns: Mapping[str, NDArray[Any]], named: Collection[str]) -> None:
    for name in named:
        if name not in columns:
            raise _nothing(
                f"there is no column '{name}'", "it is named as label or to be dropped", suggest(name, columns)
            )
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1 or 0 in lengths:
        cause = "there are no rows" if lengths in ({0}, set()) else "the columns differ in length"
        raise _nothing("the training data cannot be used", cause, "pass whole columns with at least one row")
    for name in columns:
        if not 1 <= len(name) <= 200 or not name.isprintable():
            raise _nothing(f"a column is called {name!r:.60}", "names have 1 to 200 printable characters", "rename it")


def _mine(columns: Columns) -> Draft:
    rng = np.random.default_rng(SEED)
    groups, sums, equalities = mine_linear(columns, rng)
    formulas = _accepted(sums, {})
    copies = frozenset(formula.column for formula in formulas.values() if len(formula.needs) == 1)
    ratios, products = mine_products(columns, copies, frozenset(formulas), rng)
    formulas = _accepted(ratios, formulas)
    related = _related(formulas, groups)
    known = {formula.needs | {formula.column} for formula in formulas.values()}
    conditional = mine_conditional_sums(columns, known | {frozenset(group.columns) for group in groups}, rng)
    orders, ordered = mine_orders(columns, copies, related)
    implications = mine_implications(columns, copies, related, ordered)
    kinds = (
        (equalities + products + conditional, MAX_EQUALITIES),
        (orders, MAX_ORDERS),
        (implications, MAX_IMPLICATIONS),
    )
    kept = tuple(relation for kind, most in kinds for relation in kind[:most])
    left_out = sum(max(0, len(kind) - most) for kind, most in kinds)
    return Draft(columns, formulas, tuple(groups), kept, left_out)


def _accepted(new: list[Formula], old: dict[int, Formula]) -> dict[int, Formula]:
    """Formulas that leave an order of computation; no column twice."""
    formulas = dict(old)
    for formula in new:
        if formula.column not in formulas and not _reaches(formula.needs, formula.column, formulas):
            formulas[formula.column] = formula
    return formulas


def _reaches(start: Collection[int], target: int, formulas: Mapping[int, Formula]) -> bool:
    waiting, seen = list(start), set(start)
    while waiting:
        column = waiting.pop()
        if column == target:
            return True
        further = formulas[column].needs - seen if column in formulas else frozenset()
        seen |= further
        waiting.extend(further)
    return False


def _related(formulas: Mapping[int, Formula], groups: list[OneHotGroup]) -> frozenset[Pair]:
    """Pairs, both ways round, that a formula or a group relates already."""
    found = {(a, b) for group in groups for a in group.columns for b in group.columns}
    for formula in formulas.values():
        for column in formula.needs:
            found |= {(column, formula.column), (formula.column, column)}
    return frozenset(found)


def _checked(draft: Draft) -> Draft:
    """The draft without whatever its own contract finds broken: last proof that all of it holds on every row."""
    for _ in range(3):
        contract = draft.contract()
        broken = {item.constraint_id for item in contract.validate(draft.columns.matrix).broken}
        if not broken:
            return draft
        ids = [constraint.id for constraint in contract.constraints]
        relations = tuple(r for r, name in zip(draft.relations, ids, strict=True) if name not in broken)
        names = draft.columns.found
        formulas = {p: f for p, f in draft.formulas.items() if f"{names[p].name}.derived" not in broken}
        draft = replace(draft, relations=relations, formulas=formulas)
    return replace(draft, relations=(), formulas={}, groups=())


def _nothing(message: str, cause: str, fix: str) -> ContractError:
    return ContractError(message, cause=cause, fix=fix, code="HF-CON-013")

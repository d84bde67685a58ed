"""Turns rule trees into IR rows: sums of products of columns, each to the power 1 or -1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.core.contract.ir import Derived, Factor, Row, Term
from holdfast.core.contract.syntax import Binary, Comparison, Expression, Name, Negate, Number, Rule, Text, names
from holdfast.core.contract.tokens import RuleError

MAX_TERMS = 64
MAX_FACTORS = 8
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

_Sum = dict[tuple[Factor, ...], float]


@dataclass(frozen=True)
class Scope:
    """What names mean: the position of a column (raises RuleError if unknown) and the categories of text columns."""

    column: Callable[[Name], int]
    categories: dict[int, tuple[str, ...]]


def compile_rule(rule: Rule, scope: Scope) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows of a rule and of its guard. Raises RuleError."""
    return tuple(compile_comparison(c, scope) for c in rule.then), tuple(
        compile_comparison(c, scope) for c in rule.guard
    )


def compile_comparison(comparison: Comparison, scope: Scope) -> Row:
    """`sum(terms) <op> bound` for one comparison; constants move to the right. Raises RuleError."""
    if isinstance(comparison.left, Text) or isinstance(comparison.right, Text):
        return _category_row(comparison, scope)
    total = _expand(comparison.left, scope)
    for factors, coefficient in _expand(comparison.right, scope).items():
        _add(total, factors, -coefficient, comparison.at)
    bound = -total.pop((), 0.0) + 0.0
    if not total:
        raise _fault("compares numbers only", comparison.at, "name a column on one side")
    op = comparison.op
    if isinstance(comparison.left, Number):
        total, bound, op = {k: -c for k, c in total.items()}, -bound + 0.0, _FLIPPED[op]
    return Row(_terms(total), op, bound)


def compile_derived(node: Expression, scope: Scope, column: int, undefined: float) -> Derived:
    """The terms of a derived column, a constant as a term without factors. Raises RuleError."""
    for name in names(node):
        if name.was:
            raise _fault("reads was() in a derived column", name.at, "derive it from present values")
    total = _expand(node, scope)
    if not any(total):
        raise _fault("names no column", 0, "derive the column from others, or leave 'derived' out")
    expanded = not _as_written(node) or len(total) != _summands(node)
    return Derived(column, _terms(total), undefined, expanded)


def _as_written(node: Expression) -> bool:
    """Whether the terms, taken left to right, are the written arithmetic bit for bit."""
    if isinstance(node, Binary) and node.op in "+-":
        return _as_written(node.left) and _product(node.right)
    return _product(node)


def _summands(node: Expression) -> int:
    return _summands(node.left) + 1 if isinstance(node, Binary) and node.op in "+-" else 1


def _product(node: Expression) -> bool:
    """Columns multiplied and divided from left to right, a number or a minus at most in front."""
    match node:
        case Binary("*" | "/", left, Name()):
            return _product(left)
        case Negate(operand):
            return isinstance(operand, Name)
        case Name() | Number():
            return True
        case _:
            return False


def _category_row(comparison: Comparison, scope: Scope) -> Row:
    name, text = comparison.left, comparison.right
    if isinstance(name, Text):
        name, text = text, name
    if not isinstance(name, Name) or not isinstance(text, Text) or comparison.op not in ("==", "!="):
        raise _fault("a text value can only be compared with a column by == or !=", comparison.at, "rewrite it")
    column = scope.column(name)
    known = scope.categories.get(column, ())
    if text.value not in known:
        listed = ", ".join(known[:8]) or "none: it is not a text category"
        raise _fault(f"'{text.value}' is not a value of '{name.name}'", text.at, f"its values are {listed}")
    return Row((Term(1.0, (Factor(column, name.was),)),), comparison.op, float(known.index(text.value)))


def _expand(node: Expression, scope: Scope) -> _Sum:
    match node:
        case Number(value):
            return {(): value}
        case Text(_, at):
            raise _fault("a text value cannot be calculated with", at, "compare it by == or !=")
        case Name(name, was, at):
            column = scope.column(node)
            if column in scope.categories:
                raise _fault(f"'{name}' is a text category", at, "compare it with a quoted value by == or !=")
            return {(Factor(column, was),): 1.0}
        case Negate(operand, at):
            return {factors: -coefficient for factors, coefficient in _expand(operand, scope).items()}
        case Binary("+" | "-" as op, left, right, at):
            total = _expand(left, scope)
            for factors, coefficient in _expand(right, scope).items():
                _add(total, factors, coefficient if op == "+" else -coefficient, at)
            return total
        case Binary(op, left, right, at):
            factor = _expand(right, scope)
            return _times(_expand(left, scope), factor if op == "*" else _inverse(factor, at), at)


def _times(left: _Sum, right: _Sum, at: int) -> _Sum:
    product: _Sum = {}
    for one, a in left.items():
        for other, b in right.items():
            if len(one) + len(other) > MAX_FACTORS:
                raise _fault(
                    f"a product of more than {MAX_FACTORS} columns", at, "name a part of it as a derived column"
                )
            _add(product, one + other, a * b, at)
    return product


def _inverse(divisor: _Sum, at: int) -> _Sum:
    if len(divisor) != 1 or any(f.power < 0 for factors in divisor for f in factors):
        fix = "divide by a column, a number or their product; a sum can be named as a derived column first"
        raise _fault("divides by a sum or by a ratio", at, fix)
    ((factors, coefficient),) = divisor.items()
    if coefficient == 0:
        raise _fault("divides by zero", at, "divide by something else")
    return {tuple(Factor(f.column, f.was, -1) for f in factors): 1.0 / coefficient}


def _add(total: _Sum, factors: tuple[Factor, ...], coefficient: float, at: int) -> None:
    # A term that cancels stays, with coefficient 0: its column may still be missing or divide by zero.
    combined = total.get(factors, 0.0) + coefficient
    if not math.isfinite(combined):
        raise _fault("its numbers overflow float64", at, "use smaller numbers")
    total[factors] = combined
    if len(total) > MAX_TERMS:
        raise _fault(f"more than {MAX_TERMS} terms once multiplied out", at, "name a part of it as a derived column")


def _terms(total: _Sum) -> tuple[Term, ...]:
    return tuple(Term(coefficient, factors) for factors, coefficient in total.items())


def _fault(problem: str, at: int, fix: str) -> RuleError:
    return RuleError(problem, at, fix, code="HF-CON-007")

"""Compiled rows against an oracle: Python's own parser and exact fractions."""

from __future__ import annotations

import ast
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract
from holdfast.core.contract.compile import Scope, compile_rule
from holdfast.core.contract.evaluate import applies, breaks, derive, row_truth
from holdfast.core.contract.grammar import parse_rule
from holdfast.core.contract.ir import TOLERANCE, Constraint
from holdfast.core.contract.tokens import RuleError
from holdfast.core.errors import ContractError

NAMES = "abcd"
Row = dict[str, Fraction | None]


def contract(*relations: str, derived: dict[str, str] | None = None) -> Contract:
    features = [f"  {name}: {{type: number, move: any, missing: true}}" for name in NAMES]
    features += [f"  {name}: {{type: number, missing: true, {formula}}}" for name, formula in (derived or {}).items()]
    lines = [f'  - {{id: r{i}, rule: "{rule}"}}' for i, rule in enumerate(relations)]
    return Contract.parse("\n".join(["version: 1", "features:", *features, "relations:" if lines else "", *lines]))


def attempt(*, derived: dict[str, str]) -> Contract | None:
    """The contract, or None where the language refuses to compile a formula."""
    try:
        return contract(derived=derived)
    except ContractError as error:
        if error.code != "HF-CON-007":
            raise
        return None


# --- the oracle -----------------------------------------------------------------------------------------------------


class AbsentError(Exception):
    """A column is missing."""


class CloseError(Exception):
    """Too near the boundary for float64 to be held to the exact answer."""


def value(node: ast.expr, now: Row, before: Row) -> Fraction:
    match node:
        case ast.Constant(constant):
            return Fraction(str(constant))
        case ast.Name(name):
            return present(now[name])
        case ast.Call(_, [ast.Name(name)]):
            return present(before[name])
        case ast.UnaryOp(ast.USub(), operand):
            return -value(operand, now, before)
        case ast.BinOp(left, op, right):
            a, b = value(left, now, before), value(right, now, before)
            return {ast.Add: a.__add__, ast.Sub: a.__sub__, ast.Mult: a.__mul__, ast.Div: a.__truediv__}[type(op)](b)
    raise AssertionError(ast.dump(node))


def present(number: Fraction | None) -> Fraction:
    if number is None:
        raise AbsentError
    return number


def size(node: ast.expr, now: Row, before: Row) -> float:
    """An upper bound of every intermediate value: all signs positive."""
    match node:
        case ast.BinOp(left, ast.Div(), right):
            return size(left, now, before) / max(abs(float(value(right, now, before))), 1e-9)
        case ast.BinOp(left, ast.Mult(), right):
            return size(left, now, before) * size(right, now, before)
        case ast.BinOp(left, _, right):
            return size(left, now, before) + size(right, now, before)
        case ast.UnaryOp(_, operand):
            return size(operand, now, before)
    return abs(float(value(node, now, before)))


def missing(node: ast.expr, now: Row, before: Row) -> bool:
    calls = [call.args[0] for call in ast.walk(node) if isinstance(call, ast.Call)]
    old = {inner.id for inner in calls if isinstance(inner, ast.Name)}
    new = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n not in calls and n.id != "was"}
    return any(before[name] is None for name in old) or any(now[name] is None for name in new)


def holds(compare: ast.Compare, now: Row, before: Row) -> bool | None:
    """True, False or None (unknown) for one comparison."""
    if missing(compare, now, before):
        return None
    left, right, op = compare.left, compare.comparators[0], compare.ops[0]
    try:
        difference = value(left, now, before) - value(right, now, before)
    except ZeroDivisionError:
        return False
    largest = size(left, now, before) + size(right, now, before) + 1
    strict = isinstance(op, ast.Lt | ast.Gt | ast.NotEq)
    divides = any(isinstance(n, ast.Div) for n in ast.walk(compare))
    if 0 < abs(difference) < 1e-6 * largest or (difference == 0 and strict and divides):
        raise CloseError
    zero = Fraction(0)
    return {
        ast.Lt: difference < zero,
        ast.LtE: difference <= zero,
        ast.Gt: difference > zero,
        ast.GtE: difference >= zero,
        ast.Eq: difference == zero,
        ast.NotEq: difference != zero,
    }[type(op)]


def conditions(text: str, now: Row, before: Row) -> list[bool | None]:
    body = ast.parse(text, mode="eval").body
    parts = body.values if isinstance(body, ast.BoolOp) else [body]
    return [holds(part, now, before) for part in parts if isinstance(part, ast.Compare)]


def oracle_breaks(rule: str, now: Row, before: Row) -> bool:
    guard, _, then = rule.removeprefix("if ").rpartition(" then ")
    met = all(state is True for state in conditions(guard, now, before)) if guard else True
    return met and any(state is False for state in conditions(then, now, before))


# --- random rules and rows ------------------------------------------------------------------------------------------

present_columns = st.sampled_from(NAMES)
any_columns = st.one_of(present_columns, present_columns.map("was({})".format))
literals = st.sampled_from(["0", "1", "2", "0.5", "3", "20", "7.25"])


def formulas(columns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    divisors = st.one_of(columns, st.sampled_from(["2", "7", "0.5"]))
    return st.recursive(
        st.one_of(columns, literals),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(inner, divisors).map(lambda t: f"{t[0]} / {t[1]}"),
            inner.map("(-{})".format),
        ),
        max_leaves=5,
    )


arithmetic = formulas(any_columns)
comparison = st.tuples(arithmetic, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), arithmetic).map(" ".join)
joined = st.lists(comparison, min_size=1, max_size=2).map(" and ".join)
rule_texts = st.one_of(joined, st.tuples(joined, joined).map(lambda t: f"if {t[0]} then {t[1]}"))
cells = st.one_of(
    st.none(), st.integers(-3, 3).map(Fraction), st.sampled_from([Fraction(1, 2), Fraction(25, 4), Fraction(0)])
)
rows = st.fixed_dictionaries(dict.fromkeys(NAMES, cells))


def matrix(row: Row) -> np.ndarray:
    return np.array([[math.nan if row[n] is None else float(row[n]) for n in NAMES]])  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(rule_texts, rows, rows)
def test_rules_mean_what_exact_fractions_say(text: str, now: Row, before: Row) -> None:
    # Without a YAML file around each rule, which would take most of the time.
    scope = Scope(lambda name: NAMES.index(name.name), {})
    try:
        subject = Constraint("r", *compile_rule(parse_rule(text), scope))
    except RuleError as error:
        assert error.code == "HF-CON-007"  # noqa: PT017 - the language refuses some rules
        assume(False)
    try:
        expected = oracle_breaks(text, now, before)
    except CloseError:
        assume(False)
    assert bool(breaks(subject, matrix(now), matrix(before))[0]) == expected


def calculated(formula: str, X: np.ndarray) -> float:
    """The formula by Python itself, in float64."""
    return float(eval(formula, {}, {name: float(X[0, i]) for i, name in enumerate(NAMES)}))


@settings(max_examples=100, deadline=None)
@given(formulas(present_columns), rows)
def test_a_derived_column_is_the_formula_in_float64(formula: str, row: Row) -> None:
    subject = attempt(derived={"z": f"derived: '{formula}', undefined: -99"})
    if subject is None:
        return
    X = np.hstack([matrix(row), [[0.0]]])
    used = {node.id for node in ast.walk(ast.parse(formula)) if isinstance(node, ast.Name)}
    try:
        expected = math.nan if any(row[name] is None for name in used) else calculated(formula, X)
    except ZeroDivisionError:
        expected = -99.0
    found = derive(subject, X)[0, 4]
    assert found == expected or (math.isnan(found) and math.isnan(expected))
    assert np.array_equal(X[:, :4], derive(subject, X)[:, :4], equal_nan=True)


products = st.tuples(
    st.sampled_from(["", "", "-", "2 * ", "0.1 * "]),
    present_columns,
    st.lists(st.tuples(st.sampled_from("*/"), present_columns).map(lambda t: f" {t[0]} {t[1]}"), max_size=2),
).map(lambda t: t[0] + t[1] + "".join(t[2]))
sums = st.tuples(products, st.lists(st.tuples(st.sampled_from("+-"), products).map(" ".join), max_size=3)).map(
    lambda t: " ".join([t[0], *t[1]])
)
awkward = st.floats(0.01, 1e6).filter(bool)


@settings(max_examples=100, deadline=None)
@given(sums, st.lists(awkward, min_size=4, max_size=4))
def test_terms_that_are_not_expanded_give_the_same_bits(formula: str, cells: list[float]) -> None:
    subject = attempt(derived={"z": f"derived: '{formula}'"})
    if subject is None:
        return
    (derived,) = subject.derived
    total = None
    for term in derived.terms:
        product = term.coefficient
        for factor in term.factors:
            product = product * cells[factor.column] if factor.power > 0 else product / cells[factor.column]
        total = product if total is None else total + product
    assert total is not None
    exact = calculated(formula, np.array([cells]))
    if derived.expanded:
        assert total == pytest.approx(exact, rel=1e-9, abs=1e-3)
    else:
        assert total == exact


def test_which_formulas_are_expanded() -> None:
    kept = ["a / b", "a + b - c", "2 * a * b + c / d", "-a * b", "1 / a"]
    grouped = ["a / 3", "(a + b) / c", "a - (b - c)", "a + b + a", "2 * 3 * a", "a * (b * c)", "-(a * b)"]
    for formula in kept + grouped:
        (derived,) = contract(derived={"z": f"derived: '{formula}'"}).derived
        assert derived.expanded == (formula in grouped), formula


# --- single cases ---------------------------------------------------------------------------------------------------


def truth(rule: str, *row: float) -> str:
    X = np.array([row], dtype=float)
    found = row_truth(contract(rule).constraints[0].rows[0], X, X)
    return "true" if found.true[0] else "unknown" if found.unknown[0] else "false"


def test_a_division_by_zero_is_false_for_every_comparison() -> None:
    for op in ("<", "<=", ">", ">=", "==", "!="):
        assert truth(f"a / b {op} 1", 1, 0, 0, 0) == "false"
        assert truth(f"a / b {op} 1", 0, 0, 0, 0) == "false"


def test_a_missing_value_is_unknown_even_beside_a_division_by_zero() -> None:
    assert truth("a / b <= 1", math.nan, 0, 0, 0) == "unknown"
    assert truth("c <= 1", math.nan, 0, 0, 0) == "true"


def test_a_sum_beyond_float64_is_false() -> None:
    assert truth("a * b >= 0", 1e200, 1e200, 0, 0) == "false"


def test_a_term_that_cancels_still_needs_its_column() -> None:
    assert truth("a - a <= 0", math.nan, 0, 0, 0) == "unknown"
    assert truth("a + c / b - c / b <= 5", 1, 0, 2, 0) == "false"


def test_the_slack_is_relative_to_the_largest_term_and_only_where_equality_counts() -> None:
    just = 1e6 * (1 + 0.9 * TOLERANCE)
    beyond = 1e6 * (1 + 1.5 * TOLERANCE)
    assert truth("a <= b", just, 1e6, 0, 0) == "true"
    assert truth("a <= b", beyond, 1e6, 0, 0) == "false"
    assert truth("a == b", just, 1e6, 0, 0) == "true"
    assert truth("a < b", np.nextafter(1e6, 0), 1e6, 0, 0) == "true"
    assert truth("a < b", 1e6, 1e6, 0, 0) == "false"
    assert truth("a != b", np.nextafter(1e6, 0), 1e6, 0, 0) == "true"


def test_a_guard_that_is_unknown_does_not_apply() -> None:
    (constraint,) = contract("if a > 0 then b >= 1").constraints
    X = np.array([[math.nan, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, math.nan, 0, 0]])
    assert applies(constraint, X, X).tolist() == [False, True, False, True]
    assert breaks(constraint, X, X).tolist() == [False, True, False, False]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_any_number_of_rows(rows: int) -> None:
    X = np.ones((rows, 4))
    subject = contract("if a > 0 then b / c <= 1")
    assert breaks(subject.constraints[0], X, X).shape == (rows,)
    assert subject.derive(X).shape == (rows, 4)

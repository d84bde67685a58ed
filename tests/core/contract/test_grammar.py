"""Rules to trees and back; nothing but a RuleError or a ContractError comes out of bad text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.contract.grammar import MAX_DEPTH, parse_expression, parse_rule
from holdfast.core.contract.syntax import (
    Binary,
    Comparison,
    Expression,
    Name,
    Negate,
    Number,
    Rule,
    Text,
    show,
    show_number,
    show_rule,
)
from holdfast.core.contract.tokens import MAX_LENGTH, MAX_TOKENS, RuleError

column_names = st.sampled_from(["a", "PAY_0", "if", "then", "was", "a b", "x`y", "default.payment", "ä", "'", "1st"])
numbers = st.one_of(
    st.integers(0, 2**53).map(float),
    st.floats(min_value=1e-300, max_value=1e300),
    st.sampled_from([0.0, 0.1, 1e15, 1e22, 5e-324]),
)
leaves: st.SearchStrategy[Expression] = st.one_of(
    numbers.map(Number), st.builds(Name, column_names, st.booleans()), st.text("ab'\" ", max_size=4).map(Text)
)
expressions: st.SearchStrategy[Expression] = st.recursive(
    leaves,
    lambda inner: st.one_of(st.builds(Negate, inner), st.builds(Binary, st.sampled_from("+-*/"), inner, inner)),
    max_leaves=8,
)
comparisons = st.builds(Comparison, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), expressions, expressions)
conditions = st.lists(comparisons, min_size=1, max_size=3).map(tuple)
rules = st.builds(Rule, conditions, st.one_of(st.just(()), conditions))


@given(expressions)
def test_a_printed_expression_parses_to_itself(tree: Expression) -> None:
    assert parse_expression(show(tree)) == tree


@given(rules)
def test_a_printed_rule_parses_to_itself(rule: Rule) -> None:
    assert parse_rule(show_rule(rule)) == rule


@given(numbers)
def test_a_printed_number_keeps_every_bit(value: float) -> None:
    assert float(show_number(value)) == value


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), st.text("ab01.e+-*/()<>=!`'\" ifthenandwas", max_size=60)))
def test_random_text_gives_a_tree_or_a_rule_error(text: str) -> None:
    for parse in (parse_rule, parse_expression):
        fault = fault_of(parse, text)
        assert fault is None or (0 <= fault.at <= len(text) and fault.problem and fault.fix)


def fault_of(parse: Callable[[str], object], text: str) -> RuleError | None:
    try:
        parse(text)
    except RuleError as error:
        return error
    return None


def test_precedence_and_association() -> None:
    assert show(parse_expression("a - (b - c) - (d)")) == "a - (b - c) - d"
    assert show(parse_expression("(a*b)/(c) + -(d + e)")) == "a * b / c + -(d + e)"
    assert parse_expression("a - b - c") == Binary("-", Binary("-", Name("a"), Name("b")), Name("c"))
    assert parse_expression("-a * b") == Binary("*", Negate(Name("a")), Name("b"))
    assert parse_expression("a + b * c") == Binary("+", Name("a"), Binary("*", Name("b"), Name("c")))


def test_a_chain_compares_neighbours() -> None:
    a, b, c = Name("a"), Name("b"), Name("c")
    assert parse_rule("a <= b < c") == Rule((Comparison("<=", a, b), Comparison("<", b, c)))


def test_conditions() -> None:
    rule = parse_rule("if `my col` > 0 and was(x) == 'it''s' then y >= 1 and z != 2.5e-3")
    assert [c.op for c in rule.guard] == [">", "=="]
    assert rule.guard[1].right == Text("it's")
    assert rule.guard[1].left == Name("x", was=True)
    assert [c.op for c in rule.then] == [">=", "!="]


@pytest.mark.parametrize(
    ("text", "at", "problem", "fix"),
    [
        ("", 0, "found the end", "put"),
        ("a", 1, "expected a comparison", "put"),
        ("a = b", 2, "unexpected character '='", "=="),
        ("a < b or c < d", 6, "found 'or'", "one relation per case"),
        ("not a < b", 0, "found 'not'", "turn the comparison around"),
        ("if a > 0 then b > 0 else c > 0", 20, "found 'else'", "second relation"),
        ("if a > 0 b > 0", 9, "expected 'then'", "put"),
        ("log(a) < 1", 0, "like a function", "was()"),
        ("was(a + b) < 1", 6, "expected ')'", "put"),
        ("was(3) < 1", 4, "expected a column name", "put"),
        ("(a < b", 3, "expected ')'", "put"),
        ("a ** 2 < 4", 3, "found '*'", "put"),
        ("a ^ 2 < 4", 2, "unexpected character '^'", "x * x"),
        ("a < `b", 4, "unexpected character", "close the backtick"),
        ("a < 'b", 4, "unexpected character", "close the quote"),
        ("a < 1e400", 4, "too large for float64", "smaller"),
        ("a < 1e-400", 4, "too small for float64", "larger"),
        ("a < 9007199254740993", 4, "not exact", "9007199254740992"),
        ("a < " + "9" * 400, 4, "too large for float64", "smaller"),
        ("a < " + "9" * 60, 4, "not exact", "below"),
        ("a < nan(", 4, "like a function", "was()"),
        ("a < b c", 6, "found 'c'", "put"),
        ("a << b", 3, "found '<'", "put"),
    ],
)
def test_faults_name_their_place_and_their_cure(text: str, at: int, problem: str, fix: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert caught.value.at == at
    assert problem in caught.value.problem
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a < " + "1" + " " * MAX_LENGTH, "longer than"),
        ("a < " + "+".join(["b"] * MAX_TOKENS), "words and signs"),
        ("a < " + "(" * 100 + "b" + ")" * 100, "nested deeper"),
        ("a < " + "-" * 300 + "b", "nested deeper"),
        ("`" + "x" * 300 + "` < 1", "a name of 300 characters"),
    ],
)
def test_bounds(text: str, problem: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(text)
    assert problem in caught.value.problem


def test_the_deepest_allowed_nesting_works() -> None:
    depth = MAX_DEPTH - 1
    assert parse_expression("(" * depth + "a" + ")" * depth) == Name("a")

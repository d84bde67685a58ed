"""The rules of a contract as a tree, and back to text.

A tree prints as the shortest text that parses to the same tree; numbers are never negative (a minus is a node).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

RESERVED = frozenset({"and", "else", "if", "not", "or", "then", "was"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written; `at` is its place in the text, here and below."""

    value: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text category, in quotes; it can only be compared with a category column."""

    value: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or its value before the attack when `was`."""

    name: str
    was: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negate:
    """Minus an expression."""

    operand: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is one of + - * /."""

    op: str
    left: Expression
    right: Expression
    at: int = field(default=0, compare=False)


Expression = Number | Text | Name | Negate | Binary


@dataclass(frozen=True, slots=True)
class Comparison:
    """`op` is one of < <= > >= == !=."""

    op: str
    left: Expression
    right: Expression
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """All of `then` hold wherever all of `guard` hold; without a guard they hold everywhere."""

    then: tuple[Comparison, ...]
    guard: tuple[Comparison, ...] = ()


def names(node: Expression) -> Iterator[Name]:
    """Every column a tree mentions, left to right."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, Negate):
        yield from names(node.operand)
    elif isinstance(node, Binary):
        yield from names(node.left)
        yield from names(node.right)


def show_rule(rule: Rule) -> str:
    """The rule as text."""
    then = " and ".join(map(show_comparison, rule.then))
    return f"if {' and '.join(map(show_comparison, rule.guard))} then {then}" if rule.guard else then


def show_comparison(comparison: Comparison) -> str:
    """A comparison as text."""
    return f"{show(comparison.left)} {comparison.op} {show(comparison.right)}"


def show(node: Expression) -> str:
    """An expression as text, with the parentheses it needs and no others."""
    match node:
        case Number(value):
            return show_number(value)
        case Text(value):
            return "'" + value.replace("'", "''") + "'"
        case Name(name, was):
            return f"was({show_name(name)})" if was else show_name(name)
        case Negate(operand):
            return f"-{_wrapped(operand, isinstance(operand, Binary))}"
        case Binary(op, left, right):
            tight = op in "*/"
            before = _wrapped(left, tight and _loose(left))
            after = _wrapped(right, isinstance(right, Binary) if tight else _loose(right))
            return f"{before} {op} {after}"


def show_number(value: float) -> str:
    """The shortest text that reads back as the same float64."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def signed_number(value: float) -> str:
    """Any number as text, for writers of rules and of YAML."""
    return f"-{show_number(-value)}" if value < 0 else show_number(value)


def show_name(name: str) -> str:
    """A column name, in backticks where it is not a plain word."""
    plain = name.isascii() and name.isidentifier() and name not in RESERVED
    return name if plain else "`" + name.replace("`", "``") + "`"


def _loose(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in "+-"


def _wrapped(node: Expression, parentheses: bool) -> str:
    return f"({show(node)})" if parentheses else show(node)

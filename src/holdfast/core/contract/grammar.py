"""Reads rules by recursive descent.

rule       = conditions | "if" conditions "then" conditions
conditions = comparison { "and" comparison }
comparison = sum ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum { ... }      a chain compares neighbours
sum        = product { ( "+" | "-" ) product }
product    = unary { ( "*" | "/" ) unary }
unary      = "-" unary | number | text | name | "was" "(" name ")" | "(" sum ")"
"""

from __future__ import annotations

from holdfast.core.contract.syntax import RESERVED, Binary, Comparison, Expression, Name, Negate, Number, Rule, Text
from holdfast.core.contract.tokens import RuleError, Token, read_number, tokenize

MAX_DEPTH = 24
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


def parse_rule(text: str) -> Rule:
    """A relation. Raises RuleError."""
    parser = _Parser(text)
    rule = parser.rule()
    parser.finish("'and', a comparison or the end")
    return rule


def parse_expression(text: str) -> Expression:
    """The arithmetic of a derived column. Raises RuleError."""
    parser = _Parser(text)
    expression = parser.sum()
    parser.finish("an operator or the end")
    return expression


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokenize(text, RESERVED)
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _is(self, kind: str, *values: str) -> bool:
        return self._token.kind == kind and (not values or self._token.value in values)

    def _take(self) -> Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def _expect(self, kind: str, value: str) -> Token:
        if not self._is(kind, value):
            raise self._unexpected(f"'{value}'")
        return self._take()

    def finish(self, expected: str) -> None:
        if self._token.kind != "end":
            raise self._unexpected(expected)

    def rule(self) -> Rule:
        if not self._is("word", "if"):
            return Rule(self._conditions())
        self._take()
        guard = self._conditions()
        self._expect("word", "then")
        return Rule(self._conditions(), guard)

    def _conditions(self) -> tuple[Comparison, ...]:
        found = self._chain()
        while self._is("word", "and"):
            self._take()
            found += self._chain()
        return tuple(found)

    def _chain(self) -> list[Comparison]:
        left = self.sum()
        if not (self._token.kind == "op" and self._token.value in COMPARISONS):
            raise self._unexpected("a comparison: < <= > >= == !=")
        found: list[Comparison] = []
        while self._token.kind == "op" and self._token.value in COMPARISONS:
            op = self._take()
            right = self.sum()
            found.append(Comparison(op.value, left, right, op.at))
            left = right
        return found

    def sum(self) -> Expression:
        found = self._product()
        while self._is("op", "+", "-"):
            op = self._take()
            found = Binary(op.value, found, self._product(), op.at)
        return found

    def _product(self) -> Expression:
        found = self._unary()
        while self._is("op", "*", "/"):
            op = self._take()
            found = Binary(op.value, found, self._unary(), op.at)
        return found

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleError(f"nested deeper than {MAX_DEPTH} levels", self._token.at, "simplify the rule")
        found = self._minus() if self._is("op", "-") else self._atom()
        self._depth -= 1
        return found

    def _minus(self) -> Expression:
        at = self._take().at
        return Negate(self._unary(), at)

    def _atom(self) -> Expression:
        if self._is("op", "("):
            self._take()
            inner = self.sum()
            self._expect("op", ")")
            return inner
        if self._is("word", "was"):
            return self._was()
        token = self._token
        if token.kind not in ("number", "name", "text"):
            raise self._unexpected("a number, a column or '('")
        self._take()
        if token.kind == "number":
            return Number(read_number(token.value, token.at), token.at)
        if token.kind == "text":
            return Text(token.value, token.at)
        return self._name(token)

    def _name(self, token: Token) -> Name:
        if self._is("op", "("):
            raise RuleError(f"'{token.value}' is called like a function", token.at, "there is no function but was()")
        return Name(token.value, at=token.at)

    def _was(self) -> Name:
        at = self._take().at
        self._expect("op", "(")
        if self._token.kind != "name":
            raise self._unexpected("a column name")
        name = self._take().value
        self._expect("op", ")")
        return Name(name, was=True, at=at)

    def _unexpected(self, expected: str) -> RuleError:
        token = self._token
        found = "the end" if token.kind == "end" else f"'{token.value}'"
        fix = {
            "or": "there is no 'or': write one relation per case",
            "not": "there is no 'not': turn the comparison around",
            "else": "there is no 'else': write a second relation",
        }.get(token.value if token.kind == "word" else "", f"put {expected} there")
        return RuleError(f"expected {expected}, found {found}", token.at, fix)

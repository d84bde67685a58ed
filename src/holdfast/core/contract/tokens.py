"""Splits a rule into tokens. Every character is accounted for; length and count are bounded."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

MAX_LENGTH = 4_000
MAX_TOKENS = 400
MAX_NAME = 200

_PATTERN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|`(?P<quoted>(?:[^`\n]|``)+)`"
    r"|'(?P<text>(?:[^'\n]|'')*)'"
    r'|"(?P<text2>(?:[^"\n]|"")*)"'
    r"|(?P<op><=|>=|==|!=|<|>|\+|-|\*|/|\(|\))"
)
_HINTS = {
    "=": "compare with '=='",
    "&": "join conditions with 'and'",
    "|": "there is no 'or': write one relation per case",
    "!": "there is no 'not': turn the comparison around",
    "^": "there are no powers: write x * x",
    "%": "there is no remainder operator",
    "`": "close the backtick on the same line",
    "'": "close the quote on the same line",
    '"': "close the quote on the same line",
}


class RuleError(Exception):
    """What is wrong at which character (0-based), and what to do; the border turns it into a ContractError."""

    def __init__(self, problem: str, at: int, fix: str = "correct the rule", *, code: str = "HF-CON-005") -> None:
        super().__init__(problem)
        self.problem, self.at, self.fix, self.code = problem, at, fix, code


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is number, name, text, word (a reserved word), op or end; `value` is its meaning."""

    kind: str
    value: str
    at: int


def tokenize(text: str, reserved: frozenset[str]) -> list[Token]:
    """Every token of `text` and an end mark. Raises RuleError."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH, "split it into several relations")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise RuleError(f"unexpected character {text[at]!r}", at, _HINTS.get(text[at], "remove it"))
        if match.lastgroup != "space":
            found.append(_token(match, at, reserved))
        if len(found) > MAX_TOKENS:
            raise RuleError(f"more than {MAX_TOKENS} words and signs", at, "split it into several relations")
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _token(match: re.Match[str], at: int, reserved: frozenset[str]) -> Token:
    kind, value = str(match.lastgroup), match.group(str(match.lastgroup))
    if kind == "word":
        return Token("word" if value in reserved else "name", value, at)
    if kind == "quoted":
        return Token("name", _bounded(value.replace("``", "`"), at), at)
    if kind == "text":
        return Token("text", value.replace("''", "'"), at)
    if kind == "text2":
        return Token("text", value.replace('""', '"'), at)
    if kind == "number":
        read_number(value, at)
    return Token(kind, value, at)


def _bounded(name: str, at: int) -> str:
    if len(name) > MAX_NAME:
        raise RuleError(f"a name of {len(name)} characters; the limit is {MAX_NAME}", at, "shorten the name")
    return name


def read_number(text: str, at: int) -> float:
    """A literal as float64; refused where float64 cannot hold it."""
    value = float(text)
    digits = text.lower().partition("e")[0].strip("0.")
    if math.isinf(value):
        raise RuleError(f"the number {_short(text)} is too large for float64", at, "use a smaller number")
    if value == 0 and digits:
        raise RuleError(f"the number {_short(text)} is too small for float64", at, "use 0 or a larger number")
    if text.isdigit() and (len(text) > 40 or int(text) != int(value)):
        raise RuleError(f"the integer {_short(text)} is not exact in float64", at, "stay below 9007199254740992")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:21] + "..."

"""SPDX licence expressions (spdx.github.io/spdx-spec, annex on expressions): own parser, bounded, without evaluation.

`+` binds closest, then WITH, AND, OR. Words are read in any case and written as the specification spells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from holdfast.scan.licences.names import exception_name, licence_name

MAX_LETTERS: Final = 2_000
MAX_WORDS: Final = 200
_WORD: Final = re.compile(r"\s*(?:([()])|([A-Za-z0-9.:-]+)(\+?)(?=[\s()]|$))")
_REFERENCE: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.IGNORECASE)
_OPERATORS: Final = ("AND", "OR", "WITH")


@dataclass(frozen=True, slots=True)
class One:
    """A licence by its id; `later` is its `+`, `exception` what stands behind WITH."""

    id: str
    later: bool = False
    exception: str | None = None

    def __str__(self) -> str:
        return f"{self.id}{'+' if self.later else ''}{f' WITH {self.exception}' if self.exception else ''}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds (AND)."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " AND ".join(f"({part})" if isinstance(part, Some) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """Whoever takes it chooses one part (OR)."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " OR ".join(str(part) for part in self.parts)


Expression = One | All | Some


def parse(text: str) -> Expression:
    """Read an expression. Raises ValueError where it is none; an id nobody listed is kept as it is written."""
    if len(text) > MAX_LETTERS:
        raise ValueError(f"longer than {MAX_LETTERS:,} letters")
    words = list(_words(text))
    if len(words) > MAX_WORDS:
        raise ValueError(f"more than {MAX_WORDS} words")
    found, at = _some(words, 0)
    if at < len(words):
        raise ValueError(f"{words[at]!r} does not belong there")
    return found


def references(expression: Expression) -> Iterator[One]:
    """Every licence in it, from left to right."""
    if isinstance(expression, One):
        yield expression
    else:
        for part in expression.parts:
            yield from references(part)


def _words(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _WORD.match(text, at)
        if found is None:
            raise ValueError(f"no licence at letter {at + 1}")
        at = found.end()
        word = found[1] or found[2]
        yield word.upper() if word.upper() in _OPERATORS and not found[3] else word + (found[3] or "")


def _some(words: list[str], at: int) -> tuple[Expression, int]:
    return _joined(words, at, "OR")


def _joined(words: list[str], at: int, operator: str) -> tuple[Expression, int]:
    """Parts between an operator; nested ones of the same kind are one."""
    kind = Some if operator == "OR" else All
    parts: list[Expression] = []
    while True:
        part, at = _joined(words, at, "AND") if operator == "OR" else _single(words, at)
        parts += part.parts if isinstance(part, kind) else (part,)
        if at >= len(words) or words[at] != operator:
            return (parts[0] if len(parts) == 1 else kind(tuple(parts))), at
        at += 1


def _single(words: list[str], at: int) -> tuple[Expression, int]:
    if at >= len(words) or words[at] in (*_OPERATORS, ")"):
        raise ValueError("a licence is missing")
    if words[at] == "(":
        inner, at = _some(words, at + 1)
        if at >= len(words) or words[at] != ")":
            raise ValueError("a bracket is not closed")
        return inner, at + 1
    own = _one(words[at])
    if at + 1 < len(words) and words[at + 1] == "WITH":
        if at + 2 >= len(words) or words[at + 2] in (*_OPERATORS, "(", ")") or words[at + 2].endswith("+"):
            raise ValueError("an exception is missing")
        return One(own.id, own.later, exception_name(words[at + 2])), at + 3
    return own, at + 1


def _one(word: str) -> One:
    if ":" in word or word.lower().startswith(("licenseref-", "documentref-")):
        if _REFERENCE.fullmatch(word) is None:
            raise ValueError(f"{word!r} is no reference")
        return One(re.sub("licenseref-", "LicenseRef-", word, count=1, flags=re.IGNORECASE))
    return One(licence_name(word.removesuffix("+")), word.endswith("+"))

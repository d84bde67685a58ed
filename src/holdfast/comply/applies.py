"""To which models a clause applies: a small rule over what the manifest declares, answered with its reasons.

    rule  := part ("or" part)*          part := step ("and" step)*          step := "not" step | "(" rule ")" | test
    test  := all | people.decides_on | people.personal_data | people.automated | endpoint
           | tier >= high | region in [eu, uk] | use in [credit] | unit = cards | task != binary

A region matches its own sub-regions (`eu` matches `eu-west`), and `global` is in every region. What the manifest does
not declare is neither true nor false: a rule that hangs on it counts as applying, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from holdfast.core.domain.model import Model
from holdfast.core.domain.severity import Tier

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 16
GLOBAL: Final = "global"
FLAGS: Final = ("people.decides_on", "people.personal_data", "people.automated", "endpoint")
WORDS: Final = ("tier", "region", "use", "unit", "task")
_TOKEN: Final = re.compile(r"\s*(>=|<=|!=|[=<>()\[\],]|[A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What applicability may ask about a model. None, or no use at all: not declared."""

    tier: Tier
    region: str
    unit: str
    task: str
    use: tuple[str, ...] = ()
    flags: tuple[tuple[str, bool | None], ...] = ()

    @classmethod
    def of(cls, model: Model, *, endpoint: bool = False) -> Self:
        """The facts of a declared model; whether it has an endpoint only its manifest entry says."""
        people = model.people
        said = (None, None, None) if people is None else (people.decides_on, people.personal_data, people.automated)
        flags = tuple(zip(FLAGS, (*said, endpoint), strict=True))
        return cls(model.tier, model.region, model.unit, model.task.kind, model.use, flags)


@dataclass(frozen=True, slots=True)
class Truth:
    """True, false or (None) not declared, and what made it so."""

    value: bool | None
    because: tuple[str, ...]


class Node(Protocol):
    """A part of a rule."""

    def on(self, facts: Facts) -> Truth:
        """What it says of a model."""


@dataclass(frozen=True, slots=True)
class Always:
    """Every model."""

    def on(self, facts: Facts) -> Truth:  # noqa: ARG002
        """True."""
        return Truth(True, ("it holds for every model",))


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a model has or has not."""

    name: str

    def on(self, facts: Facts) -> Truth:
        """As declared."""
        value = dict(facts.flags).get(self.name)
        if value is None:
            return Truth(None, (f"{self.name} is not declared",))
        return Truth(value, (f"{self.name} is {str(value).lower()}",))


@dataclass(frozen=True, slots=True)
class Test:
    """A declared word compared with others."""

    name: str
    op: str
    values: tuple[str, ...]

    def on(self, facts: Facts) -> Truth:
        """Whether one of the declared words is as wanted."""
        if self.name == "use":
            return self._use(facts.use)
        said = str(getattr(facts, self.name))
        return Truth(_COMPARE[self.op](self, said), (f"{self.name} is {said}",))

    def _use(self, declared: tuple[str, ...]) -> Truth:
        if not declared:
            return Truth(None, ("use is not declared",))
        hit = bool(set(declared) & set(self.values))
        words = f"use is {', '.join(declared)}"
        value = hit if self.op != "!=" else not hit
        return Truth(value, (words if hit else f"{words}, not {' or '.join(self.values)}",))


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; of what is not declared, still that."""

    part: Node

    def on(self, facts: Facts) -> Truth:
        """The opposite of its part, for the same reasons."""
        found = self.part.on(facts)
        return Truth(None if found.value is None else not found.value, found.because)


@dataclass(frozen=True, slots=True)
class Joined:
    """All of its parts (`decisive` False: one false part decides) or any of them (`decisive` True)."""

    parts: tuple[Node, ...]
    decisive: bool

    def on(self, facts: Facts) -> Truth:
        """Kleene's three-valued and, or."""
        found = [part.on(facts) for part in self.parts]
        for value in (self.decisive, None):
            deciding = [one for one in found if one.value is value]
            if deciding:
                return Truth(value, _reasons(deciding))
        return Truth(not self.decisive, _reasons(found))


@dataclass(frozen=True, slots=True)
class Applicability:
    """Whether a clause applies to a model, and why. Not `declared`: it only counts as applying."""

    applies: bool
    declared: bool
    why: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule. Every rule answers for every model."""

    text: str
    node: Node

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule. Raises ValueError with what was expected and where."""
        if len(text) > MAX_LENGTH:
            raise ValueError(f"a rule has at most {MAX_LENGTH} characters")
        return cls(text, _Parser(text).whole())

    def on(self, facts: Facts) -> Applicability:
        """Whether it applies to a model with these facts."""
        found = self.node.on(facts)
        because = " and ".join(found.because)
        if found.value is None:
            return Applicability(True, False, f"counts as applying: {because} in the manifest")
        return Applicability(
            found.value, True, f"applies because {because}" if found.value else f"does not apply because {because}"
        )


def _reasons(found: list[Truth]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason for one in found for reason in one.because))


def _tier(wanted: Callable[[int, int], bool]) -> Callable[[Test, str], bool]:
    return lambda test, said: wanted(Tier(said).rank, Tier(test.values[0]).rank)


def _among(test: Test, said: str) -> bool:
    if test.name != "region":
        return said in test.values
    return said == GLOBAL or any(said == value or said.startswith(f"{value}-") for value in test.values)


_COMPARE: Final[dict[str, Callable[[Test, str], bool]]] = {
    "in": _among,
    "=": _among,
    "!=": lambda test, said: not _among(test, said),
    ">=": _tier(lambda one, other: one >= other),
    "<=": _tier(lambda one, other: one <= other),
    ">": _tier(lambda one, other: one > other),
    "<": _tier(lambda one, other: one < other),
}


class _Parser:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0

    def whole(self) -> Node:
        node = self._any()
        if self.place < len(self.tokens):
            raise ValueError(f"unexpected '{self.tokens[self.place]}' after the rule")
        return node

    def _any(self) -> Node:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), True)

    def _all(self) -> Node:
        parts = [self._step()]
        while self._take("and"):
            parts.append(self._step())
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), False)

    def _step(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"a rule is nested at most {MAX_DEPTH} deep")
        try:
            if self._take("not"):
                return Not(self._step())
            if self._take("("):
                node = self._any()
                self._expect(")")
                return node
            return self._test()
        finally:
            self.depth -= 1

    def _test(self) -> Node:
        name = self._next("a test")
        if name == "all":
            return Always()
        if name in FLAGS:
            return Flag(name)
        if name not in WORDS:
            raise ValueError(f"'{name}' is no fact of a model; the facts are {', '.join((*FLAGS, *WORDS))}")
        op = self._next("in or a comparison")
        if op not in _COMPARE:
            raise ValueError(f"'{op}' compares nothing; write one of {', '.join(_COMPARE)}")
        return _test_of(name, op, self._values() if op == "in" else (self._word(),))

    def _values(self) -> tuple[str, ...]:
        self._expect("[")
        values = [self._word()]
        while self._take(","):
            values.append(self._word())
        self._expect("]")
        return tuple(values)

    def _word(self) -> str:
        word = self._next("a word")
        if not word[0].isalnum():
            raise ValueError(f"a word is needed, not '{word}'")
        return word

    def _next(self, wanted: str) -> str:
        if self.place == len(self.tokens):
            raise ValueError(f"the rule ends where {wanted} is needed")
        self.place += 1
        return self.tokens[self.place - 1]

    def _take(self, word: str) -> bool:
        if self.place < len(self.tokens) and self.tokens[self.place] == word:
            self.place += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise ValueError(
                f"'{word}' is needed"
                + ("" if self.place == len(self.tokens) else f" before '{self.tokens[self.place]}'")
            )


def _test_of(name: str, op: str, values: tuple[str, ...]) -> Test:
    if op in (">=", "<=", ">", "<") and name != "tier":
        raise ValueError(f"only a tier has an order; '{name} {op}' has none")
    if name == "tier" and not set(values) <= set(Tier):
        raise ValueError(f"a tier is one of {', '.join(Tier)}")
    return Test(name, op, values)


def _tokens(text: str) -> list[str]:
    found, place, end = [], 0, len(text.rstrip())
    while place < end:
        token = _TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"'{text[place:].strip()[:20]}' cannot be read")
        found.append(token[1])
        place = token.end()
    return found

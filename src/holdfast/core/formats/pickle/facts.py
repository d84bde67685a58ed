"""The fact kinds the machine states, final: stored facts are judged again by later policies.

The table with meanings and examples is docs/concepts/pickle.md; a test keeps the two alike.
"""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum

from holdfast.core.domain import Fact
from holdfast.core.formats.buffers import Window

MAX_FACTS = 20_000
"""Different facts kept of one stream; more than that is a fact of its own."""


class Kind(StrEnum):
    """What a pickle does, or why it cannot be told."""

    IMPORT = "import"
    DOTTED_NAME = "dotted-name"
    INDIRECT_IMPORT = "indirect-import"
    CALL = "call"
    CONSTRUCT = "construct"
    ARGUMENT = "argument"
    COMPUTED_NAME = "computed-name"
    COMPUTED_CALL = "computed-call"
    COMPUTED_STATE = "computed-state"
    DUNDER_STATE = "dunder-state"
    GLOBAL_CHANGED = "global-changed"
    PERSISTENT_ID = "persistent-id"
    EXTENSION = "extension"
    OUT_OF_BAND = "out-of-band"
    SHADOW_IMPORT = "shadow-import"
    EXPANSION = "expansion"
    MEMO_GAP = "memo-gap"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing-bytes"
    BUDGET = "budget"


class Notes:
    """Facts in order of first appearance; what repeats is stated once, at its first offset."""

    def __init__(self) -> None:
        self._facts: dict[tuple[str, str, str | None], Fact] = {}
        self._enclosed: dict[int, tuple[Window, object]] = {}

    def add(self, kind: Kind, value: str, offset: int, detail: str | None = None) -> None:
        """State a fact. `offset` counts from the start of the buffer."""
        key = (kind, value, detail)
        if key in self._facts:
            return
        if len(self._facts) >= MAX_FACTS:
            kind, value, detail = Kind.BUDGET, f"more than {MAX_FACTS:,} different facts", None
            key = (kind, value, detail)
        self._facts.setdefault(key, Fact(kind.value, value, offset, None, detail))

    def enclose(self, content: Window, value: object) -> None:
        """Keep a file within the pickle that loading would load too; the same value counts once."""
        self._enclosed.setdefault(id(value), (content, value))

    def enclosed(self) -> tuple[Window, ...]:
        """Every file within, in order."""
        return tuple(content for content, _ in self._enclosed.values())

    def enclosed_count(self) -> int:
        """Number of files within so far."""
        return len(self._enclosed)

    def forget_enclosed(self, count: int) -> None:
        """Keep the first `count` files within: a stream is followed again, and facts state themselves only once."""
        while len(self._enclosed) > count:
            self._enclosed.popitem()

    def has_import(self, names: Container[str]) -> bool:
        """Whether one of `names` was imported."""
        return any(kind == Kind.IMPORT and name in names for kind, name, _ in self._facts)

    def all(self) -> tuple[Fact, ...]:
        """Every fact, in order."""
        return tuple(self._facts.values())

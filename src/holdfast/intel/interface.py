"""What a feed reader is: bytes of one format in, statements out. One reader per file in `feeds/`.

A reader opens nothing and knows no database: it is handed bounded documents and says what they say. What it cannot
read it names; it never guesses and never leaves out in silence.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.intelligence import Feed, Indicator
from holdfast.core.domain.severity import Severity
from holdfast.core.plugins import Registry

MAX_STATEMENTS: Final = 500_000
MAX_ID: Final = 200
MAX_TITLE: Final = 300


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a feed: its name within the feed, and its bytes, which are bounded."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """What a feed says of one thing. `native_id` is the feed's own id, unique per thing and package."""

    native_id: str
    body: Advisory | Technique | Indicator
    title: str
    severity: Severity
    modified_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that cannot be read, and why. Nothing counts as withdrawn while there is one."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a reader may know besides the bytes: the feed, where it stood, and the moment."""

    feed: Feed
    cursor: Mapping[str, Any]
    now: datetime


@dataclass(frozen=True)
class Reading:
    """What was read. `complete`: what is not said is no longer said. `cursor` is where the feed stands now."""

    statements: Iterable[Statement | Unreadable]
    complete: bool
    cursor: Mapping[str, Any] = field(default_factory=dict)


class FeedReader(Protocol):
    """Reads one format. Raises DataError where the whole is not what it should be."""

    def __call__(self, documents: Iterator[Document], context: Context) -> Reading: ...


@dataclass(frozen=True, slots=True)
class FeedKind:
    """A registered reader: the format it reads, in words, and the kinds of items it gives."""

    id: str
    says: str
    gives: frozenset[str]
    read: FeedReader


def _load_own() -> None:
    from holdfast.intel import feeds

    for module in pkgutil.iter_modules(feeds.__path__):
        importlib.import_module(f"{feeds.__name__}.{module.name}")


FEEDS: Final[Registry[FeedKind]] = Registry("feed reader", "holdfast.feeds", _load_own)


def feed(kind: str, *, says: str, gives: Iterable[str]) -> Callable[[FeedReader], FeedReader]:
    """Register a reader under the name by which feeds of its format are added."""

    def register(read: FeedReader) -> FeedReader:
        FEEDS.add(kind, FeedKind(kind, says, frozenset(gives), read))
        return read

    return register

"""Package names in lock files and requirements: those that look like well-known ones', and those no index can have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from holdfast.scan.inspect import Seen
from holdfast.scan.packages import Lock

MAX_NAMES: Final = 100
"""Facts of one file; a file with more is looked at for the first of them."""
_TABLE: Final = re.compile(r"^\[\[packages?\]\]|^(?:dependencies|package):|^@EXPLICIT|\"_meta\"", re.MULTILINE)
"""How a lock that is a table begins somewhere; cheap to look for, so that other text is not parsed."""


def read_lock_table(text: str, seen: Seen) -> None:
    """State the odd names of a lock of uv, poetry, pylock, Pipfile or conda; nothing for other text."""
    if _TABLE.search(text) is None:
        return
    # Only here: what parses locks takes longer to load than a large model takes to inspect.
    from holdfast.scan.lockfile import parse_table

    lock = parse_table(text)
    if lock is not None:
        read_names(_names(lock), seen)


def _names(lock: Lock) -> Iterator[str]:
    """Names on PyPI; conda's are others (its `pytorch` is PyPI's `torch`)."""
    yield from (package.name for package in lock.packages if package.kind == "pypi")
    yield from (line.name for line in lock.unpinned if line.kind == "pypi")


def read_names(names: Iterable[str], seen: Seen) -> None:
    """State each odd name once."""
    found = list(dict.fromkeys(fact for name in dict.fromkeys(names) if (fact := _odd(name)) is not None))
    for kind, value in found[:MAX_NAMES]:
        seen.add(kind, value)


def _odd(name: str) -> tuple[str, str] | None:
    from holdfast.scan.lookalikes import likeness

    near = likeness(name)
    shown = name[:80]
    if not name.isascii():
        return "foreign-name", f"{ascii(shown)[1:-1]}{f' looks like {near.known}' if near else ''}"
    return None if near is None else ("lookalike", f"{shown} looks like {near.known} ({near.way})")

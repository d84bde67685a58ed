"""What a list of names says of itself: from what, by what and when it was made, and the digest of all that it holds.

The digest is the list's version. It tells lists apart and finds damage; that a list is to be believed is said by the
code for the one inside (`pinned.py`), and by a signature for any other (`signed.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from holdfast.core.domain import JSONValue, digest
from holdfast.core.errors import FormatError

SCHEMA: Final = 2
_FIELDS: Final = frozenset({"version", "dated", "generator", "python", "generations"})


@dataclass(frozen=True, slots=True)
class Package:
    """A library that was read: its name as registries write it, its version, and the digest of the files looked at."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Header:
    """`version` is the digest of the whole list, `generator` and `python` made it, `dated` was given to them.

    `generations` are libraries that were installed together.
    """

    version: str
    dated: date
    generator: int
    python: str
    generations: tuple[tuple[Package, ...], ...]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Header:
        """The header of a list whose digest holds. Raises FormatError HF-SCN-003 where not, -004 where it has none."""
        if document.get("schema") != SCHEMA:
            raise unreadable(f"it is of schema {str(document.get('schema'))[:20]}; this version reads {SCHEMA}")
        said = document.get("header")
        if not isinstance(said, dict) or set(said) != _FIELDS:
            raise unreadable("its header is missing, or has other fields than it should")
        found = version_of(document)
        if said["version"] != found:
            raise altered(f"it says it is {str(said['version'])[:80]}, and what it holds is {found}")
        try:
            return cls._read(said)
        except (KeyError, TypeError, ValueError) as fault:
            raise unreadable(f"its header is wrong: {fault}") from fault

    @classmethod
    def _read(cls, said: Mapping[str, Any]) -> Header:
        generations = tuple(
            tuple(Package(str(one["name"]), str(one["version"]), str(one["digest"])) for one in generation)
            for generation in said["generations"]
        )
        return cls(
            str(said["version"]),
            date.fromisoformat(said["dated"]),
            int(said["generator"]),
            str(said["python"]),
            generations,
        )


def version_of(document: Mapping[str, Any]) -> str:
    """The digest of everything in a list but the field that holds it. Layout and order of keys are nothing."""
    header = {name: value for name, value in document["header"].items() if name != "version"}
    content: dict[str, JSONValue] = {**document, "header": header}
    return digest(content)


def sealed(document: Mapping[str, Any], dated: date) -> dict[str, JSONValue]:
    """A generated list with its date and its version."""
    dated_only = {**document, "header": {**document["header"], "dated": dated.isoformat()}}
    header = {"version": version_of(dated_only), **dated_only["header"]}
    return {**document, "header": header}


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """A list as it is written: the same list is always the same bytes."""
    return json.dumps(document, indent=0, ensure_ascii=True).encode() + b"\n"


def altered(why: str) -> FormatError:
    """The list is not the one that was made."""
    return FormatError(
        "the list of names was altered",
        cause=why,
        fix="install this version of Holdfast again; for a list of your own, get it again from the one who signed it",
        code="HF-SCN-003",
    )


def unreadable(why: str) -> FormatError:
    """The list is not one that this version can read."""
    return FormatError(
        "the list of names cannot be read",
        cause=why,
        fix="use a list that was made by `holdfast.scan.allowlist.generate` of this version",
        code="HF-SCN-004",
    )

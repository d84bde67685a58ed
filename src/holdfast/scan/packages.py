"""What lock files are read into: pinned releases as package URLs, and what is left open."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

_PIN = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\]\s*)?===?\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:[;\\#].*)?$"
)
_NAME = re.compile(r"\w[\w.-]{0,199}")


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned release. The version is as written; whether it parses is for the matcher to say."""

    name: str
    version: str
    kind: str = "pypi"
    build: str = field(default="", compare=False)
    """Which build of the release conda names; says nothing about which release it is."""

    @property
    def purl(self) -> str:
        """Package URL (purl-spec, types pypi and conda)."""
        # Loads slowly, and everything that scans text loads this module.
        from packaging.utils import canonicalize_name

        name = canonicalize_name(self.name) if self.kind == "pypi" else self.name.lower()
        return f"pkg:{self.kind}/{quote(name, safe='._-')}@{quote(self.version, safe='!+._-~')}"


@dataclass(frozen=True, slots=True)
class Line:
    """Something named without being pinned. `number` is its line, 0 where it stands in a table."""

    number: int
    text: str
    kind: str = field(default="pypi", compare=False)
    """Whose names it uses, as far as the file says: pypi or conda."""

    @property
    def name(self) -> str:
        """The word it begins with; empty where that is no name."""
        found = _NAME.match(self.text)
        return "" if found is None else found[0].rstrip(".-")


@dataclass(frozen=True, slots=True)
class Lock:
    """What a lock file pins, sorted by name, and what it leaves open."""

    packages: tuple[Package, ...]
    unpinned: tuple[Line, ...]

    @classmethod
    def of(cls, packages: Iterable[Package], unpinned: Iterable[Line] = ()) -> Lock:
        """Each release once, in order of name."""
        return cls(tuple(sorted(set(packages), key=lambda p: (p.name.lower(), p.version, p.kind))), tuple(unpinned))


def pinned(line: str) -> Package | None:
    """A line of pip's that names one release; None for any other."""
    match = _PIN.match(line.strip())
    return None if match is None else Package(match[1], match[2])

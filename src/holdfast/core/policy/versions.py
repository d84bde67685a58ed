"""Whether a package in a lock file is one that an advisory speaks of: names by PEP 503, versions by PEP 440."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from holdfast.core.domain import Advisory, VersionRange

_PURL = re.compile(r"pkg:(?P<type>[a-z0-9.+-]+)/(?P<name>[^@?#]+)(@(?P<version>[^?#]+))?([?#].*)?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
MAX_VERSION_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned package; `version` None is one whose version cannot be told."""

    name: str
    version: str | None

    @classmethod
    def parse(cls, purl: str) -> Package | None:
        """Read `pkg:pypi/name@version` (github.com/package-url/purl-spec). None when it is not one for PyPI."""
        form = _PURL.fullmatch(purl) if len(purl) <= 1000 else None
        if form is None or form["type"].lower() != "pypi" or not _NAME.fullmatch(name := unquote(form["name"])):
            return None
        return cls(canonicalize_name(name), unquote(form["version"]) if form["version"] else None)


@lru_cache(maxsize=65_536)
def _version(text: str) -> Version | None:
    try:
        parsed = Version(text) if len(text) <= MAX_VERSION_LENGTH else None
        # A build tag (2.3.1+cpu) says nothing about which release the code is of; it must not move it past a bound.
        return None if parsed is None else Version(parsed.public)
    except InvalidVersion:
        return None


def affected(version: str | None, advisory: Advisory) -> bool | None:
    """Whether a release is hit. None: the version, or a bound it would have to be compared with, cannot be read."""
    if advisory.every_release:
        return True
    if version is None:
        return None
    release = _version(version)
    if any(_same(version, release, listed) for listed in advisory.versions):
        return True
    answers = [_within(release, span) for span in advisory.ranges]
    if any(answers):
        return True
    unreadable = release is None or any(_version(listed) is None for listed in advisory.versions)
    return None if unreadable or None in answers else False


def _same(text: str, release: Version | None, listed: str) -> bool:
    return text == listed or (release is not None and release == _version(listed))


def _within(release: Version | None, span: VersionRange) -> bool | None:
    """Half-open, as OSV defines it: introduced <= v < fixed, or v <= last_affected."""
    bounds = {
        side: _version(text) for side in ("introduced", "fixed", "last_affected") if (text := getattr(span, side))
    }
    if release is None or None in bounds.values():
        return None
    low, fixed, last = (bounds.get(side) for side in ("introduced", "fixed", "last_affected"))
    return not (
        (low is not None and release < low)
        or (fixed is not None and release >= fixed)
        or (last is not None and release > last)
    )

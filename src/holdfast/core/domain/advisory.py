"""Known weaknesses of packages, and whether a pinned version is hit by one."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.core.domain.severity import Severity


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Half-open: `introduced` <= v < `fixed`, or v <= `last_affected`. None leaves that side open."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


@dataclass(frozen=True, slots=True)
class Advisory:
    """A weakness of one package; `ranges` and `versions` say which releases it is in."""

    id: str
    package: str
    summary: str
    severity: Severity
    ranges: tuple[VersionRange, ...] = ()
    versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Technique:
    """An adversarial technique: MITRE ATLAS id, its name, and our own short paraphrase."""

    id: str
    name: str
    summary: str

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


def says_malware(name: str, aliases: tuple[str, ...]) -> bool:
    """Whether an id or one of its aliases is of the form MAL-."""
    return name.startswith("MAL-") or any(alias.startswith("MAL-") for alias in aliases)


@dataclass(frozen=True, slots=True)
class Advisory:
    """A weakness of one package; `ranges` and `versions` say which releases it is in.

    Not `rated`: nobody has said how grave it is, and `severity` is what we take it for until then.
    """

    id: str
    package: str
    summary: str
    severity: Severity
    ranges: tuple[VersionRange, ...] = ()
    versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    rated: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Every id this weakness is known by."""
        return frozenset((self.id, *self.aliases))

    @property
    def malicious(self) -> bool:
        """Whether it says that the package is malware (ids of the form MAL-), not that it has a weakness."""
        return says_malware(self.id, self.aliases)

    @property
    def every_release(self) -> bool:
        """Whether the package is malware in all its releases, so that nobody has to know which one is meant."""
        return self.malicious and VersionRange() in self.ranges


@dataclass(frozen=True, slots=True)
class Technique:
    """An adversarial technique: MITRE ATLAS id, its name, and a short summary.

    `parent` is the technique it refines, `tactics` what it serves, `platforms` which kinds of AI it is about,
    `mitigations` the ATLAS ids of what is known to help.
    """

    id: str
    name: str
    summary: str
    parent: str | None = None
    tactics: tuple[str, ...] = ()
    maturity: str | None = None
    platforms: tuple[str, ...] = ()
    mitigations: tuple[str, ...] = ()

"""What is known about weaknesses and techniques at a date: the intelligence a judgement is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache, cached_property
from importlib import resources
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

from holdfast.core.domain import Advisory, Severity, Technique, VersionRange, digest_bytes, from_iso
from holdfast.core.domain.advisory import says_malware
from holdfast.core.errors import PolicyError
from holdfast.core.policy.versions import Package, affected

MAX_BYTES = 64_000_000
MAX_ENTRIES = 200_000


class _Span(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class _Advisory(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: str
    package: str
    summary: str
    severity: Severity
    ranges: tuple[_Span, ...] = ()
    versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def to_domain(self) -> Advisory:
        spans = tuple(VersionRange(item.introduced, item.fixed, item.last_affected) for item in self.ranges)
        severity = Severity.CRITICAL if says_malware(self.id, self.aliases) else self.severity
        return Advisory(self.id, self.package, self.summary, severity, spans, self.versions, self.aliases)


class _Technique(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    id: str
    name: str
    summary: str


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: int
    id: str
    dated: str
    advisories: tuple[_Advisory, ...]
    techniques: tuple[_Technique, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """An advisory on a package; not `certain` where the versions cannot be compared."""

    advisory: Advisory
    package: Package
    certain: bool


@dataclass(frozen=True)
class Snapshot:
    """Advisories and techniques as known at `dated`. `digest` covers the bytes they were read from."""

    id: str
    dated: datetime
    advisories: tuple[Advisory, ...]
    techniques: Mapping[str, Technique]
    digest: str

    @classmethod
    def builtin(cls) -> Snapshot:
        """The small one that ships inside. It ages: tiers that demand fresh intelligence need a newer one."""
        return _builtin()

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """Read a snapshot file (JSON). Raises PolicyError HF-POL-009 when it is unreadable, HF-POL-010 when wrong."""
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as fault:
            raise PolicyError(
                f"cannot read the intelligence snapshot {path}",
                cause=fault.strerror or str(fault),
                fix="check the path and its permissions",
                code="HF-POL-009",
            ) from fault
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: bytes, source: str) -> Snapshot:
        """Read a snapshot's bytes; `source` names it in messages."""
        try:
            if len(data) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES:,} bytes")
            return cls._of(msgspec.json.decode(data, type=_File), digest_bytes(data))
        except (ValueError, RecursionError) as fault:  # msgspec's errors and wrong dates are ValueErrors
            raise PolicyError(
                f"{source} is not an intelligence snapshot",
                cause=str(fault),
                fix="get the file again; docs/concepts/policy.md shows its form",
                code="HF-POL-010",
            ) from fault

    @classmethod
    def _of(cls, file: _File, digest: str) -> Snapshot:
        if file.version != 1:
            raise ValueError(f"version {file.version}; this Holdfast reads version 1")
        if len(file.advisories) > MAX_ENTRIES or len(file.techniques) > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES:,} entries")
        advisories = tuple(item.to_domain() for item in file.advisories)
        empty = next((item.id for item in advisories if not item.ranges and not item.versions), None)
        if empty is not None:
            raise ValueError(f"{empty} names no affected version")
        techniques = {item.id: Technique(item.id, item.name, item.summary) for item in file.techniques}
        return cls(file.id, _moment(file.dated), advisories, techniques, digest)

    def on(self, package: str) -> tuple[Advisory, ...]:
        """The advisories on a package, under any spelling of its name."""
        return self._by_name.get(canonicalize_name(package), ())

    def hits(self, purl: str) -> tuple[Hit, ...] | None:
        """The advisories that hit a pinned package or may; None when `purl` names no PyPI package.

        Remembered, because ten thousand models pin the same few thousand packages.
        """
        if purl not in self._hits:
            self._hits[purl] = self._find(purl)
        return self._hits[purl]

    def _find(self, purl: str) -> tuple[Hit, ...] | None:
        package = Package.parse(purl)
        if package is None:
            return None
        answers = ((item, affected(package.version, item)) for item in self.on(package.name))
        return tuple(Hit(item, package, answer is True) for item, answer in answers if answer is not False)

    @cached_property
    def _hits(self) -> dict[str, tuple[Hit, ...] | None]:
        return {}

    @cached_property
    def _by_name(self) -> dict[str, tuple[Advisory, ...]]:
        found: dict[str, list[Advisory]] = {}
        for item in self.advisories:
            found.setdefault(canonicalize_name(item.package), []).append(item)
        return {name: tuple(sorted(items, key=lambda item: item.id)) for name, items in found.items()}


def _moment(text: str) -> datetime:
    """A date (its first moment, UTC) or an RFC 3339 time."""
    moment = datetime.combine(date.fromisoformat(text), time(), UTC) if len(text) == 10 else from_iso(text)
    if moment.year > 9000:
        raise ValueError(f"dated {text}: no such day yet")
    return moment


@cache
def _builtin() -> Snapshot:
    file = resources.files("holdfast.core.policy") / "snapshots" / "builtin.json"
    return Snapshot.parse(file.read_bytes(), "the built-in snapshot")

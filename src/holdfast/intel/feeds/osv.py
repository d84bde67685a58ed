"""OSV records (ossf.github.io/osv-schema) for PyPI: single files, JSON lines, folders, ZIPs; GHSA, PYSEC and MAL ids.

Where ECOSYSTEM ranges exist they say everything and listed versions are left out; a record with neither (commits
only) stays open for every release, because nobody can tell which are hit. A record without a severity is unrated.

A record named MAL-… (ossf/malicious-packages) says that a package is malware. It is critical whatever it is rated,
speaks of listed releases and ranges alike, and of every release where it names neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from packaging.utils import canonicalize_name

from holdfast.core.domain.advisory import Advisory, VersionRange, says_malware
from holdfast.core.domain.clock import from_iso
from holdfast.core.domain.intelligence import ADVISORY
from holdfast.core.domain.severity import Severity
from holdfast.intel.cvss import severity_of
from holdfast.intel.identity import normal_name
from holdfast.intel.interface import Context, Document, Reading, Statement, Unreadable, feed

MAX_PACKAGES: Final = 200
MAX_RANGES: Final = 200
MAX_EVENTS: Final = 2_000
MAX_VERSIONS: Final = 2_000
MAX_VERSION: Final = 128
MAX_ALIASES: Final = 100
MAX_ORIGINS: Final = 3
UNRATED: Final = Severity.HIGH
"""What an advisory that nobody has rated counts as, until somebody does."""
UNTELLABLE: Final = VersionRange(introduced="unreadable")
"""A bound that no version can be compared with: the answer is unknown for each."""
ORIGINS: Final = "malicious-packages-origins"
"""Where a record of malware says who reported it, in `database_specific`."""
_ORIGIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
WORDS: Final = {
    "LOW": Severity.LOW,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "HIGH": Severity.HIGH,
    "IMPORTANT": Severity.HIGH,
    "CRITICAL": Severity.CRITICAL,
}


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, Any]] = []


class _Severity(msgspec.Struct):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: list[_Severity] | None = None
    database_specific: Any = None
    ecosystem_specific: Any = None


class _Record(msgspec.Struct):
    id: str
    modified: str = ""
    withdrawn: str | None = None
    summary: str | None = None
    details: str | None = None
    aliases: list[str] | None = None
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    database_specific: Any = None


@feed("osv", says="OSV JSON: a file, JSON lines, a folder or a ZIP", gives=(ADVISORY,))
def read(documents: Iterator[Document], context: Context) -> Reading:  # noqa: ARG001
    """Every PyPI package of every record; other ecosystems are not ours."""
    return Reading(_statements(documents), complete=True)


def _statements(documents: Iterator[Document]) -> Iterator[Statement | Unreadable]:
    for document in documents:
        for name, text in _records(document):
            try:
                yield from _of(msgspec.json.decode(text, type=_Record))
            except (ValueError, RecursionError) as fault:
                yield Unreadable(name, str(fault)[:200])


def _records(document: Document) -> Iterator[tuple[str, bytes]]:
    """One record, or one a line, with where it stands."""
    lines = document.data.splitlines()
    if document.name.endswith((".jsonl", ".ndjson")) or (len(lines) > 1 and _whole(lines[0])):
        yield from ((f"{document.name}:{number}", line) for number, line in enumerate(lines, 1) if line.strip())
    else:
        yield document.name, document.data


def _whole(line: bytes) -> bool:
    """Whether a first line is a record by itself."""
    return line.startswith(b"{") and line.rstrip().endswith(b"}")


def _of(record: _Record) -> Iterator[Statement]:
    name = normal_name(record.id)
    if name is None:
        raise ValueError(f"{record.id[:60]!r} is no id")
    affected = [
        item for item in record.affected or () if item.package and item.package.ecosystem.partition(":")[0] == "PyPI"
    ]
    by_package: dict[str, list[_Affected]] = {}
    for item in affected[:MAX_PACKAGES]:
        assert item.package is not None
        by_package.setdefault(canonicalize_name(item.package.name[:200]), []).append(item)
    for package, items in sorted(by_package.items()):
        yield _statement(record, name, package, items)
    if len(affected) > MAX_PACKAGES:
        raise ValueError(f"{name} names more than {MAX_PACKAGES} packages")


def _statement(record: _Record, name: str, package: str, items: list[_Affected]) -> Statement:
    summary = _words(record.summary or record.details or name)
    listed = (normal_name(alias) for alias in (record.aliases or ())[:MAX_ALIASES])
    aliases = tuple(sorted({alias for alias in listed if alias is not None} - {name}))
    malicious = says_malware(name, aliases)
    severity = Severity.CRITICAL if malicious else _severity(record, items)
    if malicious:
        summary += _reporters(record)
    ranges, versions = _extent(items, malicious=malicious)
    body = Advisory(name, package, summary, severity or UNRATED, ranges, versions, aliases, severity is not None)
    title = f"{package}: {summary[:200]}"
    return Statement(name, body, title, body.severity, _moment(record.modified) or EPOCH, _moment(record.withdrawn))


def _reporters(record: _Record) -> str:
    """` (reported by x, y)`, where the record of malware says so."""
    said = record.database_specific.get(ORIGINS) if isinstance(record.database_specific, dict) else None
    sources = (one.get("source") for one in said if isinstance(one, dict)) if isinstance(said, list) else ()
    named = sorted({one for one in sources if isinstance(one, str) and _ORIGIN.fullmatch(one)})
    return f" (reported by {', '.join(named[:MAX_ORIGINS])})" if named else ""


def _extent(items: Iterable[_Affected], *, malicious: bool) -> tuple[tuple[VersionRange, ...], tuple[str, ...]]:
    ranges: set[VersionRange] = set()
    versions: set[str] = set()
    for item in items:
        told = [one for one in item.ranges or () if one.type in ("ECOSYSTEM", "SEMVER")]
        ranges.update(span for one in told[:MAX_RANGES] for span in _spans(one.events))
        if item.versions and (malicious or not told) and len(item.versions) <= MAX_VERSIONS:
            versions.update(version[:MAX_VERSION] for version in item.versions)
        elif item.versions and (malicious or not told):
            ranges.add(VersionRange())
        elif not told:
            ranges.add(VersionRange() if malicious and not item.ranges else UNTELLABLE)
        if len(told) > MAX_RANGES:
            ranges.add(UNTELLABLE)
    return tuple(sorted(ranges, key=repr)), tuple(sorted(versions))


def _spans(events: list[dict[str, Any]]) -> Iterator[VersionRange]:
    """Events in their order, as the schema's algorithm walks them; an odd one leaves the range open."""
    start: str | None = None
    begun = False
    for event in events[:MAX_EVENTS]:
        if "introduced" in event:
            if begun:
                yield VersionRange(start)
            word = str(event["introduced"])[:MAX_VERSION]
            start, begun = (None if word == "0" else word), True
        elif "fixed" in event:
            yield VersionRange(start, fixed=str(event["fixed"])[:MAX_VERSION])
            begun = False
        elif "last_affected" in event:
            yield VersionRange(start, last_affected=str(event["last_affected"])[:MAX_VERSION])
            begun = False
    if begun or not events or len(events) > MAX_EVENTS:
        yield VersionRange(start)


def _severity(record: _Record, items: list[_Affected]) -> Severity | None:
    """The gravest of the vectors; else the word of the database; None where nobody rated it."""
    vectors = [*(record.severity or ()), *(one for item in items for one in item.severity or ())]
    found = [severity for one in vectors if (severity := severity_of(one.score)) is not None]
    if found:
        return max(found)
    sources = [record.database_specific, *(item.database_specific for item in items)]
    words = [str(one.get("severity", "")).upper() for one in sources if isinstance(one, dict)]
    return max((WORDS[word] for word in words if word in WORDS), default=None)


def _words(text: str) -> str:
    """The first line, on one line, short."""
    lines = [" ".join(line.split()) for line in text[:2000].splitlines()]
    return next((line for line in lines if line), "no summary")[:300]


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return from_iso(text)
    except ValueError:
        return EPOCH

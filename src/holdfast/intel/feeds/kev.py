"""CISA's catalogue of known exploited vulnerabilities (JSON): each CVE raises the advisories that name it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Final

import msgspec

from holdfast.core.domain.intelligence import INDICATOR, Indicator
from holdfast.core.domain.severity import Severity
from holdfast.intel.faults import malformed
from holdfast.intel.identity import normal_name
from holdfast.intel.interface import MAX_STATEMENTS, MAX_TITLE, Context, Document, Reading, Statement, Unreadable, feed

EXPLOITED: Final = "exploited"


class _Entry(msgspec.Struct):
    cveID: str  # noqa: N815  (the catalogue's own name)
    vulnerabilityName: str = ""  # noqa: N815
    dateAdded: str = "1970-01-01"  # noqa: N815


class _Catalogue(msgspec.Struct):
    vulnerabilities: list[_Entry]


@feed("kev", says="CISA KEV JSON; raises the severity of what it names", gives=(INDICATOR,))
def read(documents: Iterator[Document], context: Context) -> Reading:  # noqa: ARG001
    """One indicator per CVE."""
    entries: list[_Entry] = []
    for document in documents:
        try:
            entries += msgspec.json.decode(document.data, type=_Catalogue).vulnerabilities
        except (ValueError, RecursionError) as fault:
            raise malformed(document.name, str(fault)[:200]) from fault
    return Reading(map(_statement, entries[:MAX_STATEMENTS]), complete=True)


def _statement(entry: _Entry) -> Statement | Unreadable:
    name = normal_name(entry.cveID)
    try:
        added = datetime.combine(date.fromisoformat(entry.dateAdded[:10]), time(), UTC)
    except ValueError as fault:
        return Unreadable(entry.cveID[:60], str(fault))
    if name is None or not name.startswith("CVE-"):
        return Unreadable(entry.cveID[:60], "not a CVE id")
    title = f"exploited in the wild: {entry.vulnerabilityName}"[:MAX_TITLE]
    return Statement(name, Indicator(EXPLOITED, name), title, Severity.HIGH, added)

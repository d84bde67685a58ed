"""Lists as CSV, told by their header: `name,version` is malware, `module,name` pickle globals, `sha256` files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from packaging.utils import canonicalize_name

from holdfast.core.domain.advisory import Advisory, VersionRange
from holdfast.core.domain.ids import digest
from holdfast.core.domain.intelligence import ADVISORY, INDICATOR, Indicator
from holdfast.core.domain.severity import Severity
from holdfast.intel.faults import malformed, too_large
from holdfast.intel.interface import MAX_STATEMENTS, Context, Document, Reading, Statement, Unreadable, feed

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GLOBAL: Final = re.compile(r"[A-Za-z_][\w.]{0,190}\.(\*|[A-Za-z_]\w{0,80}(\.\w{1,80})*)")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}")
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")
Row = dict[str, str]


@feed(
    "table", says="CSV: name,version (malware) or module,name (pickle globals) or sha256", gives=(ADVISORY, INDICATOR)
)
def read(documents: Iterator[Document], context: Context) -> Reading:  # noqa: ARG001
    """One statement per row; several versions of one package are one statement."""
    statements: list[Statement | Unreadable] = []
    for document in documents:
        statements += _of(document)
    return Reading(statements, complete=True)


def _of(document: Document) -> list[Statement | Unreadable]:
    try:
        rows = csv.DictReader(io.StringIO(document.data.decode("utf-8-sig")), strict=True)
        fields = set(rows.fieldnames or ())
        listed = []
        for row in rows:
            listed.append({key: value or "" for key, value in row.items() if isinstance(value, str | None) and key})
            if len(listed) > MAX_STATEMENTS:
                raise too_large(document.name, f"more than {MAX_STATEMENTS:,} rows")
    except (UnicodeDecodeError, csv.Error) as fault:
        raise malformed(document.name, str(fault)[:200]) from fault
    if {"name", "version"} <= fields:
        return _packages(listed)
    if {"module", "name"} <= fields:
        return _each(listed, lambda row: f"{row['module']}.{row['name']}", _GLOBAL, "pickle-global")
    if "sha256" in fields:
        return _each(listed, lambda row: row["sha256"].lower(), _HASH, "sha256")
    raise malformed(document.name, f"its columns are {', '.join(sorted(fields))[:200] or 'none'}")


def _packages(rows: list[Row]) -> list[Statement | Unreadable]:
    """Malware has no id here, so its id is made of its name; a row without a version means every release."""
    found: dict[str, set[str]] = {}
    odd: list[Statement | Unreadable] = []
    for row in rows:
        name, version = row.get("name", "").strip(), row.get("version", "").strip()
        if not _NAME.fullmatch(name) or not (version == "" or _VERSION.fullmatch(version)):
            odd.append(Unreadable(f"{name[:60]} {version[:60]}", "not a package and a version"))
        else:
            found.setdefault(canonicalize_name(name), set()).add(version)
    return [*odd, *(_package(name, versions) for name, versions in sorted(found.items()))]


def _package(name: str, versions: set[str]) -> Statement:
    native = "MAL-X-" + digest([name]).removeprefix("sha256:")[:16].upper()
    whole = "" in versions
    body = Advisory(
        native,
        name,
        f"listed as malware: {name}",
        Severity.CRITICAL,
        (VersionRange(),) if whole else (),
        () if whole else tuple(sorted(versions)),
    )
    return Statement(native, body, body.summary, Severity.CRITICAL, EPOCH)


def _each(
    rows: list[Row], value_of: Callable[[Row], str], form: re.Pattern[str], kind: str
) -> list[Statement | Unreadable]:
    found: dict[str, Statement | Unreadable] = {}
    for row in rows:
        value = value_of(row).strip()
        if form.fullmatch(value):
            found[value] = Statement(value, Indicator(kind, value), f"{kind} {value}", Severity.CRITICAL, EPOCH)
        else:
            found[value] = Unreadable(value[:60], f"not a {kind}")
    return list(found.values())

"""Where a feed's bytes come from: a file, a folder, a ZIP, or an https address; all of them bounded."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from holdfast.core.domain.ids import digest_bytes
from holdfast.intel.faults import malformed, too_large, unreadable, wrong_feed
from holdfast.intel.interface import Document

MAX_BYTES: Final = 512_000_000
MAX_DOCUMENT: Final = 64_000_000
MAX_DOCUMENTS: Final = 500_000
MAX_TOTAL: Final = 2_000_000_000
MAX_RATIO: Final = 200
TIMEOUT_S: Final = 30.0
MAX_SECONDS: Final = 300.0
SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".csv")


@dataclass(frozen=True, slots=True)
class Source:
    """A feed's bytes as they were found. `documents` may be walked once; `raw` is the evidence to keep."""

    documents: Iterator[Document]
    raw: bytes | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)
    unchanged: bool = False


def open_source(location: str, cursor: Mapping[str, Any]) -> Source:
    """What lies at a location. Raises DataError (HF-INT-003 unreadable, HF-INT-005 too large)."""
    if re.match(r"[a-z][a-z0-9+.-]+://", location):
        return _remote(location, cursor)
    path = Path(location)
    try:
        if path.is_dir():
            return Source(_folder(path))
        return _of_bytes(path.name, _read(path, MAX_BYTES), {})
    except OSError as fault:
        raise unreadable(location, fault.strerror or str(fault)) from fault


def check_location(location: str) -> None:
    """Refuse what could never be read: other schemes, and addresses that carry a secret."""
    if "://" not in location:
        return
    parts = urlsplit(location)
    if parts.scheme != "https":
        raise wrong_feed(f"'{parts.scheme}://' is not read: give a path or an https address")
    if parts.username or parts.password:
        raise wrong_feed("the address holds a user or a password, which would be stored and shown")


def _of_bytes(name: str, data: bytes, cursor: Mapping[str, Any]) -> Source:
    if data[:4] == b"PK\x03\x04":
        return Source(_zip(name, data), data, cursor)
    if len(data) > MAX_DOCUMENT:
        raise too_large(name, f"{len(data):,} bytes; the limit is {MAX_DOCUMENT:,}")
    return Source(iter([Document(name, data)]), data, cursor)


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        if not stat.S_ISREG(path.stat().st_mode):
            raise unreadable(str(path), "it is neither a file nor a folder")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise too_large(str(path), f"more than {limit:,} bytes")
    return data


def _folder(folder: Path) -> Iterator[Document]:
    """Every document below a folder, by name; links are not followed."""
    total = count = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or path.is_symlink() or not path.is_file():
            continue
        data = _read(path, MAX_DOCUMENT)
        total, count = total + len(data), count + 1
        _bounded(str(folder), count, total)
        yield Document(str(path.relative_to(folder)), data)


def _zip(name: str, data: bytes) -> Iterator[Document]:
    """The documents in a ZIP, with bounds on number, size and ratio before anything is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            total = count = 0
            for member in archive.infolist():
                if member.is_dir() or not member.filename.lower().endswith(SUFFIXES):
                    continue
                total, count = total + member.file_size, count + 1
                _bounded(name, count, total)
                yield Document(member.filename, _unpack(name, archive, member))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as fault:
        raise malformed(name, f"the ZIP is damaged: {fault}") from fault


def _unpack(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    small = member.file_size <= 1_000_000
    if member.file_size > MAX_DOCUMENT or not (small or member.file_size <= MAX_RATIO * member.compress_size):
        raise too_large(f"{name}:{member.filename[:200]}", f"it would unpack to {member.file_size:,} bytes")
    with archive.open(member) as stream:
        found = stream.read(MAX_DOCUMENT + 1)
    if len(found) > member.file_size:
        raise malformed(name, f"{member.filename[:200]} is larger than the ZIP says")
    return found


def _bounded(what: str, count: int, total: int) -> None:
    if count > MAX_DOCUMENTS:
        raise too_large(what, f"more than {MAX_DOCUMENTS:,} files")
    if total > MAX_TOTAL:
        raise too_large(what, f"more than {MAX_TOTAL:,} bytes in all")


def _remote(url: str, cursor: Mapping[str, Any]) -> Source:
    """Fetch an address, unless it says that it has not changed since (ETag)."""
    import time

    import httpx

    check_location(url)
    headers = {"if-none-match": str(cursor["etag"])} if cursor.get("etag") and cursor.get("url") == url else {}
    began, found = time.monotonic(), bytearray()
    try:
        with httpx.stream("GET", url, headers=headers, timeout=TIMEOUT_S, follow_redirects=False) as answer:
            if answer.status_code == 304:
                return Source(iter(()), unchanged=True)
            if answer.status_code != 200:
                raise unreadable(url, f"the server answered {answer.status_code}")
            for piece in answer.iter_bytes():
                found += piece
                if len(found) > MAX_BYTES:
                    raise too_large(url, f"more than {MAX_BYTES:,} bytes")
                if time.monotonic() - began > MAX_SECONDS:
                    raise unreadable(url, f"it took more than {MAX_SECONDS:.0f} s")
            etag = answer.headers.get("etag", "")[:200]
    except httpx.HTTPError as fault:
        raise unreadable(url, f"{type(fault).__name__}: {str(fault)[:200]}") from fault
    name = urlsplit(url).path.rpartition("/")[2] or "feed"
    return _of_bytes(name, bytes(found), {"url": url, "etag": etag} if etag else {})


def evidence(source: Source, seen: Mapping[str, str]) -> bytes:
    """The bytes to keep as what was read: the file itself, or for a folder the digests of its files."""
    if source.raw is not None:
        return source.raw
    return "".join(f"{digest.removeprefix('sha256:')}  {name}\n" for name, digest in sorted(seen.items())).encode()


def noted(documents: Iterator[Document], seen: dict[str, str]) -> Iterator[Document]:
    """The same documents; `seen` gets the digest of each."""
    for document in documents:
        seen[document.name] = digest_bytes(document.data)
        yield document

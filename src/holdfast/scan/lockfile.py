"""Lock files as package URLs: pip's requirements, and the TOML locks of uv, poetry and pylock (PEP 751)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from holdfast.core.errors import FormatError

MAX_BYTES = 32_000_000
MAX_PACKAGES = 50_000

_PIN = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)\s*(?:[;\\#].*)?$"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned release. The version is as written; whether it parses is for the matcher to say."""

    name: str
    version: str

    @property
    def purl(self) -> str:
        """Package URL (purl-spec, type pypi)."""
        return f"pkg:pypi/{canonicalize_name(self.name)}@{self.version}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that names something without pinning it."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Lock:
    """What a lock file pins, sorted by name, and what it leaves open."""

    packages: tuple[Package, ...]
    unpinned: tuple[Line, ...]


def read_lock(path: Path) -> Lock:
    """Read a lock file by its content. Raises FormatError (HF-SCN-020 unreadable, HF-SCN-021 too large)."""
    text = _read(path)
    lock = _toml(text) or _requirements(text)
    if len(lock.packages) > MAX_PACKAGES:
        raise _too_large(path, f"it pins more than {MAX_PACKAGES:,} packages")
    return lock


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise _unreadable(path, fault.strerror or str(fault)) from fault
    if len(data) > MAX_BYTES:
        raise _too_large(path, f"it is larger than {MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise _unreadable(path, f"it is not UTF-8 text (byte {fault.start})") from fault


def _toml(text: str) -> Lock | None:
    """`[[package]]` or `[[packages]]` tables; None where the text is no such TOML."""
    if "[[package" not in text:
        return None
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    rows = document.get("package", document.get("packages"))
    if not isinstance(rows, list):
        return None
    pinned = [row for row in rows if _is_pinned(row)]
    open_rows = [Line(0, str(row)[:200]) for row in rows if not _is_pinned(row)]
    return _lock((Package(row["name"], row["version"]) for row in pinned), open_rows)


def _is_pinned(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("name"), str) and isinstance(row.get("version"), str)


def _requirements(text: str) -> Lock:
    packages: list[Package] = []
    unpinned: list[Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith(
            ("#", "--hash", "--index", "--extra-index", "--find-links", "--no-", "--only-")
        ):
            continue
        match = _PIN.match(stripped)
        if match is None:
            unpinned.append(Line(number, stripped[:200]))
        else:
            packages.append(Package(match[1], match[2]))
    return _lock(packages, unpinned)


def _lock(packages: Any, unpinned: list[Line]) -> Lock:
    return Lock(tuple(sorted(set(packages), key=lambda p: (p.name.lower(), p.version))), tuple(unpinned))


def _unreadable(path: Path, cause: str) -> FormatError:
    return FormatError(
        f"cannot read the lock file {path}",
        cause=cause,
        fix="name a requirements, uv, poetry or pylock file",
        code="HF-SCN-020",
    )


def _too_large(path: Path, cause: str) -> FormatError:
    return FormatError(
        f"the lock file {path} is too large",
        cause=cause,
        fix="lock one model's environment, not a whole index",
        code="HF-SCN-021",
    )

"""Lock files as package URLs: pip, uv, poetry, pylock (PEP 751), Pipfile.lock and conda.

A file is known by its content. What cannot be read as any of them is read as requirements, of which every line then
pins nothing: never an empty lock.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.jsontext import parse
from holdfast.scan.lockfile_conda import read_conda, read_explicit
from holdfast.scan.packages import Line, Lock, Package, pinned

__all__ = ["MAX_BYTES", "MAX_PACKAGES", "Line", "Lock", "Package", "read_lock"]

MAX_BYTES = 32_000_000
MAX_PACKAGES = 50_000
MAX_PARTS = 64
"""Parts of a dotted key; the time TOML takes grows with their square."""
_LONG_KEY = re.compile(r"[^\n,{}\[\]=]{128,}")


def read_lock(path: Path) -> Lock:
    """Read a lock file by its content. Raises FormatError (HF-SCN-020 unreadable, HF-SCN-021 too large)."""
    text = _read(path)
    lock = parse_lock(text)
    if len(lock.packages) > MAX_PACKAGES:
        raise _too_large(path, f"it pins more than {MAX_PACKAGES:,} packages")
    return lock


def parse_lock(text: str) -> Lock:
    """Read the text of a lock file, whichever tool wrote it."""
    lock = parse_table(text)
    return _requirements(text) if lock is None else lock


def parse_table(text: str) -> Lock | None:
    """Read a lock that says by its own form that it is one; None where it could only be lines of pip's."""
    for read in (_toml, _pipfile, read_explicit, read_conda):
        lock = read(text)
        if lock is not None:
            return lock
    return None


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
    if "[[package" not in text or any(found[0].count(".") > MAX_PARTS for found in _LONG_KEY.finditer(text)):
        return None
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):  # also of a number with thousands of digits
        return None
    rows = document.get("package", document.get("packages"))
    if not isinstance(rows, list):
        return None
    fixed = [Package(row["name"], row["version"]) for row in rows if _is_pinned(row)]
    return Lock.of(fixed, [_loose(row) for row in rows if not _is_pinned(row)])


def _loose(row: Any) -> Line:
    """The name where there is one, so that advisories on it can be looked for."""
    name = row.get("name") if isinstance(row, dict) else None
    return Line(0, (name if isinstance(name, str) and name else str(row))[:200])


def _pipfile(text: str) -> Lock | None:
    """Pipfile.lock: JSON with `default` and `develop`; None where the text is none."""
    if not text.lstrip().startswith("{") or '"_meta"' not in text:
        return None
    try:
        document = parse(text)
    except Fault:
        return None
    groups = [document.get(name) for name in ("default", "develop")]
    rows = [item for group in groups if isinstance(group, dict) for item in group.items()]
    found = [(name, pinned(f"{name}{row.get('version', '')}") if isinstance(row, dict) else None) for name, row in rows]
    return Lock.of((one for _, one in found if one), [Line(0, name[:200]) for name, one in found if one is None])


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
        found = pinned(stripped)
        if found is None:
            unpinned.append(Line(number, stripped[:200]))
        else:
            packages.append(found)
    return Lock.of(packages, unpinned)


def _unreadable(path: Path, cause: str) -> FormatError:
    return FormatError(
        f"cannot read the lock file {path}",
        cause=cause,
        fix="name a requirements, uv, poetry, pylock, Pipfile.lock or conda file",
        code="HF-SCN-020",
    )


def _too_large(path: Path, cause: str) -> FormatError:
    return FormatError(
        f"the lock file {path} is too large",
        cause=cause,
        fix="lock one model's environment, not a whole index",
        code="HF-SCN-021",
    )

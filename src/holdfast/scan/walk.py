"""Files to scan, in a stable order: each regular file once, links never followed out of what was asked for."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from holdfast.core.domain import Fact
from holdfast.core.errors import FormatError, UsageError
from holdfast.core.formats.buffers import Window, open_buffer
from holdfast.scan.inspect import Budget, Inspector, Seen
from holdfast.scan.report import Coverage, FileReport
from holdfast.scan.rules import judge, verdict_of
from holdfast.scan.together import joined


def scan(path: Path | str, *, hash: bool = True, budget: Budget | None = None) -> FileReport:  # noqa: A002
    """What one file is and holds, and whether it may be loaded. Nothing in it is imported, run or unpickled.

    `hash` adds the SHA-256 of the file, timed apart. Raises UsageError HF-SCN-001 where there is no such file.
    """
    found = list(scan_paths([path], hash=hash, budget=budget))
    if len(found) != 1 or Path(path).is_dir():
        raise UsageError(
            f"{path} is not one file",
            cause="it is a folder",
            fix="use holdfast.scan.scan_paths for folders",
            code="HF-SCN-002",
        )
    return found[0]


def scan_paths(
    paths: Iterable[Path | str],
    *,
    hash: bool = True,  # noqa: A002
    budget: Budget | None = None,
) -> Iterator[FileReport]:
    """One report for each file under `paths`, folders in name order. Each is given as soon as it is ready.

    An MLmodel found in a folder is judged with the files it names (see `together`).

    Raises UsageError HF-SCN-001 where a path does not exist, before anything is scanned.
    """
    wanted = [Path(path) for path in paths]
    for path in wanted:
        if not os.path.lexists(path):
            raise UsageError(
                f"there is no {path}",
                cause="the path does not exist",
                fix="check the spelling, or quote a pattern your shell did not expand",
                code="HF-SCN-001",
            )
    return _reports(wanted, want_hash=hash, budget=budget)


def _reports(wanted: list[Path], *, want_hash: bool, budget: Budget | None) -> Iterator[FileReport]:
    for path in wanted:
        # What the caller names may itself be a link; inside a folder, links must stay inside.
        root = path.resolve() if path.is_dir() else None
        if root is None:
            yield _report(path, want_hash=want_hash, budget=budget)
        else:
            yield from joined(_inside(path, root, want_hash=want_hash, budget=budget))


def _inside(folder: Path, root: Path, *, want_hash: bool, budget: Budget | None) -> Iterator[FileReport]:
    for file in _files(folder):
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            yield _odd(file, "link-outside", f"link to {file.readlink()}")
        else:
            yield _report(file, want_hash=want_hash, budget=budget)


def _files(folder: Path) -> Iterator[Path]:
    """Every entry below a folder that is not a folder itself. Linked folders are entries, not entered."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError:
            yield here
            continue
        folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        pending.extend(reversed(folders))
        yield from (Path(entry.path) for entry in entries if not entry.is_dir(follow_symlinks=False))


def _report(path: Path, *, want_hash: bool, budget: Budget | None) -> FileReport:
    try:
        mode = path.stat().st_mode
    except OSError as fault:
        return _odd(path, "unreadable", fault.strerror or str(fault))
    if stat.S_ISDIR(mode):
        return _odd(path, "unreadable" if not path.is_symlink() else "link-outside", "a folder that is not entered")
    if not stat.S_ISREG(mode):
        return _odd(path, "special-file", stat.filemode(mode))
    try:
        return _inspected(path, want_hash=want_hash, budget=budget)
    except FormatError as fault:
        return _odd(path, "unreadable", fault.cause)


def _inspected(path: Path, *, want_hash: bool, budget: Budget | None) -> FileReport:
    started = time.perf_counter()
    with open_buffer(path) as data:
        size = len(data)
        seen = Inspector(budget).inspect(Window.whole(data))
    inspected = time.perf_counter()
    digest = _sha256(path) if want_hash else None
    hashed = time.perf_counter()
    times = (inspected - started) * 1000, (hashed - inspected) * 1000 if want_hash else 0.0
    return _judged(str(path), seen, size, digest, times)


def _judged(path: str, seen: Seen, size: int, digest: str | None, times: tuple[float, float]) -> FileReport:
    if seen.unread and not seen.facts:
        seen.add("trailing-bytes", f"{seen.unread:,} bytes are not accounted for")
    facts = tuple(seen.facts)
    hits = judge(facts)
    coverage = Coverage(seen.parsed, seen.skipped, seen.unread)
    return FileReport(path, digest, seen.format, verdict_of(hits), *times, size, coverage, facts, hits)


def _odd(path: Path, kind: str, value: str) -> FileReport:
    """A file that is not opened."""
    seen = Seen("other", [Fact(kind, value)])
    return _judged(str(path), seen, 0, None, (0.0, 0.0))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

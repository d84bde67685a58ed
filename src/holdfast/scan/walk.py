"""Files to scan, in a stable order: each regular file once, links never followed out of what was asked for."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.errors import FormatError, UsageError
from holdfast.core.formats.buffers import Window, open_buffer
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.inspect import Budget, Inspector, Seen
from holdfast.scan.report import Coverage, FileReport
from holdfast.scan.rules import judge, verdict_of
from holdfast.scan.together import joined
from holdfast.scan.weights import RAW, beside, claims_of, explained

CHUNK: Final = 4 << 20
"""Bytes that are hashed at a time."""
Watch = Callable[[Path, int, int], None]
"""Told of a file, how many of its bytes are hashed, and how many it has."""


def scan(
    path: Path | str,
    *,
    hash: bool = True,  # noqa: A002
    budget: Budget | None = None,
    neighbours: bool = True,
    names: Allowlist | None = None,
) -> FileReport:
    """What one file is and holds, and whether it may be loaded. Nothing in it is imported, run or unpickled.

    `hash` adds the SHA-256 of the file, timed apart. `neighbours`: whether bytes of no format of their own may be
    explained by a model in the same folder (see `weights`); without it, the row tells of this file's bytes alone.
    `names` is the list to judge by, the one inside by default.
    Raises UsageError HF-SCN-001 where there is no such file.
    """
    found = list(scan_paths([path], hash=hash, budget=budget, neighbours=neighbours, names=names))
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
    neighbours: bool = True,
    watch: Watch | None = None,
    names: Allowlist | None = None,
) -> Iterator[FileReport]:
    """One report for each file under `paths`, folders in name order. Each is given as soon as it is ready.

    A file found in a folder is judged with the files it names (see `together`). `neighbours` and `names` are as for
    `scan`; `watch` is called with each file before it is opened, and while it is hashed.

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
    return _Walk(hash, budget, watch, neighbours, names).reports(wanted)


@dataclass(frozen=True, slots=True)
class _Walk:
    """How the files of one call are scanned."""

    want_hash: bool
    budget: Budget | None
    watch: Watch | None
    neighbours: bool
    names: Allowlist | None

    def reports(self, wanted: list[Path]) -> Iterator[FileReport]:
        for path in wanted:
            # What the caller names may itself be a link; inside a folder, links must stay inside.
            if path.is_dir():
                yield from joined(self._inside(path, path.resolve()), self.budget)
            else:
                yield self._alone(path)

    def _alone(self, path: Path) -> FileReport:
        """One file; raw bytes in the light of the models beside them."""
        report = self._report(path)
        if report.format != RAW or not self.neighbours:
            return report
        quick = replace(self, want_hash=False)
        return explained(report, claims_of(beside(path, quick._report)).get(path, []), self.budget)

    def _inside(self, folder: Path, root: Path) -> Iterator[FileReport]:
        for file in _files(folder):
            if file.is_symlink() and not file.resolve().is_relative_to(root):
                yield _odd(file, "link-outside", f"link to {file.readlink()}")
            else:
                yield self._report(file)

    def _report(self, path: Path) -> FileReport:
        try:
            mode = path.stat().st_mode
        except OSError as fault:
            return _odd(path, "unreadable", fault.strerror or str(fault))
        if stat.S_ISDIR(mode):
            kind = "unreadable" if not path.is_symlink() else "link-outside"
            return _odd(path, kind, "a folder that is not entered")
        if not stat.S_ISREG(mode):
            return _odd(path, "special-file", stat.filemode(mode))
        try:
            return self._inspected(path)
        except FormatError as fault:
            return _odd(path, "unreadable", fault.cause)

    def _inspected(self, path: Path) -> FileReport:
        started = time.perf_counter()
        with open_buffer(path) as data:
            size = len(data)
            if self.watch is not None:
                self.watch(path, 0, size)
            seen = Inspector(self.budget).inspect(Window.whole(data))
        inspected = time.perf_counter()
        digest = _sha256(path, self.watch) if self.want_hash else None
        hashed = time.perf_counter()
        times = (inspected - started) * 1000, (hashed - inspected) * 1000 if self.want_hash else 0.0
        return _judged(str(path), seen, size, digest, times, self.names)


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


def _judged(
    path: str,
    seen: Seen,
    size: int,
    digest: str | None,
    times: tuple[float, float],
    names: Allowlist | None = None,
) -> FileReport:
    if seen.unread and not seen.facts:
        seen.add("trailing-bytes", f"{seen.unread:,} bytes are not accounted for")
    facts = tuple(seen.facts)
    hits = judge(facts, names)
    coverage = Coverage(seen.parsed, seen.skipped, seen.unread)
    return FileReport(
        path, digest, seen.format, verdict_of(hits), *times, size, coverage, facts, hits, seen.claims.of(), names
    )


def _odd(path: Path, kind: str, value: str) -> FileReport:
    """A file that is not opened."""
    seen = Seen("other", [Fact(kind, value)])
    return _judged(str(path), seen, 0, None, (0.0, 0.0))


def _sha256(path: Path, watch: Watch | None) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if watch is not None:
                watch(path, done, size)
    return digest.hexdigest()

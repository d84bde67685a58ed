"""Raw weights: files of nothing but numbers, understood by what a model beside them says of every byte.

The bytes have no format, so their own row can only say unknown. A model that is itself understood, and whose tensors
cover the file, turns that into clean; what no tensor covers is zeros, or is looked at for what it is.
"""

from __future__ import annotations

import os
import stat
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from holdfast.core.domain import Fact
from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import Window, open_buffer
from holdfast.scan.claims import Claim, Span, gaps, joined
from holdfast.scan.inspect import Budget, Inspector, Seen
from holdfast.scan.report import Coverage, FileReport
from holdfast.scan.rules import ScanVerdict, judge, verdict_of

RAW: Final = "binary"
"""The format of bytes that are none: the only one that a claim can explain."""
MAX_ENTRIES: Final = 4_096
MAX_MODELS: Final = 8
MAX_MODEL_BYTES: Final = 256 << 20
MAX_GAPS: Final = 10_000
MAX_LOOKS: Final = 16
MAX_NAMES: Final = 5
_TEXT_STEP: Final = 1 << 16
_MODELS: Final = (".onnx", ".tflite", ".index", ".xml")
"""How models are called that keep tensors in other files. A name only says where to look; bytes decide."""

Claimant = tuple[FileReport, Claim]


def understood(report: FileReport) -> bool:
    """Whether a file's own row lets it speak for another file."""
    return report.verdict.rank <= ScanVerdict.REVIEW.rank


def beside(path: Path, look: Callable[[Path], FileReport]) -> list[FileReport]:
    """The models in the folder of a file that may claim its bytes, few and small, looked at in name order.

    Only regular files of that very folder, no links; nothing where the folder cannot be listed.
    """
    try:
        with os.scandir(path.parent) as listed:
            entries = [entry for entry, _ in zip(listed, range(MAX_ENTRIES), strict=False)]
            names = sorted(entry.name for entry in entries if entry.name.endswith(_MODELS) and _small(entry))
    except OSError:
        return []
    return [look(path.parent / name) for name in names[:MAX_MODELS] if name != path.name]


def _small(entry: os.DirEntry[str]) -> bool:
    status = entry.stat(follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and status.st_size <= MAX_MODEL_BYTES


def claims_of(models: Iterable[FileReport]) -> dict[Path, list[Claimant]]:
    """What understood models say of other files, by those files' paths."""
    found: dict[Path, list[Claimant]] = {}
    for model in models:
        here = Path(model.path)
        for claim in model.claims if understood(model) else ():
            found.setdefault(here.parent / claim.path(here.name), []).append((model, claim))
    return found


def explained(report: FileReport, claimants: list[Claimant], budget: Budget | None) -> FileReport:
    """The row of raw weights in the light of what models say of them; as it was where they say nothing of use."""
    sized = [(model, claim) for model, claim in claimants if claim.sized]
    if report.format != RAW or not sized or sized != claimants or _is_source(Path(report.path)):
        return report
    spans = joined(span for _, claim in sized for span in claim.spans)
    names = _names(report, [model for model, _ in sized])
    if spans and spans[-1][1] > report.bytes:
        fact = Fact("truncated", f"{names} needs {spans[-1][1]:,} bytes of it", report.bytes)
        return _judged(report, (*report.facts, fact), report.coverage)
    left = gaps(spans, report.bytes)
    try:
        coverage, more = _left(Path(report.path), left, report.bytes, names, budget)
    except FormatError:
        return report
    kept = tuple(fact for fact in report.facts if fact.kind != "unsupported")
    return replace(_judged(report, (*kept, Fact("weights-of", names), *more), coverage), format="weights")


def _is_source(path: Path) -> bool:
    """Whether an interpreter would take the bytes for its language: UTF-8 without a zero, whatever its control signs.

    Numbers are not, but for a few bytes. Unreadable counts too.
    """
    decoder = getincrementaldecoder("utf-8")()
    try:
        with open_buffer(path) as data:
            for at in range(0, len(data), _TEXT_STEP):
                chunk = bytes(data[at : at + _TEXT_STEP])
                if b"\0" in chunk:
                    return False
                decoder.decode(chunk, final=at + _TEXT_STEP >= len(data))
    except UnicodeDecodeError:
        return False
    except FormatError:
        return True
    return True


def _names(report: FileReport, models: list[FileReport]) -> str:
    """The models as seen from the weights' folder upward."""
    here = Path(report.path).parent
    seen = list(dict.fromkeys(Path(os.path.relpath(model.path, here)).as_posix()[:200] for model in models))
    more = len(seen) - MAX_NAMES
    return ", ".join(seen[:MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _left(path: Path, left: list[Span], size: int, names: str, budget: Budget | None) -> tuple[Coverage, list[Fact]]:
    """What lies between the tensors: zeros are padding, other bytes are looked at and never clean."""
    zeros, unread, facts, looks = 0, 0, list[Fact](), 0
    with open_buffer(path) as data:
        between = sum(end - start for start, end in left)
        if len(data) != size or len(left) > MAX_GAPS or between > (budget or Budget()).unpacked_bytes:
            return Coverage(0, 0, size), [Fact("budget", f"{between:,} bytes in {len(left):,} gaps between tensors", 0)]
        for start, end in left:
            window = Window(data, start, end)
            if _zeros(window):
                zeros += end - start
                continue
            unread += end - start
            facts.append(Fact("trailing-bytes", f"{end - start:,} bytes that {names} does not name", start))
            if looks < MAX_LOOKS:
                looks += 1
                facts += _looked(window, budget)
    return Coverage(zeros, size - zeros - unread, unread), facts


def _zeros(window: Window) -> bool:
    return not any(window.read(at, 1 << 20).strip(b"\0") for at in range(0, len(window), 1 << 20))


def _looked(window: Window, budget: Budget | None) -> list[Fact]:
    """The facts of bytes that no tensor names, as if they were a file. That they are unknown is said already."""
    found, seen = Inspector(budget).inspect(window), Seen(RAW)
    seen.take(found, f"<bytes {window.start}-{window.end}>")
    return [fact for fact in seen.facts if fact.kind != "unsupported"]


def _judged(report: FileReport, facts: tuple[Fact, ...], coverage: Coverage) -> FileReport:
    hits = judge(facts, report.names)
    return replace(report, facts=facts, hits=hits, verdict=verdict_of(hits), coverage=coverage)

"""A lock of 200 lines against every advisory there is, from both files on disk to the last answer."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.metrics import Metric, Target
from holdfast.core.policy import Snapshot
from holdfast.scan.lockfile import read_lock

LINES = 200
REPEATS = 5


def matching(shared: Path) -> Iterator[Metric]:
    """Milliseconds by the clock, the quickest of a few with nothing kept between; none where there is no data."""
    tables = sorted((shared / "data" / "advisories").glob("*.parquet"))
    if not tables:
        return
    known = pq.read_table(tables[-1], columns=["id", "pkg", "ranges", "versions"]).to_pylist()
    with tempfile.TemporaryDirectory() as name:
        intel, lock = Path(name) / "intel.json", Path(name) / "requirements.lock"
        intel.write_bytes(snapshot_of(known))
        lock.write_text(lock_text(known, LINES))
        yield Metric("scan.advisory_match_ms", min(_once(intel, lock) for _ in range(REPEATS)), "ms", Target("<=", 100))


def _once(intel: Path, lock: Path) -> float:
    begun = time.perf_counter()
    advisories = Snapshot.load(intel)
    packages = read_lock(lock).packages
    found = [advisories.hits(package.purl) for package in packages]
    took = 1000 * (time.perf_counter() - begun)
    assert len(advisories.advisories) > 6_000, len(advisories.advisories)
    assert len(packages) == LINES, len(packages)
    assert any(found)
    return took


def snapshot_of(known: list[dict[str, Any]]) -> bytes:
    """The rows of the advisory table as a snapshot of ours. Those that name no version are left out."""
    advisories = [
        {"id": row["id"], "package": row["pkg"], "summary": "", "severity": "high", **affected(row)} for row in known
    ]
    kept = [row for row in advisories if row["ranges"] or row["versions"]]
    return json.dumps({"version": 1, "id": "all", "dated": "2026-07-23", "advisories": kept, "techniques": []}).encode()


def affected(row: dict[str, Any]) -> dict[str, Any]:
    """Ranges and versions of one row, as a snapshot has them."""
    return {
        "ranges": [span for events in json.loads(row["ranges"]) for span in _spans(events)],
        "versions": row["versions"],
    }


def _spans(events: list[dict[str, str]]) -> list[dict[str, str]]:
    """OSV's events in order: every `introduced` opens a span, the next other event closes it."""
    spans: list[dict[str, str]] = []
    for event in events:
        if "introduced" in event:
            spans.append(dict(event))
        elif spans:
            spans[-1].update(event)
    return spans


def lock_text(known: list[dict[str, Any]], lines: int) -> str:
    """Every n-th package of the data at a version of about its advisories, some of which nobody can read."""
    names = sorted({row["pkg"] for row in known})[:: max(1, len({row["pkg"] for row in known}) // lines)][:lines]
    return "".join(
        f"{name}=={'not.a.version' if i % 40 == 39 else f'{i % 5}.{i % 11}.0'}\n" for i, name in enumerate(names)
    )

"""A long lock against every advisory there is: each answer equal to a slow, plain reading of the ranges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.policy import Snapshot
from holdfast.scan.lockfile import read_lock

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def known(shared: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the advisory data is a Parquet file")
    found = sorted((shared / "data" / "advisories").glob("*.parquet"))
    if not found:
        pytest.skip("no advisory data in the reference folder")
    return parquet.read_table(found[-1], columns=["id", "pkg", "ranges", "versions"]).to_pylist()


def snapshot_of(known: list[dict[str, Any]]) -> bytes:
    advisories = [
        {"id": row["id"], "package": row["pkg"], "summary": "", "severity": "high", **_affected(row)} for row in known
    ]
    kept = [row for row in advisories if row["ranges"] or row["versions"]]
    return json.dumps({"version": 1, "id": "all", "dated": "2026-07-23", "advisories": kept, "techniques": []}).encode()


def _affected(row: dict[str, Any]) -> dict[str, Any]:
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


def test_two_hundred_lines_against_all_of_them(known: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(lock_text(known, 200))
    intel = Snapshot.parse(snapshot_of(known), "all of them")
    lock = read_lock(path)
    assert len(intel.advisories) > 6_000
    assert len(lock.packages) == 200
    hits = {package.purl: intel.hits(package.purl) for package in lock.packages}
    assert all(found is not None for found in hits.values())
    for package in lock.packages:
        found = hits[package.purl] or ()
        if package.version == "not.a.version":  # every advisory on it may hit
            assert {hit.advisory.id for hit in found} == {item.id for item in intel.on(package.name)}
            assert not any(hit.certain for hit in found)
        else:
            certain = {hit.advisory.id for hit in found if hit.certain}
            assert certain == _plainly(known, package.name, package.version, intel)


def _plainly(known: list[dict[str, Any]], name: str, version: str, intel: Snapshot) -> set[str]:
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    here = Version(version)

    def within(span: dict[str, str]) -> bool:
        try:
            return (
                Version(span["introduced"]) <= here
                and ("fixed" not in span or here < Version(span["fixed"]))
                and ("last_affected" not in span or here <= Version(span["last_affected"]))
            )
        except InvalidVersion:
            return False

    loaded = {item.id for item in intel.advisories}
    return {
        row["id"]
        for row in known
        if canonicalize_name(row["pkg"]) == canonicalize_name(name)
        and row["id"] in loaded
        and (version in row["versions"] or any(within(span) for span in _affected(row)["ranges"]))
    }

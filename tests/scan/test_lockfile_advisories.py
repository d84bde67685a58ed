"""A long lock against every advisory there is: each answer equal to a slow, plain reading of the ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.core.policy import Snapshot
from holdfast.scan.lockfile import read_lock

pytestmark = pytest.mark.shared
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.scan_advisories

    return benchmarks.scan_advisories


@pytest.fixture(scope="module")
def known(shared: Path) -> list[dict[str, Any]]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the advisory data is a Parquet file")
    found = sorted((shared / "data" / "advisories").glob("*.parquet"))
    if not found:
        pytest.skip("no advisory data in the reference folder")
    return parquet.read_table(found[-1], columns=["id", "pkg", "ranges", "versions"]).to_pylist()


def test_two_hundred_lines_against_all_of_them(bench: Any, known: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(bench.lock_text(known, 200))
    intel = Snapshot.parse(bench.snapshot_of(known), "all of them")
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
            assert certain == _plainly(bench, known, package.name, package.version, intel)


def _plainly(bench: Any, known: list[dict[str, Any]], name: str, version: str, intel: Snapshot) -> set[str]:
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
        and (version in row["versions"] or any(within(span) for span in bench.affected(row)["ranges"]))
    }

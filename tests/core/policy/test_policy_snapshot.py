"""Intelligence snapshots: the one inside, and files from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from holdfast.core.errors import PolicyError
from holdfast.core.policy import Policy, Snapshot

GOOD: dict[str, Any] = {
    "version": 1,
    "id": "own",
    "dated": "2026-07-01T12:00:00Z",
    "advisories": [
        {"id": "A-1", "package": "Torch", "severity": "high", "summary": "words", "ranges": [{"fixed": "2.6"}]},
        {
            "id": "A-2",
            "package": "torch",
            "severity": "low",
            "summary": "words",
            "versions": ["1.0"],
            "aliases": ["C-1"],
        },
    ],
    "techniques": [{"id": "AML.T0015", "name": "Evade AI Model", "summary": "words"}],
}


def test_the_one_inside_is_dated_and_readable() -> None:
    intel = Snapshot.builtin()
    assert intel.dated.year == 2026
    assert 60 <= len(intel.advisories) <= 150
    assert len({item.id for item in intel.advisories}) == len(intel.advisories)
    for item in intel.advisories:
        for span in item.ranges:
            for bound in (span.introduced, span.fixed, span.last_affected):
                assert bound is None or Version(bound)
        assert 10 < len(item.summary) < 120


def test_the_one_inside_names_every_technique_of_the_built_in_policy() -> None:
    known = Snapshot.builtin().techniques
    assert {rule.technique for rule in Policy.builtin("baseline").rules if rule.technique} <= set(known)


@pytest.mark.parametrize(
    ("purl", "hit"),
    [
        ("pkg:pypi/torch@2.5.1+cu124", "PYSEC-2025-41"),
        ("pkg:pypi/PyYAML@5.3", "PYSEC-2021-142"),
        ("pkg:pypi/joblib@1.1.0", "PYSEC-2022-288"),
        ("pkg:pypi/lightgbm@4.5.0", "PYSEC-2024-231"),
    ],
)
def test_the_one_inside_finds_what_is_known(purl: str, hit: str) -> None:
    hits = Snapshot.builtin().hits(purl)
    assert hits is not None
    assert hit in [item.advisory.id for item in hits if item.certain]


def test_a_file_is_read_and_its_digest_is_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "intel.json"
    path.write_text(json.dumps(GOOD))
    intel = Snapshot.load(path)
    assert [item.id for item in intel.on("TORCH")] == ["A-1", "A-2"]
    path.write_text(json.dumps({**GOOD, "dated": "2026-07-02"}))
    assert Snapshot.load(path).digest != intel.digest
    assert Snapshot.load(path).dated > intel.dated


def changed(**fields: Any) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps(GOOD).encode()[:-40],
        changed(version=2),
        changed(more=1),
        changed(dated="yesterday"),
        changed(dated="9999-12-31"),
        changed(dated="2026-07-01T12:00:00"),
        changed(dated=20260701),
        changed(advisories=[{**GOOD["advisories"][0], "severity": "grave"}]),
        changed(advisories=[{**GOOD["advisories"][0], "sevrity": "high"}]),
        changed(advisories=[{"id": "A", "package": "p", "severity": "high", "summary": "covers nothing"}]),
        b'{"version":' + b"[" * 5000,
    ],
)
def test_a_wrong_file_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        Snapshot.parse(data, "intel.json")
    assert caught.value.code == "HF-POL-010"


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        Snapshot.load(tmp_path / "none.json")
    assert caught.value.code == "HF-POL-009"


def test_malware_is_critical_whatever_a_file_rates_it() -> None:
    rated = {**GOOD, "advisories": [{**GOOD["advisories"][0], "aliases": ["MAL-2026-1"]}]}
    (item,) = Snapshot.parse(json.dumps(rated).encode(), "test").advisories
    assert (item.malicious, item.severity.value) == (True, "critical")

"""deps.licences: each pinned package with its licence, and a policy that refuses what asks too much."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import bank
from holdfast.audit.checks.deps.licences import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.licences import licences
from holdfast.audit.target import LicenceParts, Target
from holdfast.core.domain import ModelVersion, Recorded, Tier, Verdict
from holdfast.core.domain.observation import Observation, Status
from holdfast.core.policy import Policy, Snapshot, Subject, judge

NOW = datetime(2026, 1, 5, tzinfo=UTC)
RULE = """\
version: 1
id: own
rules:
  - {id: licence, on: fact, kind: package.licence.class, check: deps.licences,
     deny: [strong-copyleft, network-copyleft, restricted], severity: medium}
"""


def seen(folder: Path, stated: dict[str, str]) -> Observation:
    parts = bank.write(folder, n=10)
    (folder / "requirements.lock").write_text("numpy==2.4.6\nevil==1.0\n")
    rows = [{"purl": f"pkg:pypi/{name}", "licenses": [{"expression": said}]} for name, said in stated.items()]
    place = folder / "bom.json"
    place.write_text(json.dumps({"bomFormat": "CycloneDX", "components": rows}))
    return observe(Target(replace(parts, licences=LicenceParts(place, "x"))), NoParams(), Budget())


def test_each_package_and_what_it_asks(tmp_path: Path) -> None:
    found = seen(tmp_path, {"numpy@2.4.6": "BSD-3-Clause AND 0BSD", "evil@1.0": "AGPL-3.0-only AND LicenseRef-BSD"})
    assert [(fact.kind, fact.value, fact.member) for fact in found.facts] == [
        ("package.licence", "AGPL-3.0-only AND LicenseRef-BSD", "pkg:pypi/evil@1.0"),
        ("package.licence.class", "network-copyleft", "pkg:pypi/evil"),
        ("package.licence", "BSD-3-Clause AND 0BSD", "pkg:pypi/numpy@2.4.6"),
        ("package.licence.class", "permissive", "pkg:pypi/numpy"),
    ]
    assert {item.name: item.value for item in found.measurements} == {"licences.packages": 2, "licences.unknown": 0}


def test_what_is_not_stated_is_unknown(tmp_path: Path) -> None:
    found = seen(tmp_path, {"numpy@2.4.5": "MIT"})
    assert [(fact.value, fact.detail) for fact in found.facts if fact.kind == "package.licence"] == [
        ("unknown", "not stated"),
        ("unknown", "stated of 2.4.5 only"),
    ]
    assert {item.name: item.value for item in found.measurements}["licences.unknown"] == 2


def test_a_source_that_cannot_be_read_is_unknown_and_says_why(tmp_path: Path) -> None:
    parts = bank.write(tmp_path, n=10)
    found = observe(Target(replace(parts, licences=LicenceParts(tmp_path / "no", ""))), NoParams(), Budget())
    assert found.status is Status.UNKNOWN
    assert "cannot read licences" in (found.reason or "")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("MIT", Verdict.PASSED),
        ("MIT OR GPL-3.0-only", Verdict.PASSED),
        ("MIT AND GPL-3.0-only", Verdict.FAILED),
        ("AGPL-3.0-only AND LicenseRef-Own", Verdict.FAILED),
        ("LicenseRef-Own", Verdict.UNKNOWN),
    ],
)
def test_a_policy_refuses_classes(tmp_path: Path, said: str, verdict: Verdict) -> None:
    observation = seen(tmp_path, {"numpy@2.4.6": "MIT", "evil@1.0": said})
    model = replace(bank.write(tmp_path, n=10).model, tier=Tier.LOW)
    record = Recorded("k", "deps.licences", 1, model.name, "v", observation, NOW, 0.0)
    subject = Subject(model, ModelVersion(model.name, "v", "f"), frozenset(), (record,))
    judged = judge(subject, Policy.parse(RULE, "p"), as_of=NOW, intel=Snapshot.builtin())
    assert judged.verdict is verdict
    if verdict is Verdict.FAILED:
        assert [found.location for found in judged.findings] == ["pkg:pypi/evil#package.licence.class"]
        assert "evil 1.0: " in judged.reasons[0].why


def test_where_licences_are_looked_for(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "x-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Name: x\nVersion: 1.0\nLicense: MIT\n")

    def asked(stated: Path | None, *, named: bool, lock: Path | None = tmp_path) -> LicenceParts | None:
        entry = SimpleNamespace(licences=stated if named else None)
        subject: Any = SimpleNamespace(part=lambda _: lock, licences=stated, entry=entry)
        return licences(subject)

    found = asked(tmp_path / "env", named=False)
    assert found is not None
    assert found.digest.startswith("sha256:")
    assert asked(tmp_path / "env", named=True) == found
    assert asked(None, named=False) is None
    assert asked(tmp_path / "env", named=True, lock=None) is None
    assert asked(site, named=False) is None, "the environment of the runtime without packages is no reason to complain"
    assert asked(site, named=True) == LicenceParts(site, "")
    (site / "METADATA").write_text("Name: x\nVersion: 1.0\nLicense: ISC\n\n")
    assert asked(tmp_path / "env", named=True) != found, "a change is seen by its time and size"

"""`holdfast estate bom`: from a repository to a document, with and without an audit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from holdfast.cli.main import run


def test_a_repository_without_an_audit(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = repository / "holdfast.yaml"
    manifest.write_text(manifest.read_text() + "    lock: requirements.lock\n")
    (repository / "requirements.lock").write_text("numpy==2.4.6\nscipy>=1\n")
    assert run(["estate", "bom", "credit"]) == 0
    said = capsys.readouterr().out
    assert "model.ubj" in said
    assert "numpy" in said
    assert "scipy>=1" in said
    assert run(["estate", "bom", "credit", "--format", "cyclonedx=credit.cdx.json"]) == 0
    document = json.loads((repository / "credit.cdx.json").read_text())
    assert document["specVersion"] == "1.6"
    assert document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"] == {"performanceMetrics": []}


def test_what_was_measured_is_in_it(first_audit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(first_audit, tmp_path, dirs_exist_ok=True)
    assert run(["estate", "bom", "credit", "--format", "cyclonedx"]) == 0
    card = json.loads(capsys.readouterr().out)["metadata"]["component"]["modelCard"]
    assert any(row["type"].startswith("evasion.") for row in card["quantitativeAnalysis"]["performanceMetrics"])


def test_licences_and_malware_are_told(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = repository / "holdfast.yaml"
    manifest.write_text(manifest.read_text() + "    lock: requirements.lock\n    licences: site.cdx.json\n")
    (repository / "requirements.lock").write_text("numpy==2.4.6\nevil==1.0\n")
    rows = [{"purl": "pkg:pypi/numpy@2.4.6", "licenses": [{"license": {"id": "BSD-3-Clause"}}]}]
    (repository / "site.cdx.json").write_text(json.dumps({"bomFormat": "CycloneDX", "components": rows}))
    named = {"id": "MAL-2026-1", "package": "evil", "summary": "s", "severity": "critical", "versions": ["1.0"]}
    known = {"version": 1, "id": "own", "dated": "2026-01-01", "advisories": [named], "techniques": []}
    (repository / "intel.json").write_text(json.dumps(known))
    monkeypatch.setenv("HOLDFAST_INTEL", str(repository / "intel.json"))
    assert run(["estate", "bom", "credit"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["package", "numpy", "2.4.6", "BSD-3-Clause"] in lines
    assert ["malware", "(MAL-2026-1)", "evil", "1.0", "unknown"] in lines
    assert run(["estate", "bom", "credit", "--format", "cyclonedx"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in document["vulnerabilities"]] == ["MAL-2026-1"]


def test_an_unknown_model_is_an_error(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estate", "bom", "nobody"]) != 0
    assert "HF-CFG-005" in capsys.readouterr().err

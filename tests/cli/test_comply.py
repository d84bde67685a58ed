"""The comply verb on a really audited model: status, attestation, pack, and verification far from the store."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def audited(first_audit: Path, tmp_path: Path) -> Path:
    """The repository as it is after its first audit, to change at will."""
    shutil.copytree(first_audit, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "holdfast.yaml").read_text()
    more = "    use: [credit]\n    people: {decides_on: true, personal_data: true, automated: false}\n"
    (tmp_path / "holdfast.yaml").write_text(text.replace("    artifact:", more + "    artifact:"))
    assert run(["estate", "register"]) == 0
    return tmp_path


def as_json(capsys: Capture, *args: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = run([*args, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def state(capsys: Capture, framework: str, ref: str) -> str:
    code, shown = as_json(capsys, "comply", "show", framework, ref)
    assert code == 0
    return str(shown["clause"]["state"])


def test_status_says_what_is_left_to_do(audited: Path, capsys: Capture) -> None:
    code, found = as_json(capsys, "comply", "status")
    assert code == 3
    assert found["schema_version"] == 1
    assert list(found)[:2] == ["schema_version", "as_of"]
    assert found["models"] == ["credit"]
    assert found["counts"]["satisfied"] > 5
    assert sum(found["counts"].values()) == sum(
        clause["under"] is not None for view in found["frameworks"] for clause in view["clauses"]
    )
    assert run(["comply", "status", "--framework", "gdpr"]) == 3
    told = capsys.readouterr().out
    assert "GDPR 32(1)(d)" in told
    assert "DORA" not in told
    assert run(["comply", "status", "--as-of", "2020-01-01T00:00:00Z"]) == 3


def test_show_names_every_piece_with_its_leaf(audited: Path, capsys: Capture) -> None:
    assert run(["comply", "show", "ISO-42001", "A.7.4"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("ISO-42001 A.7.4 Quality of data: satisfied")
    assert re.search(r"data\.contract: .* \(share, n=\d+\)", told)
    assert re.search(r"    \d{4}-\d\d-\d\dT\S+Z leaf \d+ sha256:", told)


def test_attested_packed_and_verified_elsewhere(
    audited: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert state(capsys, "GDPR", "35(1)") == "awaiting a person"
    (audited / "dpia.pdf").write_bytes(b"%PDF-1.7")
    attest = ["comply", "attest", "doc:dpia", "--by", "A. Jansen", "--statement", "DPIA 7", "--file", "dpia.pdf"]
    assert run([*attest, "--dry-run"]) == 0
    assert state(capsys, "GDPR", "35(1)") == "awaiting a person"
    code, kept = as_json(capsys, *attest)
    assert code == 0
    assert kept["leaves"]
    signoff = ["comply", "attest", "signoff:dpo", "--by", "D. P. O.", "--statement", "agreed", "--model", "credit"]
    assert run([*signoff, "--clause", "GDPR 35(1)"]) == 0
    assert state(capsys, "GDPR", "35(1)") == "satisfied"

    code, made = as_json(capsys, "comply", "pack", "--output", "evidence")
    assert code == 0
    assert made["proofs"] > 5
    assert run(["comply", "pack", "--output", "evidence"]) == 2
    assert "HF-CPL-011" in capsys.readouterr().err

    elsewhere = tmp_path_factory.mktemp("auditor")
    shutil.move(audited / "evidence", elsewhere / "evidence")
    shutil.copy(audited / ".holdfast" / "keys" / "holdfast.pub", elsewhere)
    shutil.rmtree(audited / ".holdfast")
    monkeypatch.chdir(elsewhere)
    code, found = as_json(capsys, "comply", "verify", "evidence", "--key", "holdfast.pub")
    assert (code, found["status"], found["posture"]) == (0, "ok", made["posture"])
    assert found["proofs"] == made["proofs"]
    page = (elsewhere / "evidence" / "pack.html").read_text(encoding="utf-8")
    assert f"<td>{kept['leaves'][0]}</td>" in page
    assert "A. Jansen: DPIA 7" in page
    data = bytearray((elsewhere / "evidence" / "pack.html").read_bytes())
    data[len(data) // 2] ^= 1
    (elsewhere / "evidence" / "pack.html").write_bytes(data)
    code, found = as_json(capsys, "comply", "verify", "evidence", "--key", "holdfast.pub")
    assert (code, found["problems"]) == (1, ["pack.html: was changed after it was signed"])


def test_a_dry_run_of_a_pack_writes_nothing(audited: Path, capsys: Capture) -> None:
    before = sorted(audited.iterdir())
    code, found = as_json(capsys, "comply", "pack", "--output", "evidence", "--dry-run")
    assert (code, found["written"]) == (0, False)
    assert sorted(audited.iterdir()) == before


def test_the_chain_and_the_clocks_of_a_quiet_bank(audited: Path, capsys: Capture) -> None:
    code, found = as_json(capsys, "comply", "chain")
    assert code == 0
    assert [link["model"] for link in found["links"]] == ["credit"]
    assert "GDPR 32(1)(d)" in found["links"][0]["clauses"]
    assert run(["comply", "clocks"]) == 0
    assert "no clock runs" in capsys.readouterr().out


def test_clocks_of_an_incident_that_is_not_on_record(capsys: Capture) -> None:
    given = ["comply", "clocks", "--aware-at", "2026-01-05T09:00:00Z", "--major-at", "2026-01-05T12:00:00Z"]
    code, found = as_json(capsys, *given, "--as-of", "2026-01-05T15:00:00Z")
    assert code == 0
    states = {one["clock"]: (one["state"], one["due_at"]) for one in found["clocks"]}
    assert states["dora-initial"] == ("running", "2026-01-05T16:00:00Z")
    assert states["gdpr-33"] == ("running", "2026-01-08T09:00:00Z")
    assert run([*given, "--as-of", "2026-01-05T17:00:00Z"]) == 1
    assert run([*given, "--as-of", "2026-01-05T17:00:00Z", "--done", "dora-initial=2026-01-05T13:00:00Z"]) == 0
    assert "DORA 19(4)(b)" in capsys.readouterr().out
    assert run([*given, "--done", "dora=2026-01-05T13:00:00Z"]) == 2


def test_classify_by_what_is_known(capsys: Capture) -> None:
    assert run(["comply", "classify", "--critical-service", "yes", "--malicious-access", "yes"]) == 1
    assert capsys.readouterr().out.startswith("major: ")
    assert run(["comply", "classify", "--critical-service", "no"]) == 0
    code, found = as_json(capsys, "comply", "classify", "--critical-service", "yes", "--clients", "120000")
    assert (code, found["major"]) == (3, None)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status", "--framework", "GPDR"], "HF-CPL-007"),
        (["status", "--model", "credi"], "HF-CPL-009"),
        (["show", "GDPR", "99"], "HF-CPL-008"),
        (["attest", "audit:all", "--by", "a", "--statement", "s"], "HF-CPL-010"),
    ],
)
def test_wrong_names_are_answered_with_what_to_do(audited: Path, capsys: Capture, words: list[str], code: str) -> None:
    capsys.readouterr()
    assert run(["comply", *words]) == 2
    told = capsys.readouterr().err
    assert code in told
    assert "Traceback" not in told

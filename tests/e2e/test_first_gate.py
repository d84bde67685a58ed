"""From a model of one's own to a signed verdict, as a user types it: real model, real sandbox, real ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bank

HOLDFAST = Path(sys.executable).parent / "holdfast"
READS_CONTRACT = {"data.contract", "evasion.search"}
MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: cards-ml@bank.example
    tier: high
    purpose: Decide limit increases.
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: y}
    lock: requirements.lock
    contract: contract.yaml
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def holdfast(folder: Path, *words: str) -> Ran:
    done = subprocess.run([HOLDFAST, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def results(folder: Path) -> dict[str, dict[str, Any]]:
    ran = holdfast(folder, "audit", "--format", "json")
    assert ran.code in (0, 1), ran.err
    return {row["check"]: row for row in ran.json["models"][0]["results"]}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repo")
    bank.train(bank.write(folder))
    # A lock of its own: the helper's line without a pin would leave the advisories unknown.
    (folder / "requirements.lock").write_text("numpy==2.4.6\nxgboost-cpu==3.2.0\n")
    (folder / "holdfast.yaml").write_text(MANIFEST)
    return folder


def test_audit_measures_and_the_second_one_runs_nothing(repo: Path) -> None:
    first = results(repo)
    assert set(first) == {
        "data.contract",
        "data.profile",
        "deps.advisories",
        "evasion.search",
        "quality.performance",
        "scan.artifact",
        "scan.signature",
        "training.attestation",
    }
    assert {row["status"] for row in first.values()} == {"measured"}
    assert not any(row["cached"] for row in first.values())
    second = results(repo)
    assert all(row["cached"] for row in second.values())
    assert {c: r["measurements"] for c, r in second.items()} == {c: r["measurements"] for c, r in first.items()}
    assert {c: r["observation_key"] for c, r in second.items()} == {c: r["observation_key"] for c, r in first.items()}


def test_the_measured_figures_are_plausible(repo: Path) -> None:
    numbers = {
        (m["name"], m["at"].get("linf")): m["value"] for row in results(repo).values() for m in row["measurements"]
    }
    assert numbers["quality.auc", None] > 0.9
    recall = numbers["evasion.recall", None]
    boxes = [numbers["evasion.robust_recall", box] for box in (0.002, 0.005, 0.01, 0.02, 0.05)]
    assert boxes == sorted(boxes, reverse=True)
    assert recall >= boxes[0] >= boxes[-1] >= 0
    assert numbers["evasion.success_share", None] > 0


def test_a_comment_re_runs_nothing_and_a_relation_exactly_what_reads_it(repo: Path) -> None:
    results(repo)
    contract = repo / "contract.yaml"
    before = contract.read_text()
    contract.write_text("# reviewed by the model owner\n" + before)
    assert all(row["cached"] for row in results(repo).values())
    contract.write_text(before.replace("<= 2000", "<= 1500"))
    assert {check for check, row in results(repo).items() if not row["cached"]} == READS_CONTRACT
    contract.write_text(before)
    assert all(row["cached"] for row in results(repo).values())


def test_gate_judges_signs_and_verifies(repo: Path) -> None:
    policy = repo / "lenient.yaml"
    policy.write_text(
        "version: 1\nid: lenient\nunknown_blocks: [high, critical]\nrequired: {any: [scan.artifact]}\n"
        "rules:\n  - {id: artifact-clean, on: fact, kind: scan.verdict, deny: [blocked], unknown: [unknown, review],"
        " allow: [clean]}\ncases:\n  - {rule: artifact-clean, given: {scan.verdict: blocked}, expect: failed}\n"
        "  - {rule: artifact-clean, given: {scan.verdict: clean}, expect: passed}\n"
    )
    ran = holdfast(repo, "gate", "--policy", "lenient.yaml", "--attest", "verdict.json", "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.json["verdict"] == "passed"
    key = ".holdfast/keys/holdfast.pub"
    assert holdfast(repo, "gate", "verify", "verdict.json", "model.ubj", "--key", key).code == 0
    altered = repo / "altered.ubj"
    altered.write_bytes((repo / "model.ubj").read_bytes()[:-1] + b"\0")
    assert holdfast(repo, "gate", "verify", "verdict.json", "altered.ubj", "--key", key).code == 1


def test_a_gate_leaves_a_page_with_plots_and_files_without_colour(repo: Path) -> None:
    forms = ["--format", "html=gate.html", "--format", "text=gate.txt"]
    ran = holdfast(repo, "gate", "--color", "always", *forms)
    assert ran.out == ""
    page = (repo / "gate.html").read_text()
    assert page.count("<svg") == 1
    assert "Caught cases that stay caught: limits" in page
    assert "<td>evasion.robust_recall</td>" in page
    assert "prefers-color-scheme:dark" in page
    assert "<script" not in page
    assert "\x1b" not in (repo / "gate.txt").read_text()


def test_the_ratchet_holds_a_worse_version_back(repo: Path, tmp_path: Path) -> None:
    saved = holdfast(repo, "gate", "--save-baseline", str(tmp_path / "baseline.json"), "--format", "json")
    assert "no baseline" in saved.out
    held = holdfast(repo, "gate", "--baseline", str(tmp_path / "baseline.json"), "--format", "json")
    assert "no baseline" not in held.out
    assert "ratchet" not in {reason["rule"].split(":")[0] for reason in held.json["models"][0]["reasons"]}
    parts = bank.write(tmp_path)
    bank.train(parts, rounds=1)
    (tmp_path / "requirements.lock").write_text((repo / "requirements.lock").read_text())
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    worse = holdfast(tmp_path, "gate", "--baseline", "baseline.json", "--format", "json")
    assert worse.code == 1
    assert "ratchet:quality.auc" in {reason["rule"] for reason in worse.json["models"][0]["reasons"]}


def test_the_ledger_holds_what_happened_and_shows_tampering(repo: Path, tmp_path: Path) -> None:
    results(repo)
    key = str(repo / ".holdfast/keys/holdfast.pub")
    assert holdfast(repo, "ledger", "export", str(tmp_path / "ledger")).code == 0
    verify = ["ledger", "verify", str(tmp_path / "ledger"), "--key", key]
    assert holdfast(repo, *verify).code == 0
    tile = next(path for path in sorted((tmp_path / "ledger" / "tile").rglob("*")) if path.is_file())
    data = bytearray(tile.read_bytes())
    data[len(data) // 2] ^= 1
    tile.chmod(0o644)
    tile.write_bytes(bytes(data))
    assert holdfast(repo, *verify).code == 1


def test_init_in_a_fresh_repo_leads_to_a_gate(repo: Path, tmp_path: Path) -> None:
    for name in ("model.ubj", "train.parquet", "test.parquet"):
        (tmp_path / name).write_bytes((repo / name).read_bytes())
    words = ["--data", "train.parquet", "--test", "test.parquet", "--model", "model.ubj", "--label", "y"]
    made = holdfast(tmp_path, "estate", "init", *words)
    assert made.code == 0, made.err
    contract = (tmp_path / "contract.yaml").read_text()
    assert "review: inferred" in contract
    assert "spent" in contract
    again = holdfast(tmp_path, "estate", "init", *words)
    assert (again.code, "HF-CFG-009" in again.err) == (2, True)
    gate = holdfast(tmp_path, "gate", "--format", "json")
    assert gate.code in (0, 1)
    assert gate.json["models"][0]["model"] == "model"


@pytest.mark.parametrize(
    ("edit", "code", "says"),
    [
        (("owner:", "ownr:"), 2, "did you mean 'owner'?"),
        (("tier: high", "tier: 7"), 2, "HF-CFG-002"),
        (("label: y", "label: yy"), 2, "HF-DAT-020"),
        (("train: train.parquet", "train: gone.parquet"), 2, "HF-CFG-006"),
        (("train: train.parquet", "train: holdfast.yaml"), 2, "HF-DAT"),
        (("contract: contract.yaml", "contract: train.parquet"), 2, "HF-CON-004"),
        (("purpose: Decide", "purpose: \udcff"), 2, "HF-CFG-004"),
    ],
)
def test_wrong_input_is_answered_with_cause_fix_and_code(
    repo: Path, tmp_path: Path, edit: tuple[str, str], code: int, says: str
) -> None:
    for name in ("model.ubj", "train.parquet", "test.parquet", "contract.yaml", "requirements.lock"):
        (tmp_path / name).write_bytes((repo / name).read_bytes())
    (tmp_path / "holdfast.yaml").write_bytes(MANIFEST.replace(*edit).encode("utf-8", "surrogateescape"))
    ran = holdfast(tmp_path, "audit")
    assert (ran.code, ran.err.count("error[")) == (code, 1), ran.err
    assert says in ran.err
    assert "cause:" in ran.err
    assert "fix:" in ran.err


def test_a_truncated_model_is_unknown_and_is_never_loaded(repo: Path, tmp_path: Path) -> None:
    for name in ("train.parquet", "test.parquet", "contract.yaml", "requirements.lock"):
        (tmp_path / name).write_bytes((repo / name).read_bytes())
    whole = (repo / "model.ubj").read_bytes()
    (tmp_path / "model.ubj").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    ran = holdfast(tmp_path, "audit", "--format", "json")
    assert ran.code == 3, ran.err
    rows = {row["check"]: row for row in ran.json["models"][0]["results"]}
    assert "not run" in rows["quality.performance"]["reason"]
    assert holdfast(tmp_path, "gate").code == 3

"""`holdfast scan` by a policy's additions and by a signed list, and how each report tells of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from holdfast.cli.main import run
from holdfast.core.sign import SigningKey
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.allowlist.header import as_bytes, sealed
from holdfast.scan.allowlist.signed import sign_list

OURS = b"\x80\x02cacme.models\nScorer\n)\x81."
POLICY = """\
version: 1
id: ours
required: {any: [scan.artifact]}
names:
  - name: acme.models.Scorer
    mode: n
    reason: our own scorer
    who: R. Meyer
    since: 2020-01-01
    until: 2020-12-31
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.pkl").write_bytes(OURS)
    today = datetime.now(tz=UTC).date()
    lasting = POLICY.replace("2020-01-01", today.isoformat()).replace(
        "2020-12-31", date.fromordinal(today.toordinal() + 300).isoformat()
    )
    (tmp_path / "policy.yaml").write_text(lasting)
    (tmp_path / "old.yaml").write_text(POLICY)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    assert run(["scan", "ours.pkl", *words]) == code
    return capsys.readouterr().out


def test_a_policys_additions_count_and_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown  ours.pkl" in told(capsys, 3)
    text = told(capsys, 0, "--policy", "policy.yaml")
    assert "clean  ours.pkl" in text
    assert "scan.addition: acme.models.Scorer (mode n until" in text
    assert "R. Meyer: our own scorer" in text
    assert "with 1 name added" in text


def test_an_addition_whose_time_is_over_counts_for_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, 3, "--policy", "old.yaml").split("\n\n")[0] == told(capsys, 3).split("\n\n")[0]


@pytest.mark.parametrize("form", ["text", "markdown", "json", "sarif", "junit", "html"])
def test_no_form_is_silent_about_an_addition(folder: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    out = told(capsys, 0, "--policy", "policy.yaml", "--format", form)
    assert "acme.models.Scorer" in out
    (folder / "ours.pkl").write_bytes(b"\x80\x02K\x01.")
    used = json.loads(told(capsys, 0, "--policy", "policy.yaml", "--format", "json"))
    assert (used["names"]["added"], used["files"][0]["facts"]) == (["acme.models.Scorer"], [])


def test_json_says_by_which_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = json.loads(told(capsys, 3, "--format", "json"))["names"]
    builtin = Allowlist.builtin()
    assert names == {"version": builtin.version, "dated": builtin.header.dated.isoformat(), "added": []}


def test_what_may_not_be_added_ends_the_scan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yaml").write_text(POLICY.replace("acme.models.Scorer", "fabric.Connection"))
    assert run(["scan", "ours.pkl", "--policy", "bad.yaml"]) == 2
    assert "HF-POL-011" in capsys.readouterr().err


def signed(folder: Path, key: SigningKey) -> None:
    document = {
        "schema": 2,
        "header": {"generator": 1, "python": "3.11", "generations": []},
        "covered": ["acme"],
        "standard": [],
        "aliases": [],
        "names": {"acme.models": {"n": "Scorer"}},
    }
    (folder / "names.json").write_bytes(sign_list(as_bytes(sealed(document, date(2099, 1, 1))), key))


def test_a_list_counts_where_its_key_is_trusted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signed(folder, key)
    key.public.save(folder / "key.pub")
    other.public.save(folder / "other.pub")
    assert "1 clean" in told(capsys, 0, "--names", "names.json", "--key", "key.pub")
    assert run(["scan", "ours.pkl", "--names", "names.json", "--key", "other.pub"]) == 1
    assert "HF-SIG-007" in capsys.readouterr().err
    assert run(["scan", "ours.pkl", "--names", "names.json"]) == 1
    assert "HF-SCN-005" in capsys.readouterr().err
    trusted = folder / ".holdfast" / "keys" / "trusted"
    trusted.mkdir(parents=True)
    key.public.save(trusted / "names.pub")
    monkeypatch.setenv("HOLDFAST_HOME", str(folder / ".holdfast"))
    assert "1 clean" in told(capsys, 0, "--names", "names.json")
    monkeypatch.setenv("HOLDFAST_NAMES", "names.json")
    assert "1 clean" in told(capsys, 0)

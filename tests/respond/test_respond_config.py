"""respond.yaml: strict, with the place of every fault; without it, nothing is enforced and nobody told."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.domain.intelligence import Tlp
from holdfast.core.errors import ConfigError, UsageError
from holdfast.respond.config import RespondSettings, load_response
from holdfast.respond.interface import SINKS
from holdfast.respond.schema import Mode

GOOD = """\
version: 1
id: own
mode: enforce
on: {technique: [AML.T0015], severity: ">= medium"}
steps:
  - {do: throttle, on: client, for: 6h, ceiling: warn, body: {per_minute: 30}}
  - {do: block, on: client, for: 2h, ceiling: block-new, tiers: [critical, high]}
  - {notify: [siem]}
  - {incident: open, tiers: [critical]}
cases:
  - {given: {technique: AML.T0015, severity: high, tier: critical}, expect: [throttle, block, notify, incident]}
  - {given: {technique: AML.T0015, severity: low, tier: critical}, expect: []}
"""
FILE = """\
version: 1
mode: enforce
playbooks: {builtin: [drift], folder: own}
sinks:
  - {name: siem, kind: ocsf-file, tlp: amber, path: out/findings.ndjson}
  - {name: soc, kind: syslog, tlp: green, hears: named, host: 127.0.0.1, port: 6514}
  - {name: hook, kind: webhook, tlp: red, url: "https://soc.bank.example/in", secret_env: HOOK_SECRET}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.yaml").write_text(GOOD)
    (tmp_path / "respond.yaml").write_text(FILE)
    return tmp_path


def test_without_a_file_the_built_in_playbooks_observe(tmp_path: Path) -> None:
    response = load_response(tmp_path)
    assert response.mode is Mode.OBSERVE
    assert [item.id for item in response.playbooks] == ["contract", "drift", "evasion", "extraction"]
    assert response.outlets == ()


def test_the_file_says_who_is_told_what(folder: Path) -> None:
    response = load_response(folder)
    assert response.mode is Mode.ENFORCE
    assert [item.id for item in response.playbooks] == ["drift", "own"]
    assert response.sinks == ("siem", "soc", "hook")
    assert response.hear_everything == {"siem", "hook"}
    assert [item.tlp for item in response.outlets] == [Tlp.AMBER, Tlp.GREEN, Tlp.RED]
    assert response.outlet("siem").sink.path == folder / "out" / "findings.ndjson"  # type: ignore[attr-defined]


def test_the_environment_goes_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOLDFAST_RESPOND_MODE", "observe")
    monkeypatch.setenv("HOLDFAST_RESPOND_CONFIG", str(folder / "respond.yaml"))
    assert load_response(tmp_path / "elsewhere").mode is Mode.OBSERVE
    assert RespondSettings().config == folder / "respond.yaml"
    monkeypatch.setenv("HOLDFAST_RESPOND_MODE", "attack")
    with pytest.raises(ConfigError) as caught:
        load_response(folder)
    assert caught.value.code == "HF-CFG-020"


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_RESPOND_CONFIG", str(tmp_path / "missing.yaml"))
    with pytest.raises(ConfigError) as caught:
        load_response(tmp_path)
    assert caught.value.code == "HF-RSP-003"


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("mode: enforce", "mod: enforce", "HF-RSP-001", "respond.yaml:2"),
        ("mode: enforce", "mode: kill", "HF-RSP-002", "observe, enforce"),
        ("tlp: amber, path", "path", "HF-RSP-002", "tlp"),
        ("tlp: amber", "tlp: purple", "HF-RSP-002", "amber+strict"),
        ("kind: syslog", "kind: syslogg", "HF-RSP-002", "did you mean 'syslog'"),
        ("port: 6514", "prt: 6514", "HF-RSP-001", "did you mean 'port'"),
        ("port: 6514", "port: 0", "HF-RSP-002", "respond.yaml:6"),
        ("name: soc", "name: siem", "HF-RSP-002", "two sinks"),
        ("name: soc", "name: two words", "HF-RSP-002", "pattern"),
        ("secret_env: HOOK_SECRET", "secret: abc", "HF-RSP-001", "secret_env"),
        ("https://soc", "http://soc", "HF-RSP-002", "plain_http"),
        ("builtin: [drift]", "builtin: [drift, evasio]", "HF-RSP-010", "did you mean 'evasion'"),
        ("folder: own", "folder: other", "HF-RSP-003", "other"),
        ("name: siem", "name: siems", "HF-RSP-010", "did you mean 'siems'"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_reason(folder: Path, old: str, new: str, code: str, says: str) -> None:
    assert old in FILE
    (folder / "respond.yaml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_response(folder)
    found = caught.value
    assert found.code == code
    assert says in f"{found.message} {found.cause} {found.fix}"


def test_an_unknown_sink_is_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_response(folder).outlet("sien")
    assert (caught.value.code, "siem" in caught.value.fix) == ("HF-RSP-011", True)


def test_the_kinds_that_ship() -> None:
    assert [name for name, _ in SINKS] == ["ocsf-file", "syslog", "webhook"]


def test_a_sinks_secret_is_in_no_configuration(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "hush")
    assert "hush" not in repr(load_response(folder))

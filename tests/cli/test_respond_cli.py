"""`holdfast respond` from alert to approval, undo and delivery, as typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerted import Scene
from holdfast.cli.main import run
from holdfast.core.domain import Tier, system_clock
from holdfast.core.domain.alert import Alert
from holdfast.respond.config import load_response
from receivers import HttpReceiver

MANIFEST = """\
version: 1
models:
  - name: card-fraud
    unit: cards
    region: eu
    owner: cards@bank.example
    tier: critical
    purpose: Stop stolen cards.
    artifact: model.ubj
"""
RESPOND = """\
version: 1
mode: enforce
playbooks: {builtin: [], folder: own}
sinks:
  - {name: hook, kind: webhook, tlp: amber, url: "http://127.0.0.1:%d/", secret_env: HOOK_SECRET, plain_http: true}
  - {name: siem, kind: ocsf-file, tlp: amber, path: findings.ndjson}
"""
OWN = """\
version: 1
id: own
mode: enforce
on: {technique: [AML.T0015]}
steps:
  - {do: coarsen, on: client, for: 6h, ceiling: warn, body: {digits: 1}}
  - {do: block, on: client, for: 2h, ceiling: block-new}
  - {notify: all}
caps: {enforced: 10, clients_share: 1}
cases:
  - {given: {technique: AML.T0015, severity: high, tier: high}, expect: [coarsen, block, notify]}
  - {given: {technique: AML.T0031, severity: high, tier: high}, expect: []}
"""


class Desk:
    """Commands, and what they said."""

    def __init__(self, scene: Scene, receiver: HttpReceiver, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene, self.receiver, self._capsys = scene, receiver, capsys

    def __call__(self, *words: str, code: int = 0) -> str:
        self._capsys.readouterr()
        assert run(["respond", *words]) == code
        told = self._capsys.readouterr()
        return told.out if code != 2 and code != 4 else told.err

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*words, "--format", "json", code=code))
        assert list(found)[:2] == ["schema_version", "as_of"]
        return found

    def alert(self, **more: Any) -> Alert:
        alert = self.scene.alert(**more)
        self.scene.settle()
        return alert


@pytest.fixture
def desk(workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("HOOK_SECRET", "a plain secret")
    (workplace / "own").mkdir()
    (workplace / "own" / "own.yaml").write_text(OWN)
    (workplace / "holdfast.yaml").write_text(MANIFEST)
    (workplace / "model.ubj").write_bytes(b"{")
    with HttpReceiver() as receiver:
        (workplace / "respond.yaml").write_text(RESPOND % receiver.port)
        scene = Scene(workplace / ".holdfast", start=system_clock())
        scene.response = load_response(workplace)
        scene.judge(scene.model(tier=Tier.CRITICAL))
        yield Desk(scene, receiver, capsys)
        scene.store.close()


def test_from_alert_to_approval_and_undo(desk: Desk) -> None:
    desk.alert()
    [row] = desk.json("runs")["runs"]
    assert (row["state"], row["missing"], row["playbook"]) == ("pending", 2, "own")
    assert "pending, 2 missing" in desk("runs")
    assert "noted" in desk("directives", "--model", "card-fraud")
    said = desk.json("approve", row["id"], "--by", "ana@bank.example")
    assert (said["dry_run"], said["run"]["missing"]) == (False, 1)
    assert "HF-RSP-009" in desk("approve", row["id"], "--by", "ANA@bank.example", code=4)
    desk("approve", row["id"], "--by", "ben@bank.example")
    enforced = {item["action"]: item["enforce"] for item in desk.json("directives")["directives"]}
    assert enforced == {"coarsen": True, "block": True}
    rehearsed = desk.json("undo", row["id"], "--by", "ana@bank.example", "--reason", "a test", "--dry-run")
    assert (rehearsed["dry_run"], rehearsed["run"]["state"]) == (True, "undone")
    assert desk.json("directives")["directives"] != []
    desk("undo", row["id"], "--by", "ana@bank.example", "--reason", "a test")
    assert desk.json("directives")["directives"] == []
    leaves = desk.json("runs")["runs"][0]["leaves"]
    assert [kind for kind, _ in leaves] == ["playbook.run", "playbook.approved", "playbook.approved", "playbook.undone"]
    assert all(leaf is not None for _, leaf in leaves)


def test_what_is_ordered_by_hand_is_lifted_by_hand(desk: Desk) -> None:
    order = ("order", "throttle", "--model", "card-fraud", "--client", "c7", "--per-minute", "10", "--until", "6h")
    assert "would be ordered" in desk(*order, "--by", "ana", "--enforce", "--dry-run")
    assert desk.json("directives")["directives"] == []
    desk(*order, "--by", "ana", "--enforce")
    [item] = desk.json("directives")["directives"]
    assert (item["client"], item["enforce"], item["body"]) == ("c7", True, {"per_minute": 10, "enforce": True})
    desk("lift", "throttle", "--model", "card-fraud", "--client", "c7", "--by", "ben")
    assert desk.json("directives")["directives"] == []
    assert "HF-RSP-016" in desk("lift", "throttle", "--model", "card-fraud", "--by", "ben", code=2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("order", "throttle", "--model", "card-fraud", "--until", "6h", "--by", "ana"), "HF-RSP-015"),
        (("order", "block", "--model", "nobody", "--until", "6h", "--by", "ana"), "HF-RSP-015"),
        (("order", "block", "--model", "card-fraud", "--until", "soon", "--by", "ana"), "HF-USE-001"),
        (("order", "explode", "--model", "card-fraud", "--until", "6h", "--by", "ana"), "HF-USE-001"),
        (("order", "block", "--model", "card-fraud", "--until", "6h", "--by", "two words"), "HF-RSP-012"),
        (("approve", "run_0", "--by", "ana"), "HF-RSP-007"),
        (("undo", "run_0", "--by", "ana", "--reason", "x"), "HF-RSP-007"),
        (("classify", "inc_0", "--as", "major", "--by", "ana"), "HF-RSP-007"),
        (("sinks", "--test", "siemm"), "HF-RSP-011"),
        (("playbooks", "try", "alr_0"), "HF-RSP-007"),
        (("playbooks", "check", "missing.yaml"), "HF-RSP-003"),
    ],
)
def test_what_cannot_be_is_said_in_words(desk: Desk, words: tuple[str, ...], code: str) -> None:
    told = desk(*words, code=2)
    assert f"error[{code}]" in told
    assert "Traceback" not in told


def test_notices_are_delivered_and_sinks_show_how_they_fare(desk: Desk, workplace: Path) -> None:
    alert = desk.alert()
    waiting = desk.json("deliver", "--dry-run")
    assert (waiting["delivered"], waiting["waiting"]) == (0, 4)
    done = desk.json("deliver")
    assert (done["delivered"], done["waiting"]) == (4, 0)
    assert [item["kind"] for item in desk.receiver.bodies] == ["alert", "run"]
    assert desk.receiver.bodies[0]["body"]["alert"] == alert.id
    lines = (workplace / "findings.ndjson").read_text().splitlines()
    assert [json.loads(line)["metadata"]["uid"] for line in lines] == desk.receiver.ids
    assert {item["name"]: item["state"] for item in desk.json("sinks")["sinks"]} == {"hook": "ok", "siem": "ok"}
    desk.receiver.status = 500
    desk.alert()
    assert desk.json("deliver", code=3)["failed"] == 1
    assert "failing" in desk("sinks")
    desk.receiver.status = 204
    assert desk.json("deliver")["waiting"] == 2
    assert desk.json("deliver", "--retry")["waiting"] == 0


def test_a_sink_can_be_tried(desk: Desk) -> None:
    assert "took a test notice" in desk("sinks", "--test", "hook")
    desk.receiver.status = 403
    assert "HF-RSP-013" in desk("sinks", "--test", "hook", code=2)


def test_incidents_are_classified_and_closed(desk: Desk) -> None:
    desk.alert()
    [incident] = desk.json("incidents")["incidents"]
    assert (incident["state"], incident["classified_at"]) == ("open", None)
    desk("classify", incident["id"], "--as", "major", "--by", "ana")
    assert "major" in desk("incidents")
    closed = desk.json("close", incident["id"], "--by", "ana", "--reason", "restored")
    assert closed["incident"]["state"] == "closed"
    assert "HF-RSP-017" in desk("close", incident["id"], "--by", "ana", "--reason", "again", code=2)


def test_playbooks_are_listed_checked_and_tried(desk: Desk, workplace: Path) -> None:
    assert "this installation: enforce" in desk("playbooks")
    [own] = desk.json("playbooks", "list")["playbooks"]
    assert (own["id"], own["cases"], own["steps"][0]["for"]) == ("own", 2, "6h")
    assert "passes its 2 cases" in desk("playbooks", "check", "own/own.yaml")
    (workplace / "wrong.yaml").write_text(OWN.replace("expect: []", "expect: [block]"))
    assert "HF-RSP-005" in desk("playbooks", "check", "wrong.yaml", code=2)
    desk.scene.response = replace(desk.scene.response, playbooks=())
    alert = desk.alert()
    [planned] = desk.json("playbooks", "try", alert.id)["runs"]
    assert planned["steps"] == ["coarsen", "block", "notify"]
    assert "waits for 2" in desk("playbooks", "try", alert.id, "--enforce")
    assert desk.json("runs")["runs"] == []


def test_the_environment_can_hold_an_installation_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_RESPOND_MODE", "observe")
    assert desk.json("playbooks", "list")["mode"] == "observe"

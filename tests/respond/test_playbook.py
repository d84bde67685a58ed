"""Playbooks are read strictly and tried on their own cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.errors import ConfigError
from holdfast.respond.playbook import BUILTIN, Playbook, builtin_playbooks, named_once, playbooks_in
from holdfast.respond.schema import GRAVE, DirectiveStep, Mode

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


def fault(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Playbook.parse(text, "own.yaml")
    return caught.value


@pytest.mark.parametrize("name", BUILTIN)
def test_built_in_playbooks_pass_their_cases_and_observe(name: str) -> None:
    playbook = Playbook.builtin(name)
    assert playbook.id == name
    assert playbook.mode is Mode.OBSERVE
    assert playbook.file.description


def test_built_in_playbooks_answer_attacks_silently() -> None:
    """A refusal tells an adaptive attacker what one query found out; only broken rows and drift may wait for one."""
    for name in ("evasion", "extraction"):
        steps = [step for step in Playbook.builtin(name).steps if isinstance(step, DirectiveStep)]
        assert {step.do for step in steps} & GRAVE == set()


def test_a_playbook_is_what_it_says() -> None:
    playbook = Playbook.parse(GOOD, "own.yaml")
    assert [step.word for step in playbook.steps] == ["throttle", "block", "notify", "incident"]
    assert playbook.sinks == {"siem"}
    assert playbook.caps.enforced == 20


def test_the_digest_is_of_the_meaning() -> None:
    one = Playbook.parse(GOOD, "a").digest
    assert (
        Playbook.parse("# said otherwise\n" + GOOD.replace("[critical, high]", "[high, critical]"), "b").digest == one
    )
    assert Playbook.parse(GOOD.replace("per_minute: 30", "per_minute: 31"), "c").digest != one
    assert Playbook.parse(GOOD.replace("6h", "7h"), "c").digest != one


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        ("per_minute: 30", "per_minut: 30", "HF-RSP-002", "per_minute"),
        ("body: {per_minute: 30}", "body: {per_minute: -1}", "HF-RSP-002", "from 0"),
        ("body: {per_minute: 30}", "body: {per_minute: 1.5}", "HF-RSP-002", "whole number"),
        ("for: 6h", "for: 91d", "HF-RSP-002", "90d"),
        ("for: 6h", "for: soon", "HF-RSP-002", "span"),
        ("ceiling: warn, body", "ceiling: observe, mode: enforce, body", "HF-RSP-002", "ceiling warn"),
        ("do: block", "do: blok", "HF-RSP-002", "block"),
        ("on: client, for: 2h", "on: person, for: 2h", "HF-RSP-002", "client"),
        ("  - {notify: [siem]}", "  - {tell: [siem]}", "HF-RSP-002", "do:"),
        ("mode: enforce", "mod: enforce", "HF-RSP-001", "mode"),
        ('severity: ">= medium"}', 'severity: ">= medium", tier: high}', "HF-RSP-001", "tiers"),
        ("id: own", "id: by-hand", "HF-RSP-002", "by-hand"),
        ('on: {technique: [AML.T0015], severity: ">= medium"}', "on: {}", "HF-RSP-002", "every alert"),
        ("AML.T0015]", "T1059]", "HF-RSP-002", "pattern"),
        ("expect: []", "expect: [notify]", "HF-RSP-005", "gets nothing"),
        ("expect: [throttle, block, notify, incident]", "expect: [throttle]", "HF-RSP-005", "gets throttle, block"),
        ("version: 1", "version: &a 1", "HF-RSP-004", "anchors"),
        ("id: own", "id: own\nid: own", "HF-RSP-004", "twice"),
    ],
)
def test_a_wrong_playbook_is_refused_with_place_and_reason(old: str, new: str, code: str, says: str) -> None:
    assert old in GOOD
    found = fault(GOOD.replace(old, new, 1))
    assert found.code == code
    assert says in f"{found.message} {found.cause} {found.fix}"
    assert "own.yaml" in found.message


def test_a_playbook_must_be_shown_to_stay_quiet() -> None:
    found = fault(GOOD[: GOOD.rindex("  - {given")])
    assert (found.code, "stays quiet" in found.message) == ("HF-RSP-006", True)


def test_every_step_must_be_shown_to_be_taken() -> None:
    found = fault(
        GOOD.replace(
            "tier: critical}, expect: [throttle, block, notify, incident]", "tier: medium}, expect: [throttle, notify]"
        )
    )
    assert (found.code, "'block'" in found.message) == ("HF-RSP-006", True)


def test_own_playbooks_come_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    (tmp_path / "notes.txt").write_text("no playbook")
    assert [item.id for item in playbooks_in(tmp_path)] == ["own"]
    with pytest.raises(ConfigError) as caught:
        playbooks_in(tmp_path / "missing")
    assert caught.value.code == "HF-RSP-003"


def test_two_playbooks_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        named_once((*builtin_playbooks(), Playbook.builtin("drift")))
    assert caught.value.code == "HF-RSP-014"


def test_there_are_no_other_built_in_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        Playbook.builtin("evasive")
    assert caught.value.code == "HF-RSP-010"
    assert "evasion" in caught.value.fix

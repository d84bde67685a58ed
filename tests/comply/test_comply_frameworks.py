"""The frameworks inside: what they must hold, and what a strict reader refuses, with file and line."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest
import yaml

from holdfast.audit.interface import CHECKS
from holdfast.comply.applies import Rule
from holdfast.comply.catalogue import Framework, ModelCase, PeopleCase, builtin, select
from holdfast.comply.clocks import CLOCKS
from holdfast.comply.evidence.kinds import kind_of, kinds
from holdfast.core.domain.control import Level
from holdfast.core.errors import ConfigError

FILES = sorted(item.name for item in (resources.files("holdfast.comply") / "frameworks").iterdir())


def text_of(name: str) -> str:
    return (resources.files("holdfast.comply") / "frameworks" / name).read_text("utf-8")


def test_there_are_six_frameworks_and_enough_clauses() -> None:
    assert set(builtin()) == {"GDPR", "EU-AI-ACT", "DORA", "SR-26-2", "NYDFS-500", "ISO-42001"}
    assert sum(len(one.clauses) for one in builtin().values()) >= 30
    assert {clause.level for one in builtin().values() for clause in one.clauses.values()} == set(Level)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_whole(name: str) -> None:
    framework = Framework.parse(text_of(name), name)
    for ref, clause in framework.clauses.items():
        assert clause.ref == ref
        assert Rule.parse(clause.applies).on(framework.file.cases[0].model.facts()).why
        people = [kind_of(query).person for query in clause.evidence]
        assert any(people) is (clause.level is not Level.AUTO)
        assert all(people) or clause.level is not Level.HUMAN
        assert len(set(clause.evidence)) == len(clause.evidence)
        assert clause.since is not None
        assert clause.since_status
    assert {case.applies for case in framework.file.cases} == {True, False}


def test_every_audit_theme_is_that_of_a_check() -> None:
    checks = [name for name, _ in CHECKS]
    themes = {
        query.partition(":")[2]
        for one in builtin().values()
        for clause in one.clauses.values()
        for query in clause.evidence
        if query.startswith("audit:")
    }
    for theme in themes - {"all"}:
        assert any(check == theme or check.startswith(f"{theme}.") for check in checks), theme


def test_every_clock_names_a_clause_and_a_regime_that_clauses_ask_for() -> None:
    asked = {query for one in builtin().values() for clause in one.clauses.values() for query in clause.evidence}
    assert {f"incident:{clock.regime}" for clock in CLOCKS} <= asked
    assert {clock.clause.split(" ")[0] for clock in CLOCKS} <= set(builtin())


def test_the_predecessor_of_sr_26_2_is_named_and_binds_until_it_ended() -> None:
    framework = builtin()["SR-26-2"]
    clause = framework.clause("inventory")
    assert clause.since is not None
    assert framework.binds(clause, clause.since) == "SR-26-2"
    assert framework.binds(clause, clause.since.replace(month=1)) == "SR 11-7"
    assert framework.binds(clause, clause.since.replace(year=2010)) is None


def test_annex_iii_dates_are_data_with_their_own_doubt() -> None:
    dates = builtin()["EU-AI-ACT"].file.dates
    assert str(dates["annex-iii"].on) == "2027-12-02"
    assert dates["annex-iii"].verified == "not verified"


def test_fraud_is_outside_and_credit_inside_annex_iii() -> None:
    rule = builtin()["EU-AI-ACT"].rules["15(5)"]
    people = PeopleCase(decides_on=True, personal_data=True, automated=True)
    said = {
        use: rule.on(ModelCase(region="eu", use=(use,), people=people).facts()).applies
        for use in ("credit", "fraud", "aml", "marketing")
    }
    assert said == {"credit": True, "fraud": False, "aml": False, "marketing": False}


@pytest.mark.shared
def test_no_text_is_that_of_the_reference_catalogue(shared: Path) -> None:
    theirs = yaml.safe_load((shared / "data" / "compliance_catalogue.yaml").read_text("utf-8"))
    texts = {
        " ".join(re.findall(r"\w+", clause["text"].lower()))
        for framework in theirs["frameworks"].values()
        for clause in framework["clauses"]
    }
    for one in builtin().values():
        for clause in one.clauses.values():
            assert " ".join(re.findall(r"\w+", clause.text.lower())) not in texts, clause.id


GOOD = """\
version: 1
id: HOUSE
title: Rules of the house
source: The house
status: In force since ever.
verified: knowledge
note: An example of a framework.
dates:
  ever: {on: 2020-01-01, status: in force, verified: knowledge}
clauses:
  - ref: "1"
    title: The first
    level: auto
    fresh: 30d
    applies: region in [eu]
    since: ever
    checked: knowledge
    evidence: ["gate:verdict"]
    text: Nothing goes out that did not pass.
cases:
  - {clause: "1", model: {region: eu}, applies: true}
  - {clause: "1", model: {region: us}, applies: false}
"""


def test_the_example_is_read() -> None:
    assert Framework.parse(GOOD, "house.yaml").clause("1").id == "HOUSE 1"


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("level: auto", "level: sometimes", "HF-CPL-002", 13),
        ("level: auto", "levle: auto", "HF-CPL-001", 13),
        ("fresh: 30d", "fresh: soon", "HF-CPL-002", 14),
        ("applies: region in [eu]", "applies: regoin in [eu]", "HF-CPL-002", 15),
        ("since: ever", "since: never", "HF-CPL-002", 16),
        ('["gate:verdict"]', '["gate:verdikt"]', "HF-CPL-002", 18),
        ('["gate:verdict"]', '["oracle:delphi"]', "HF-CPL-002", 18),
        ('["gate:verdict"]', '["signoff:board"]', "HF-CPL-002", 11),
        ("level: auto", "level: human", "HF-CPL-002", 11),
        ("level: auto", "level: assisted", "HF-CPL-002", 11),
        ("region: us}, applies: false", "region: us}, applies: true", "HF-CPL-005", 22),
        ('{clause: "1", model: {region: us}', '{clause: "2", model: {region: us}', "HF-CPL-005", 22),
        ("model: {region: us}, applies: false", "model: {region: eu}, applies: true", "HF-CPL-006", 15),
        ("dates:", "dates: &a", "HF-CPL-004", None),
    ],
)
def test_a_wrong_file_is_answered_with_its_line(old: str, new: str, code: str, line: int | None) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as fault:
        Framework.parse(GOOD.replace(old, new), "house.yaml")
    assert fault.value.code == code
    if line is not None:
        assert f"house.yaml:{line}" in str(fault.value)


def test_a_reference_names_one_clause() -> None:
    clauses = GOOD.partition("clauses:\n")[2].partition("cases:")[0]
    with pytest.raises(ConfigError, match="appears twice") as fault:
        Framework.parse(GOOD.replace("cases:", clauses + "cases:"), "house.yaml")
    assert fault.value.code == "HF-CPL-002"


def test_names_that_are_none_are_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="GDPR") as fault:
        select(["GPDR"])
    assert fault.value.code == "HF-CPL-007"
    with pytest.raises(ConfigError, match=re.escape("32(1)(d)")) as fault:
        builtin()["GDPR"].clause("32(1)(e)")
    assert fault.value.code == "HF-CPL-008"
    assert [one.id for one in select(["gdpr"])] == ["GDPR"]


def test_every_kind_says_what_it_is() -> None:
    assert {"audit", "gate", "ledger", "inventory", "event", "monitor", "incident", "backlog", "intel"} <= set(kinds())
    assert {name for name, kind in kinds().items() if kind.person} == {
        "doc",
        "drill",
        "register",
        "report",
        "signoff",
        "training",
    }
    assert all(kind.says.endswith(".") for kind in kinds().values())

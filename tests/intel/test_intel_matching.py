"""Stored facts are enough: packages by range, pickle globals, artifacts; and what is in force is remembered rightly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from holdfast.core.domain import Fact, Observation, Recorded, Severity, VersionRange, digest
from holdfast.core.domain.advisory import Advisory
from holdfast.core.domain.claim import Cause, Ceiling, Claim
from holdfast.core.domain.intelligence import Indicator
from holdfast.core.policy import Snapshot
from holdfast.core.store import Transaction
from holdfast.intel import effective
from holdfast.intel.effective import snapshot
from holdfast.intel.importer import run_import
from holdfast.intel.matching import Body, match
from holdfast.intel.queries import coverage_view, effects_view, find_item, impact_view
from intel_desk import Desk, record

BASE = [record("CVE-2025-1", "unused")]


def see(tx: Transaction, model: str, *facts: Fact) -> None:
    version = next(iter(tx.judgements.currents([model])[model]))
    key = digest([model, [str(fact.value) for fact in facts]])
    tx.observations.add(Recorded(key, "extra", 1, model, version, Observation.of(facts), tx.now, 0.0))


def hit(desk: Desk, body: Body) -> set[tuple[str, str, bool]]:
    found = desk.read(lambda tx: match(tx, {"u": body}))["u"]
    return {(one.model, one.value, one.certain) for one in found}


def test_packages_by_range_by_release_and_where_it_cannot_be_told(desk: Desk) -> None:
    desk.estate(3)
    pins = ["pkg:pypi/Some_Lib@1.5", "pkg:pypi/some-lib@2.0", "pkg:pypi/some-lib@odd-version"]
    for number, pin in enumerate(pins):
        desk.store.run(lambda tx, number=number, pin=pin: see(tx, f"model-000{number}", Fact("package", pin)))
    desk.store.run(lambda tx: see(tx, "model-0001", Fact("package.unpinned", "some_lib>=1")))
    below = Advisory("CVE-1", "some.lib", "", Severity.HIGH, (VersionRange(None, "2"),))
    assert hit(desk, below) == {
        ("model-0000", pins[0], True),
        ("model-0002", pins[2], False),
        ("model-0001", "some_lib>=1", False),
    }
    assert ("model-0002", pins[2], True) in hit(desk, Advisory("C", "some-lib", "", Severity.LOW, (), ("odd-version",)))
    assert hit(desk, Advisory("C", "some", "", Severity.LOW, (VersionRange(),))) == set(), "a part of a name is no name"


def test_globals_by_name_and_by_module(desk: Desk) -> None:
    desk.estate(3)
    for number, name in enumerate(["os.system", "os.path.join", "osmosis.run"]):
        desk.store.run(lambda tx, number=number, name=name: see(tx, f"model-000{number}", Fact("import", name)))
    assert hit(desk, Indicator("pickle-global", "os.system")) == {("model-0000", "os.system", True)}
    assert {model for model, _, _ in hit(desk, Indicator("pickle-global", "os.*"))} == {"model-0000", "model-0001"}
    assert hit(desk, Indicator("pickle-global", "o%.*")) == set(), "what means something to SQL means itself"


def test_artifacts_by_their_digest(desk: Desk) -> None:
    desk.estate(2)
    version = desk.read(lambda tx: tx.models.versions("model-0001"))[0].digest
    assert hit(desk, Indicator("sha256", version.removeprefix("sha256:"))) == {("model-0001", version, True)}


def test_an_indicator_that_hits_is_denied_and_shown_with_whom_it_hits(desk: Desk) -> None:
    desk.feed("list", kind="table", location=desk.home / "list.csv")
    desk.estate(2)
    desk.store.run(lambda tx: see(tx, "model-0000", Fact("import", "os.system")))
    (desk.home / "list.csv").write_text("module,name\nos,system\nnever,seen\n")
    assert run_import(desk.store, "list").new == 2
    desk.drain()
    assert list(desk.effects("deny")) == ["import:os.system"]
    impact = desk.read(lambda tx: impact_view(tx, "pickle-global:os.system"))
    assert [(one.model, one.fact) for one in impact.hits] == [("model-0000", "import")]


def test_the_snapshot_is_remembered_until_what_counts_changes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = effective._build
    monkeypatch.setattr(effective, "_build", lambda *given: (built.append(1), build(*given))[1])
    desk.feed("a")
    desk.says("a", *BASE)
    first = desk.read(snapshot)
    count = len(built)
    assert desk.read(snapshot) is first
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE)
    refreshed = desk.read(snapshot)
    assert (len(built), refreshed.digest, refreshed.dated) == (count, first.digest, desk.clock())
    desk.says("a", *BASE, record("CVE-2026-1", "x"))
    assert len(desk.read(snapshot).advisories) == 2
    assert len(built) > count


def test_what_a_transaction_undone_had_changed_is_not_remembered(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE)
    before = desk.read(snapshot)
    denial = Claim(Cause("person", "ana"), "deny", "package:x", Ceiling.BLOCK_NEW, desk.clock())

    class UndoneError(Exception):
        pass

    def tried(tx: Transaction) -> None:
        tx.claims.make(denial)
        known = snapshot(tx)
        assert known is not None
        assert known.on("x")
        raise UndoneError

    with pytest.raises(UndoneError):
        desk.store.run(tried)
    assert desk.read(snapshot) is before
    other = Claim(Cause("person", "ana"), "deny", "package:y", Ceiling.BLOCK_NEW, desk.clock())
    desk.store.run(lambda tx: tx.claims.make(other))
    known = desk.read(snapshot)
    assert isinstance(known, Snapshot)
    assert (bool(known.on("x")), bool(known.on("y"))) == (False, True)


def test_techniques_are_covered_by_the_checks_that_name_them_or_their_parent(desk: Desk) -> None:
    desk.feed("atlas", kind="atlas", location=desk.home / "atlas.yaml")
    (desk.home / "atlas.yaml").write_text(
        "techniques:\n- {id: AML.T0010, name: A}\n- {id: AML.T0010.001, name: B}\n- {id: AML.T0015, name: C}\n"
    )
    run_import(desk.store, "atlas")
    desk.drain()
    view = desk.read(lambda tx: coverage_view(tx, {"scan.artifact": ["AML.T0010"], "other": ["AML.T9999"]}))
    assert [(one.id, one.checks, one.covered) for one in view.techniques] == [
        ("AML.T0010", ("scan.artifact",), True),
        ("AML.T0010.001", ("scan.artifact",), True),
        ("AML.T0015", (), False),
    ]
    assert (view.total, view.covered) == (3, 2)
    assert desk.read(lambda tx: find_item(tx, "AML.T0015")).startswith("itl_")
    assert desk.read(snapshot) is None, "techniques alone say nothing of weaknesses"
    assert desk.read(lambda tx: effects_view(tx, tx.now)) == ()

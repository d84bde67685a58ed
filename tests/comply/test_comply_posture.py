"""Where clauses stand: worst wins, nothing is green without a dated and provable source, the past stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.comply.evidence.answer import weigh
from holdfast.comply.queries import Posture, chain_view, clause_view, clocks_view, posture
from holdfast.core.domain import FrozenClock, People, Tier, Verdict
from holdfast.core.domain.control import Evidence, State
from holdfast.core.errors import UsageError
from holdfast.core.ledger import Ledger
from holdfast.core.store import Store
from holdfast.core.store.segments import Slice, root_of
from ledgered_bank import KEY, START, Bank


def state(bank: Bank, framework: str, ref: str, at: datetime | None = None, **said: Any) -> State:
    with bank.store.reading() as tx:
        return clause_view(tx, at or bank.clock(), framework, ref, **said).state


def why(bank: Bank, framework: str, ref: str) -> str:
    with bank.store.reading() as tx:
        return " ".join(clause_view(tx, bank.clock(), framework, ref).reasons)


def whole(bank: Bank, at: datetime | None = None, known: datetime | None = None) -> Posture:
    with bank.store.reading() as tx:
        return posture(tx, at or bank.clock(), known)


def test_worst_wins() -> None:
    order = list(State)
    for one, other in product(State, State):
        assert State.worst([one, other]) is max(one, other, key=order.index)
        assert State.worst([other, one]) is State.worst([one, other])
    assert State.worst([]) is State.NOT_APPLICABLE


def test_a_bank_without_models_has_shown_nothing(small_bank: Bank) -> None:
    found = whole(small_bank)
    assert found.state is State.MISSING
    assert found.exit_code == 3


def test_what_the_platform_proves_is_satisfied_once_it_is_in_the_ledger(bank: Bank) -> None:
    bank.register()
    assert state(bank, "GDPR", "32(1)(d)") is State.MISSING
    assert "was not judged" in why(bank, "GDPR", "32(1)(d)")
    bank.audit()
    assert state(bank, "GDPR", "32(1)(d)") is State.MISSING
    assert "not in the ledger yet" in why(bank, "GDPR", "32(1)(d)")
    bank.settle()
    assert state(bank, "GDPR", "32(1)(d)") is State.SATISFIED
    with bank.store.reading() as tx:
        (model,) = clause_view(tx, bank.clock(), "GDPR", "32(1)(d)").models
    for piece in (one for answer in model.answers for one in answer.evidence):
        assert piece.leaf is not None
        assert piece.effective_at <= bank.clock()
        assert piece.source


def test_every_satisfied_clause_names_leaves_and_dates(small_bank: Bank) -> None:
    fill(small_bank)
    found = whole(small_bank)
    satisfied = [
        one
        for view in found.frameworks
        for clause in view.clauses
        for one in clause.models
        if one.state is State.SATISFIED
    ]
    assert len(satisfied) > 20
    for one in satisfied:
        assert one.dated is not None
        counted = [answer for answer in one.answers if answer.state is State.SATISFIED]
        assert counted
        for answer in counted:
            assert answer.evidence
            assert all(piece.leaf is not None and piece.supports for piece in answer.evidence)


def test_old_evidence_turns_stale_and_is_not_satisfied(bank: Bank) -> None:
    bank.register()
    bank.audit(days=1000)
    bank.settle()
    bank.pass_time(days=30)
    assert state(bank, "GDPR", "32(1)(d)") is State.SATISFIED
    bank.pass_time(minutes=1)
    assert state(bank, "GDPR", "32(1)(d)") is State.STALE
    assert "30 d old, at most 30 d" in why(bank, "GDPR", "32(1)(d)")
    bank.audit()
    bank.settle()
    assert state(bank, "GDPR", "32(1)(d)") is State.SATISFIED


def test_a_verdict_whose_time_is_over_is_stale(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit(days=2)
    small_bank.settle()
    small_bank.pass_time(days=2)
    assert state(small_bank, "GDPR", "32(1)(d)") is State.STALE
    assert "valid until" in why(small_bank, "GDPR", "32(1)(d)")


def test_a_finding_fails_its_clauses_and_no_others(bank: Bank) -> None:
    bank.register()
    bank.audit(broken="evasion.search")
    bank.settle()
    assert state(bank, "EU-AI-ACT", "15(5)") is State.FAILING
    assert "finding of evasion.search" in why(bank, "EU-AI-ACT", "15(5)")
    assert state(bank, "EU-AI-ACT", "15(1)") is State.SATISFIED
    assert whole(bank).exit_code == 1


def test_hardening_is_asked_for_where_evasion_was_found(small_bank: Bank) -> None:
    def answer() -> tuple[State, str]:
        small_bank.settle()
        with small_bank.store.reading() as tx:
            (model,) = clause_view(tx, small_bank.clock(), "EU-AI-ACT", "15(5)").models
        return next((one.state, one.reason) for one in model.answers if one.query == "harden:runs")

    small_bank.register()
    small_bank.audit()
    assert answer()[0] is State.NOT_APPLICABLE
    small_bank.pass_time(hours=1)
    small_bank.audit(broken="evasion.search")
    assert answer()[0] is State.MISSING
    run = {"model": "limits", "version": "v2", "linf": 0.005, "robust_recall": [0.1, 0.4]}
    small_bank.tell("model.hardened", run, "hrd_1")
    assert answer() == (State.SATISFIED, "hardened: robust recall 0.1 before, 0.4 after, at linf 0.005")


def test_what_a_check_could_not_see_is_missing(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit(blind="data.contract")
    small_bank.settle()
    assert state(small_bank, "ISO-42001", "A.7.4") is State.MISSING
    assert "data.contract could not decide: it could not be read" in why(small_bank, "ISO-42001", "A.7.4")


def test_packages_are_not_well_by_old_intelligence(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit(verdict=Verdict.UNKNOWN, rule="fresh-intel")
    small_bank.settle()
    assert state(small_bank, "GDPR", "5(1)(f)") is State.STALE
    assert "why it is so" in why(small_bank, "GDPR", "5(1)(f)")
    assert state(small_bank, "ISO-42001", "A.7.4") is State.SATISFIED


def test_the_inventory_is_as_fresh_as_the_last_time_that_checks_ran(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.pass_time(days=20)
    small_bank.audit(days=1000)
    small_bank.settle()
    small_bank.pass_time(days=20)
    assert state(small_bank, "DORA", "8(1)") is State.SATISFIED
    small_bank.audit(days=1000, seen=small_bank.last_seen)
    small_bank.settle()
    small_bank.pass_time(days=11)
    assert state(small_bank, "DORA", "8(1)") is State.STALE


def test_the_version_in_service_counts_and_no_other(bank: Bank) -> None:
    bank.register()
    bank.audit()
    bank.deploy()
    bank.register(version="sha256:v2")
    bank.audit(version="sha256:v2", broken="evasion.search")
    bank.settle()
    assert state(bank, "EU-AI-ACT", "15(5)") is State.SATISFIED
    bank.pass_time(hours=1)
    bank.deploy(version="sha256:v2")
    bank.settle()
    assert state(bank, "EU-AI-ACT", "15(5)") is State.FAILING
    assert state(bank, "DORA", "9(4)(e)") is State.FAILING
    assert "while it stood at failed" in why(bank, "DORA", "9(4)(e)")
    assert state(bank, "DORA", "9(4)(e)", bank.clock() - timedelta(minutes=30)) is State.SATISFIED


def test_a_person_is_awaited_attests_and_lets_it_expire(bank: Bank) -> None:
    bank.register()
    assert state(bank, "GDPR", "35(1)") is State.AWAITING
    bank.attest("doc:dpia", expires_at=bank.clock() + timedelta(days=10))
    bank.attest("signoff:dpo", model="limits")
    bank.settle()
    assert state(bank, "GDPR", "35(1)") is State.SATISFIED
    bank.pass_time(days=10)
    assert state(bank, "GDPR", "35(1)") is State.STALE
    assert "expired" in why(bank, "GDPR", "35(1)")
    bank.attest("doc:dpia")
    bank.settle()
    assert state(bank, "GDPR", "35(1)") is State.SATISFIED


def test_a_sign_off_for_another_model_or_clause_does_not_count_and_a_refusal_does(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.attest("doc:dpia")
    small_bank.attest("signoff:dpo", model="other")
    small_bank.attest("signoff:dpo", clauses=("GDPR 6(1)",))
    small_bank.settle()
    assert state(small_bank, "GDPR", "35(1)") is State.AWAITING
    small_bank.attest("signoff:dpo")
    small_bank.settle()
    assert state(small_bank, "GDPR", "35(1)") is State.SATISFIED
    small_bank.pass_time(hours=1)
    small_bank.attest("signoff:dpo", holds=False, by="D. P. O.")
    small_bank.settle()
    assert state(small_bank, "GDPR", "35(1)") is State.FAILING
    assert "refused by D. P. O." in why(small_bank, "GDPR", "35(1)")


def test_an_assisted_clause_waits_for_its_person_even_when_the_machine_is_done(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit()
    small_bank.settle()
    assert state(small_bank, "GDPR", "5(1)(c)") is State.AWAITING
    small_bank.attest("signoff:data-minimisation")
    small_bank.settle()
    assert state(small_bank, "GDPR", "5(1)(c)") is State.SATISFIED


def test_what_is_declared_decides_what_applies_then_and_now(bank: Bank) -> None:
    bank.register(use=())
    bank.pass_time(days=1)
    undeclared = bank.clock()
    assert state(bank, "EU-AI-ACT", "27(1)") is State.AWAITING
    bank.pass_time(days=1)
    bank.register(use=("fraud",))
    assert state(bank, "EU-AI-ACT", "27(1)") is State.NOT_APPLICABLE
    assert state(bank, "EU-AI-ACT", "27(1)", undeclared) is State.AWAITING
    bank.register(people=People(False, False, False))
    assert state(bank, "GDPR", "32(1)(d)") is State.NOT_APPLICABLE


def test_a_clause_that_does_not_bind_yet_is_shown_and_counts_in_no_sum(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit(broken="evasion.search")
    small_bank.settle()
    view = next(one for one in whole(small_bank).frameworks if one.id == "EU-AI-ACT")
    clause = next(one for one in view.clauses if one.ref == "15(5)")
    assert clause.state is State.FAILING
    assert not clause.binding
    assert view.state is not State.FAILING
    later = datetime.fromisoformat("2027-12-02T00:00:00Z")
    with small_bank.store.reading() as tx:
        assert clause_view(tx, later, "EU-AI-ACT", "15(5)").binding


def test_incidents_start_clocks_that_reports_stop(bank: Bank) -> None:
    bank.register()
    bank.audit()
    bank.attest("doc:incident-process")
    bank.settle()
    assert state(bank, "DORA", "17(2)") is State.SATISFIED
    aware = bank.clock()
    body = {"incident": "inc_1", "model": "limits", "aware_at": aware.isoformat()}
    bank.tell("incident.opened", body, "inc_1")
    bank.settle()
    assert state(bank, "DORA", "17(2)") is State.AWAITING
    assert state(bank, "DORA", "19(4)(a)") is State.AWAITING
    assert "nobody has said whether" in why(bank, "DORA", "19(4)(a)")
    bank.pass_time(hours=2)
    bank.tell("incident.classified", {**body, "as": "major"}, "inc_1")
    bank.settle()
    assert state(bank, "DORA", "17(2)") is State.SATISFIED
    assert state(bank, "DORA", "19(4)(a)") is State.AWAITING
    bank.pass_time(hours=3)
    bank.attest("report:dora-initial")
    bank.settle()
    assert state(bank, "DORA", "19(4)(a)") is State.AWAITING
    with bank.store.reading() as tx:
        running = {one.timer.clock.id: one.timer.state for one in clocks_view(tx, bank.clock())}
    assert running == {
        "dora-initial": "done",
        "dora-intermediate": "running",
        "gdpr-33": "running",
        "nydfs-72h": "running",
    }
    bank.pass_time(hours=73)
    assert state(bank, "DORA", "19(4)(a)") is State.FAILING
    assert state(bank, "DORA", "19(4)(a)", aware + timedelta(hours=4)) is State.AWAITING


def test_an_incident_that_nobody_classifies_fails(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.attest("doc:incident-process")
    body = {"incident": "inc_1", "model": "limits", "aware_at": small_bank.clock().isoformat()}
    small_bank.tell("incident.opened", body, "inc_1")
    small_bank.settle()
    small_bank.pass_time(hours=24)
    assert state(small_bank, "DORA", "17(2)") is State.AWAITING
    small_bank.pass_time(minutes=1)
    assert state(small_bank, "DORA", "17(2)") is State.FAILING


def events(bank: Bank, name: str = "limits") -> None:
    """A sealed segment of events of this moment, as the intake writes it."""
    now = bank.clock()
    with bank.store.transaction() as tx:
        log = tx.segments.hold()
        (row,) = tx.segments.append(log, [Slice(name, "p", 0, 1, 1, 7, "00", now, now)])
        log = tx.segments.hold()
        intent = tx.intend("events.sealed", {"last": row.sequence}, about=f"events:{row.sequence}")
        tx.segments.seal(log, row.sequence, 7, root_of([row]), intent)


def test_monitoring_needs_events_and_answered_alerts(bank: Bank) -> None:
    bank.register()
    assert state(bank, "DORA", "10(1)") is State.MISSING
    events(bank)
    bank.settle()
    assert state(bank, "DORA", "10(1)") is State.SATISFIED
    bank.tell("alert.raised", {"alert": "alr_1", "model": "limits"}, "alr_1")
    bank.settle()
    assert state(bank, "DORA", "10(1)") is State.SATISFIED
    bank.pass_time(hours=25)
    events(bank)
    bank.settle()
    assert state(bank, "DORA", "10(1)") is State.FAILING
    bank.tell("alert.acknowledged", {"alert": "alr_1", "model": "limits"}, "alr_1")
    bank.settle()
    assert state(bank, "DORA", "10(1)") is State.SATISFIED
    bank.pass_time(days=3)
    assert state(bank, "DORA", "10(1)") is State.STALE


def test_intelligence_is_as_fresh_as_its_most_silent_feed(small_bank: Bank) -> None:
    small_bank.register()
    assert state(small_bank, "DORA", "13(1)") is State.MISSING
    for feed in ("osv", "atlas"):
        small_bank.tell("intel.imported", {"feed": feed, "items": 3}, f"feed:{feed}")
    small_bank.settle()
    assert state(small_bank, "DORA", "13(1)") is State.SATISFIED
    small_bank.pass_time(days=8)
    small_bank.tell("intel.imported", {"feed": "osv", "items": 3}, "feed:osv")
    small_bank.settle()
    assert state(small_bank, "DORA", "13(1)") is State.STALE


def test_evidence_recorded_later_changes_what_is_known_and_not_what_was(bank: Bank) -> None:
    bank.register()
    bank.audit()
    bank.settle()
    then = bank.clock()
    before = whole(bank, then, then)
    bank.pass_time(days=5)
    bank.attest("doc:dpia", effective_at=then - timedelta(days=1))
    bank.attest("signoff:dpo", effective_at=then - timedelta(days=1))
    bank.settle()
    assert state(bank, "GDPR", "35(1)", then) is State.SATISFIED
    assert state(bank, "GDPR", "35(1)", then, known_at=then) is State.AWAITING
    assert whole(bank, then, then) == before


def test_the_chain_leads_from_model_to_decision(small_bank: Bank) -> None:
    small_bank.register()
    small_bank.audit(broken="evasion.search")
    small_bank.settle()
    with small_bank.store.reading() as tx:
        links = chain_view(tx, small_bank.clock()).links
    finding, verdict = links
    assert finding.finding
    assert finding.technique == "AML.T0015"
    assert "EU-AI-ACT 15(5)" in finding.clauses
    assert "SR-26-2 findings" not in finding.clauses
    assert all(piece.leaf is not None for piece in finding.evidence)
    assert verdict.decision == "the gate says failed"
    assert verdict.leaf is not None


def test_a_model_that_was_not_there_then_is_an_error(small_bank: Bank) -> None:
    small_bank.register()
    with small_bank.store.reading() as tx:
        assert posture(tx, small_bank.clock(), model="limits").models == ("limits",)
        with pytest.raises(UsageError, match="HF-CPL-009"):
            posture(tx, small_bank.clock(), model="limit")
        with pytest.raises(UsageError, match="HF-CPL-009"):
            posture(tx, small_bank.clock() - timedelta(days=1), model="limits")


NOW = datetime.fromisoformat("2026-03-02T09:00:00Z")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100), st.booleans()), max_size=5), st.integers(0, 100))
def test_weighing_is_never_green_without_support_leaf_and_freshness(
    pieces: list[tuple[bool, int, bool]], fresh: int
) -> None:
    found = [
        Evidence("k", "m", "s", supports, NOW - timedelta(days=age), NOW, "src", 1 if placed else None)
        for supports, age, placed in pieces
    ]
    span = timedelta(days=fresh)
    answer = weigh("k:t", found, as_of=NOW, fresh=span, lacking="nothing")
    good = bool(found) and all(one.supports and one.leaf and NOW - one.effective_at <= span for one in found)
    assert (answer.state is State.SATISFIED) is good
    assert (answer.state is State.FAILING) is any(not one.supports for one in found)
    more = [*found, Evidence("k", "m", "s", False, NOW, NOW, "src", 1)]
    assert weigh("k:t", more, as_of=NOW, fresh=span, lacking="").state is State.FAILING


def fill(bank: Bank) -> None:
    """A year in which everything is done."""
    bank.register()
    bank.audit()
    bank.deploy()
    events(bank)
    bank.tell("intel.imported", {"feed": "osv", "items": 3}, "feed:osv")
    bank.settle()


@contextmanager
def fresh_bank() -> Iterator[Bank]:
    with TemporaryDirectory() as folder:
        clock = FrozenClock(START)
        with Store.open(None, Path(folder) / "state", clock) as store:
            yield Bank(store, clock, Ledger(store, KEY, "bank"))


STEPS = (
    lambda bank: bank.audit(),
    lambda bank: bank.audit(broken="evasion.search"),
    lambda bank: bank.audit(blind="deps.advisories", days=1),
    lambda bank: bank.audit(verdict=Verdict.PASSED, as_of=bank.clock() - timedelta(days=3)),
    lambda bank: bank.deploy(),
    lambda bank: bank.deploy(at=bank.clock() - timedelta(days=2)),
    lambda bank: bank.attest("doc:dpia", expires_at=bank.clock() + timedelta(days=4)),
    lambda bank: bank.attest("signoff:dpo", effective_at=bank.clock() - timedelta(days=2)),
    lambda bank: bank.attest("signoff:dpo", holds=False),
    lambda bank: bank.register(tier=Tier.CRITICAL, use=("fraud",)),
    lambda bank: bank.register(region="us", use=()),
    lambda bank: bank.register("other", people=None),
    events,
    lambda bank: bank.tell("alert.raised", {"alert": "a", "model": "limits"}, "a"),
    lambda bank: bank.tell("intel.imported", {"feed": "osv"}, "feed:osv"),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(1, 100)), min_size=2, max_size=7))
def test_a_posture_of_the_past_computed_again_is_the_same(steps: list[tuple[int, int]]) -> None:
    with fresh_bank() as bank:
        bank.register()
        taken = []
        for step, hours in steps:
            STEPS[step](bank)
            bank.settle()
            taken.append((bank.clock(), whole(bank, known=bank.clock())))
            bank.pass_time(hours=hours)
        for moment, seen in taken:
            again = whole(bank, moment, moment)
            assert again == seen
            assert again.digest == seen.digest

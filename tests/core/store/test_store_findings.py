"""Findings: opened by what is deployed, closed only by their own check, and the same when rebuilt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from holdfast.core.domain import FrozenClock, Observation, Severity
from holdfast.core.store import FindingState, Occurrence, Store, Transaction
from holdfast.core.store.tables import deployed, findings, occurrences, standings

HOUR = timedelta(hours=1)
OPEN, ELSEWHERE, CLOSED = FindingState.OPEN, FindingState.ELSEWHERE, FindingState.CLOSED
CHECKS = {"r": "c", "s": "d"}


class History:
    """Says in one line each what happened to the model `m`."""

    def __init__(self, store: Store, nouns: Any, clock: FrozenClock) -> None:
        self.store, self.nouns, self.clock = store, nouns, clock
        self.count = 0
        with store.transaction() as tx:
            for digest in ("v1", "v2", "v3"):
                tx.models.register(nouns.model(), nouns.version(digest=digest), {})

    def measure(self, version: str, *checks: str) -> None:
        with self.store.transaction() as tx:
            for check in checks:
                tx.observations.add(self.nouns.recorded(f"{version}-{check}", check=check, version=version))

    def judge(self, version: str, *rules: str, undecided: tuple[str, ...] = (), ago: timedelta = timedelta()) -> None:
        self.clock.advance(HOUR)
        self.count += 1
        found = [self.nouns.finding(rule, CHECKS[rule]) for rule in rules]
        judged = self.nouns.judgement(
            f"j{self.count}", *found, undecided=undecided, version=version, as_of=self.clock() - ago
        )
        with self.store.transaction() as tx:
            assert tx.judgements.add(judged)

    def deploy(self, version: str, environment: str = "production", ago: timedelta = timedelta()) -> None:
        self.clock.advance(HOUR)
        with self.store.transaction() as tx:
            tx.models.deploy("m", version, environment, effective_at=self.clock() - ago)

    def states(self) -> dict[str, FindingState]:
        with self.store.reading() as tx:
            return {item.finding.rule: item.state for item in tx.findings.of("m")}


@pytest.fixture
def history(store: Store, nouns: Any, clock: FrozenClock) -> History:
    return History(store, nouns, clock)


def test_a_finding_on_the_deployed_version_is_open(history: History) -> None:
    history.deploy("v1")
    history.judge("v1", "r")
    assert history.states() == {"r": OPEN}


def test_where_nothing_is_deployed_the_version_judged_last_counts(history: History) -> None:
    history.judge("v1", "r")
    assert history.states() == {"r": OPEN}
    history.measure("v2", "c")
    history.judge("v2")
    assert history.states() == {"r": CLOSED}


def test_a_finding_on_a_candidate_is_elsewhere_until_it_is_deployed(history: History) -> None:
    history.deploy("v1")
    history.measure("v1", "c")
    history.judge("v1")
    history.judge("v2", "r")
    assert history.states() == {"r": ELSEWHERE}
    history.deploy("v2")
    assert history.states() == {"r": OPEN}


def test_a_finding_closes_when_its_own_check_passes_on_the_deployed_version(history: History) -> None:
    history.deploy("v1")
    history.judge("v1", "r", "s")
    history.measure("v2", "c")
    history.judge("v2")
    assert history.states() == {"r": OPEN, "s": OPEN}, "a better version closes nothing before it serves"
    history.deploy("v2")
    assert history.states() == {"r": CLOSED, "s": OPEN}, "the check of s was not measured on v2"
    history.measure("v2", "d")
    history.judge("v2")
    assert history.states() == {"r": CLOSED, "s": CLOSED}


def test_a_check_that_could_not_decide_closes_nothing(history: History, store: Store, nouns: Any) -> None:
    history.deploy("v1")
    history.judge("v1", "r", "s")
    history.measure("v1", "c")
    with store.transaction() as tx:
        unknown = nouns.recorded("v1-d", check="d", observation=Observation.unknown("time"))
        tx.observations.add(unknown)
    history.judge("v1", undecided=("r",))
    assert history.states() == {"r": OPEN, "s": OPEN}


def test_a_version_that_was_never_judged_closes_nothing(history: History) -> None:
    history.deploy("v1")
    history.judge("v1", "r")
    history.deploy("v3")
    assert history.states() == {"r": OPEN}


def test_every_place_must_be_clear(history: History) -> None:
    history.deploy("v1")
    history.deploy("v2", "staging")
    history.judge("v1", "r")
    history.judge("v2", "r")
    history.measure("v1", "c")
    history.judge("v1")
    assert history.states() == {"r": OPEN}
    history.measure("v2", "c")
    history.judge("v2")
    assert history.states() == {"r": CLOSED}


def test_a_place_that_shows_nothing_is_not_clear(history: History) -> None:
    history.deploy("v1")
    history.judge("v1", "r")
    history.deploy("v3", "staging")
    history.measure("v1", "c")
    history.judge("v1")
    assert history.states() == {"r": OPEN}, "v3 was never judged"


def test_a_closed_finding_reopens_and_tells_when(history: History, store: Store, clock: FrozenClock) -> None:
    history.deploy("v1")
    history.judge("v1", "r")
    opened = clock()
    history.measure("v1", "c")
    history.judge("v1")
    closed = clock()
    with store.reading() as tx:
        (item,) = tx.findings.of("m", CLOSED)
        assert (item.opened_at, item.closed_at, item.seen_at) == (opened, closed, opened)
    history.judge("v1", "r")
    with store.reading() as tx:
        (item,) = tx.findings.all(OPEN)
        assert (item.opened_at, item.closed_at, item.seen_at) == (clock(), None, clock())


def test_what_is_learned_late_about_an_earlier_moment_changes_no_state(history: History) -> None:
    history.deploy("v1")
    history.judge("v1", "r")
    history.measure("v1", "c")
    history.judge("v1", ago=HOUR * 5)
    assert history.states() == {"r": OPEN}
    history.deploy("v2", ago=HOUR * 9)
    assert history.states() == {"r": OPEN}


def test_a_finding_is_as_it_was_worded_last(history: History, store: Store, nouns: Any) -> None:
    history.judge("v1", "r")
    worse = nouns.finding("r", severity=Severity.CRITICAL, message="worse than thought")
    with store.transaction() as tx:
        tx.judgements.add(nouns.judgement("again", worse))
        assert [item.finding for item in tx.findings.of("m")] == [worse]


def test_occurrences_tell_on_which_versions_and_since_when(
    history: History, store: Store, nouns: Any, clock: FrozenClock
) -> None:
    history.judge("v1", "r")
    first = clock()
    history.judge("v2", "r")
    second = clock()
    history.judge("v1", "r")
    history.judge("v2")
    print_ = nouns.finding("r", "c").fingerprint
    with store.reading() as tx:
        assert tx.findings.occurrences(print_) == [
            Occurrence(print_, "v1", True, first, clock() - HOUR),
            Occurrence(print_, "v2", False, second, second),
        ]


def projections(tx: Transaction) -> list[list[tuple[Any, ...]]]:
    rows = []
    for table in (deployed, standings, findings, occurrences):
        found = tx._session.connection.execute(select(table).order_by(*table.primary_key)).all()
        rows.append([tuple(row) for row in found])
    return rows


events = st.lists(
    st.one_of(
        st.tuples(
            st.just("judge"),
            st.sampled_from(["v1", "v2", "v3"]),
            st.lists(st.sampled_from(["r", "s"]), unique=True),
            st.sampled_from([(), ("r",)]),
            st.integers(0, 3),
        ),
        st.tuples(st.just("measure"), st.sampled_from(["v1", "v2", "v3"]), st.sampled_from(["c", "d"])),
        st.tuples(
            st.just("deploy"),
            st.sampled_from(["v1", "v2", "v3"]),
            st.sampled_from(["production", "staging"]),
            st.integers(0, 3),
        ),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events)
def test_rebuilding_from_the_journals_comes_to_the_same(
    store: Store, nouns: Any, clock: FrozenClock, happened: list[tuple[Any, ...]]
) -> None:
    with store.transaction() as tx:
        for table in ("occurrences", "findings", "standings", "deployed", "judgements", "deployments", "journal"):
            tx._session.connection.execute(text(f"DELETE FROM {table}"))
        for table in ("observation_targets", "observations"):
            tx._session.connection.execute(text(f"DELETE FROM {table}"))
    history = History(store, nouns, clock)
    for kind, version, *rest in happened:
        if kind == "judge":
            rules, undecided, hours = rest
            history.judge(version, *rules, undecided=undecided, ago=HOUR * hours)
        elif kind == "measure":
            history.measure(version, *rest)
        else:
            history.deploy(version, rest[0], ago=HOUR * rest[1])
    with store.transaction() as tx:
        before = projections(tx)
        tx._session.connection.execute(text("DELETE FROM findings"))
        tx._session.connection.execute(text("UPDATE deployed SET version = 'nonsense'"))
        assert tx.rebuild() == 1
        assert projections(tx) == before
        assert tx.rebuild() == 1
        assert projections(tx) == before

"""Each addition of a policy is a claim while it is in force, and the ledger hears of it once each time it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import NAME, Cause, Ceiling, Claim
from holdfast.core.errors import PolicyError
from holdfast.core.policy import Policy
from holdfast.core.store import Store
from holdfast.gate.additions import refuse, settle

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ENTRY = "  - {{name: {name}, mode: n, reason: {reason}, who: R. Meyer, since: {since}, until: 2027-05-01}}\n"


def policy(*names: str, named: str = "ours", reason: str = "our own", since: str = "2026-11-01") -> Policy:
    entries = "".join(ENTRY.format(name=name, reason=reason, since=since) for name in names)
    text = f"version: 1\nid: {named}\nrequired: {{any: [scan.artifact]}}\n"
    return Policy.parse(text + (f"names:\n{entries}" if names else ""), "policy.yaml")


class Books:
    """A store, and what its ledger was told of names since the last look."""

    def __init__(self, folder: Path) -> None:
        self.clock = FrozenClock(NOW)
        self.store = Store.open(None, folder / "home", self.clock)
        self.seen = 0

    def settle(self, *policies: Policy, whole: bool = True) -> list[tuple[str, str, str]]:
        self.store.run(lambda tx: settle(tx, policies, whole=whole))
        with self.store.reading() as tx:
            entries = [json.loads(entry) for _, entry in tx.intents.pending(10_000)]
        new, self.seen = entries[self.seen :], len(entries)
        return [
            (entry["kind"].removeprefix("name."), entry["body"]["policy"], entry["body"]["name"])
            for entry in new
            if entry["kind"].startswith("name.")
        ]

    def in_force(self) -> set[tuple[str, str]]:
        with self.store.reading() as tx:
            return {(claim.cause.id, claim.target) for claim in tx.claims.active(effect=NAME)}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.store.close()


def test_an_addition_is_entered_once_with_who_and_why(books: Books) -> None:
    assert books.settle(policy("acme.A")) == [("added", "ours", "acme.A")]
    with books.store.reading() as tx:
        (entry,) = (json.loads(text) for _, text in tx.intents.pending(100) if b'"name.added"' in text)
    said = entry["body"]
    assert (said["who"], said["reason"], said["mode"], said["until"]) == ("R. Meyer", "our own", "n", "2027-05-01")
    assert said["digest"] == policy("acme.A").names[0].digest
    assert books.settle(policy("acme.A")) == []
    assert books.in_force() == {("ours", "import:acme.A")}


def test_what_is_gone_or_other_is_entered_too(books: Books) -> None:
    books.settle(policy("acme.A", "acme.B"))
    assert books.settle(policy("acme.B")) == [("withdrawn", "ours", "acme.A")]
    assert books.settle(policy("acme.B", reason="another one")) == [("added", "ours", "acme.B")]
    assert books.settle(policy("acme.A", "acme.B", reason="another one")) == [("added", "ours", "acme.A")]


def test_a_part_of_the_estate_withdraws_nothing_of_other_policies(books: Books) -> None:
    one, two = policy("acme.A", named="one"), policy("acme.B", named="two")
    books.settle(one, two)
    assert books.settle(two, whole=False) == []
    assert books.settle(policy(named="two"), whole=False) == [("withdrawn", "two", "acme.B")]
    assert books.in_force() == {("one", "import:acme.A")}
    assert books.settle(policy(named="two"), whole=True) == [("withdrawn", "one", "acme.A")]


def test_before_its_day_and_after_it_an_addition_is_not_in_force(books: Books) -> None:
    later = policy("acme.A", since="2026-12-01")
    assert books.settle(later) == []
    books.clock.advance(timedelta(days=10))
    assert books.settle(later) == [("added", "ours", "acme.A")]
    books.clock.advance(timedelta(days=200))
    assert books.in_force() == set()
    assert books.settle(later) == []


def test_people_and_feeds_are_left_alone(books: Books) -> None:
    other = Claim(Cause("person", "meyer"), NAME, "import:acme.A", Ceiling.OBSERVE, NOW)
    books.store.run(lambda tx: tx.claims.make(other))
    assert books.settle(policy()) == []
    assert books.in_force() == {("meyer", "import:acme.A")}


@given(steps=st.lists(st.sets(st.sampled_from(["acme.A", "acme.B", "acme.C"])), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_the_entries_add_up_to_what_is_in_force(
    tmp_path_factory: pytest.TempPathFactory, steps: list[set[str]]
) -> None:
    books = Books(tmp_path_factory.mktemp("books"))
    standing: set[str] = set()
    for names in steps:
        for kind, _, name in books.settle(policy(*sorted(names))):
            assert (name in standing) is (kind == "withdrawn"), "nothing comes twice, nothing goes that was not there"
            standing ^= {name}
        assert standing == names == {target.removeprefix("import:") for _, target in books.in_force()}
    books.store.close()


def test_a_forbidden_addition_is_refused_with_its_policy() -> None:
    with pytest.raises(PolicyError) as refused:
        refuse([policy("fabric.Connection")], None)
    assert (refused.value.code, "policy.yaml" in refused.value.message) == ("HF-POL-011", True)
    refuse([policy(), policy("acme.A")], None)

"""A turn judges again from stored inputs, keeps only what came out differently, and all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.core.domain import Fact, Observation, Recorded, Verdict, digest
from holdfast.core.domain.alert import CAMPAIGN_CHECK
from holdfast.core.domain.claim import Cause, Ceiling, Claim
from holdfast.core.domain.topics import CLAIM_ENDED, DEPLOYED, EXPIRED, JUDGED
from holdfast.core.policy import Snapshot
from holdfast.core.store import Transaction
from holdfast.loop.docket import cases, deployed_baseline
from holdfast.loop.on_expiry import publish_expired
from holdfast.loop.reaction import reactions
from holdfast.loop.turn import Turn
from intel_desk import Desk, record


@pytest.fixture
def desk(database: str | None, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(database, tmp_path)
    with made.store:
        made.feed("a")
        made.says("a", record("CVE-2025-1", "unused"))
        made.estate(4, rare=[("rare", 2)])
        yield made


def turn(desk: Desk, tx: Transaction) -> Turn:
    return Turn(tx, desk.engine.surroundings, "test")


def test_judging_again_what_has_not_changed_keeps_nothing(desk: Desk) -> None:
    with desk.store.transaction() as tx:
        assert turn(desk, tx).rejudge([model.name for model in tx.models.all()]) == []
        assert tx.outbox.waiting([JUDGED]) == 0


def test_only_what_came_out_differently_is_kept_told_and_entered(desk: Desk) -> None:
    desk.clock.advance(timedelta(minutes=1))
    stood = _judged(desk)
    body = record("CVE-2026-1", "rare")
    desk.says("a", record("CVE-2025-1", "unused"), body, drain=False)
    before = desk.read(lambda tx: tx.intents.count_pending())
    desk.drain()
    more = {name: count - stood[name] for name, count in _judged(desk).items()}
    assert more == {"model-0000": 1, "model-0001": 1, "model-0002": 0, "model-0003": 0}
    newest = desk.read(lambda tx: tx.judgements.latest("model-0000"))
    assert newest.verdict is Verdict.FAILED
    assert ("model.judged", None) in desk.read(lambda tx: tx.intents.about(newest.key))
    assert desk.read(lambda tx: tx.intents.count_pending()) > before


def test_a_model_nobody_knows_and_one_never_judged_are_no_cases(desk: Desk) -> None:
    with desk.store.transaction() as tx:
        assert turn(desk, tx).rejudge(["nobody"]) == []
        assert cases(tx, ["nobody"]) == []


def test_a_case_has_what_was_judged_and_the_newest_of_what_arrives_by_itself(desk: Desk) -> None:
    def live(tx: Transaction, number: int) -> None:
        version = next(iter(tx.judgements.currents(["model-0000"])["model-0000"]))
        seen = Observation.of(Fact("watch.campaign", f"n{number}"))
        key = digest(["live", number])
        tx.observations.add(Recorded(key, CAMPAIGN_CHECK, 1, "model-0000", version, seen, tx.now, 0.0))
        other = Recorded(digest([number]), "later.check", 1, "model-0000", version, seen, tx.now, 0.0)
        tx.observations.add(other)

    for number in range(2):
        desk.clock.advance(timedelta(minutes=1))
        desk.store.run(lambda tx, number=number: live(tx, number))
    (case,) = desk.read(lambda tx: cases(tx, ["model-0000"]))
    checks = [item.check for item in case.subject.observations]
    assert "later.check" not in checks, "an audit judges what it took; nobody else does"
    live_seen = [item for item in case.subject.observations if item.check == CAMPAIGN_CHECK]
    assert [item.observation.facts[0].value for item in live_seen] == ["n1"]
    with_baseline = desk.read(lambda tx: deployed_baseline(tx, "model-0000"))
    assert case.baseline == with_baseline
    assert desk.read(lambda tx: cases(tx, ["model-0001"]))[0].baseline is None, "it is not deployed"


def test_the_snapshot_is_read_once_and_only_when_asked_for(desk: Desk) -> None:
    asked: list[int] = []

    def known(_: Transaction) -> Snapshot:
        asked.append(1)
        return Snapshot.builtin()

    desk.engine.surroundings.intel = known
    with desk.store.transaction() as tx:
        one = turn(desk, tx)
        assert asked == []
        one.rejudge(["model-0000"])
        one.rejudge(["model-0001"])
    assert len(asked) == 1


def test_a_verdict_whose_time_is_over_is_judged_again_once(desk: Desk) -> None:
    standing = desk.read(lambda tx: tx.judgements.latest("model-0000"))
    assert standing.valid_until is not None
    desk.clock.advance(standing.valid_until - desk.clock())
    with desk.store.transaction() as tx:
        first = publish_expired(tx, desk.clock() - timedelta(days=1), desk.clock())
        assert first == 4
        assert publish_expired(tx, desk.clock() - timedelta(days=1), desk.clock()) == 0
        assert tx.outbox.waiting([EXPIRED]) == 4
    desk.drain()
    newest = desk.read(lambda tx: tx.judgements.latest("model-0000"))
    assert (newest.verdict, newest.as_of) == (Verdict.UNKNOWN, desk.clock())


def test_a_claim_that_ends_by_itself_is_entered_once(desk: Desk) -> None:
    end = desk.clock() + timedelta(hours=1)
    claim = Claim(Cause("alert", "x"), "throttle", "model:model-0000", Ceiling.WARN, desk.clock(), end)
    desk.store.run(lambda tx: tx.claims.make(claim))
    desk.clock.advance(timedelta(hours=1))
    for _ in range(2):
        desk.engine.tick()
        desk.drain()
    kinds = [kind for kind, _ in desk.read(lambda tx: tx.intents.about(claim.id))]
    assert kinds == ["claim.made", "claim.ended"]
    with desk.store.transaction() as tx:
        assert not tx.outbox.publish(CLAIM_ENDED, f"{claim.id}@2026-01-05T10:00:00Z", {})


def test_a_deployment_makes_the_others_be_compared_with_it(desk: Desk) -> None:
    assert "ratchet" in _rules(desk, "model-0001"), "nothing is deployed to compare with"
    version = desk.read(lambda tx: tx.models.versions("model-0001")[0].digest)
    desk.clock.advance(timedelta(minutes=1))
    desk.store.run(lambda tx: tx.models.deploy("model-0001", version))
    assert desk.read(lambda tx: tx.outbox.waiting([DEPLOYED])) == 1
    desk.drain()
    assert "ratchet" not in _rules(desk, "model-0001")
    assert DEPLOYED in reactions()


def _judged(desk: Desk) -> dict[str, int]:
    return desk.read(lambda tx: {model.name: len(tx.judgements.history(model.name)) for model in tx.models.all()})  # type: ignore[no-any-return]


def _rules(desk: Desk, model: str) -> set[str]:
    return {reason.rule for reason in desk.read(lambda tx: tx.judgements.latest(model)).reasons}

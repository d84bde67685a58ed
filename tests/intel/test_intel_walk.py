"""From a feed to a verdict and back: effects of overlapping causes, caps, staleness, people; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.core.domain import Tier, Verdict
from holdfast.core.domain.claim import ALLOW, Cause, Ceiling, Claim
from holdfast.core.domain.topics import CLAIM_ENDED
from holdfast.intel.decide import dismiss, release
from holdfast.intel.effective import snapshot
from holdfast.intel.queries import effects_view, find_item, impact_view, items_view
from intel_desk import Desk, record

BASE = [record(f"CVE-2025-000{n}", f"unused-{n}") for n in range(3)]
MALWARE = record("MAL-2026-1", "rare", versions=["1.0"])
PASSED, FAILED, UNKNOWN = Verdict.PASSED, Verdict.FAILED, Verdict.UNKNOWN


def test_an_advisory_fails_whom_it_hits_and_its_withdrawal_gives_everything_back(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE)
    desk.estate(3, rare=[("rare", 1)])
    before = desk.state()
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    assert desk.verdicts() == {"model-0000": FAILED, "model-0001": PASSED, "model-0002": PASSED}
    assert list(desk.effects("advisory")) == ["package:rare"]
    assert desk.state()[1] != before[1]
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE, record("CVE-2026-1", "rare", withdrawn="2026-01-05T09:02:00Z"))
    assert set(desk.verdicts().values()) == {PASSED}
    assert desk.state() == before


@pytest.mark.parametrize("listed", [["MAL-2026-1", "MAL-2026-1"], ["MAL-2026-1", "MAL-2026-2"]], ids=["same", "other"])
def test_two_that_deny_one_package_and_take_it_back_one_by_one(desk: Desk, listed: list[str]) -> None:
    for name in "ab":
        desk.feed(name)
        desk.says(name, *BASE)
    desk.estate(3, rare=[("rare", 2)])
    before, stood = desk.state(), desk.verdicts()
    for name, native in zip("ab", listed, strict=True):
        desk.clock.advance(timedelta(minutes=1))
        desk.says(name, *BASE, record(native, "rare", versions=["1.0"]))
    assert len(desk.effects("deny")["package:rare@1.0"]) == 2
    assert [desk.verdicts()[f"model-000{n}"] for n in range(3)] == [FAILED, FAILED, PASSED]
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE)
    (cause,) = desk.effects("deny")["package:rare@1.0"]
    assert cause.endswith("@b")
    assert desk.verdicts()["model-0000"] is FAILED
    desk.clock.advance(timedelta(minutes=1))
    desk.says("b", *BASE)
    assert (desk.state(), desk.verdicts()) == (before, stood)
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE, MALWARE)
    assert desk.verdicts()["model-0000"] is FAILED, "said again after it was taken back"


def test_malware_by_one_source_of_little_trust_only_warns_until_a_second_says_so(desk: Desk) -> None:
    for name in "ab":
        desk.feed(name, trust=50)
        desk.says(name, *BASE)
    desk.estate(2, rare=[("rare", 1)])
    desk.says("a", *BASE, MALWARE)
    assert desk.effects("deny") == {}
    assert set(desk.verdicts().values()) == {PASSED}
    (effect,) = [one for one in desk.read(lambda tx: effects_view(tx, tx.now)) if one.effect == "advisory"]
    assert effect.ceiling == "warn"
    desk.clock.advance(timedelta(minutes=1))
    desk.says("b", *BASE, MALWARE)
    assert desk.verdicts()["model-0000"] is FAILED
    desk.clock.advance(timedelta(minutes=1))
    desk.says("b", *BASE)
    assert set(desk.verdicts().values()) == {PASSED}, "the one that is left is not enough again"


def test_a_feed_below_block_new_is_seen_and_changes_no_verdict(desk: Desk) -> None:
    desk.feed("z")
    desk.says("z", *BASE)
    desk.feed("a", ceiling=Ceiling.WARN)
    desk.says("a", *BASE)
    desk.estate(2, rare=[("rare", 1)])
    before = desk.state()
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    assert set(desk.verdicts().values()) == {PASSED}
    assert desk.state()[1] == before[1]
    (item,) = [one for one in desk.read(items_view) if one.package == "rare"]
    assert (item.state, item.models) == ("observed", 1)


def test_a_false_alarm_on_what_everybody_uses_waits_for_a_person(desk: Desk) -> None:
    """As when a web framework was wrongly listed as malware: without the cap every model service would stop."""
    desk.feed("a")
    desk.says("a", *BASE)
    desk.estate(12, rare=[("framework", 12)])
    before = desk.state()
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE, record("MAL-2026-7", "framework", versions=["1.0"]))
    assert set(desk.verdicts().values()) == {PASSED}
    assert desk.state()[1] == before[1]
    uid = desk.read(lambda tx: find_item(tx, "MAL-2026-7"))
    (held,) = [one for one in desk.read(lambda tx: effects_view(tx, tx.now)) if one.needs_person]
    assert (held.target, held.ceiling) == (f"intel:{uid}", "re-test")
    assert "12 of 12 models" in held.why
    first = desk.read(items_view)[0]
    assert (first.uid, first.state, first.needs_person) == (uid, "held", True)

    desk.store.run(lambda tx: release(tx, uid, "lead@bank.example", "confirmed with the vendor"))
    desk.drain()
    assert set(desk.verdicts().values()) == {FAILED}
    desk.clock.advance(timedelta(minutes=1))
    desk.says("a", *BASE)
    assert set(desk.verdicts().values()) == {PASSED}
    assert desk.state()[1] == before[1]


def test_below_the_cap_by_share_or_by_number_nothing_waits(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE)
    desk.estate(9, rare=[("framework", 9)])
    desk.says("a", *BASE, record("CVE-2026-1", "framework"))
    assert desk.effects("hold") == {}
    assert set(desk.verdicts().values()) == {FAILED}


def test_a_person_takes_an_item_back_and_lets_it_count_again(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE)
    desk.estate(2, rare=[("rare", 1)])
    before = desk.state()[1]
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    uid = desk.read(lambda tx: find_item(tx, "CVE-2026-1"))
    for _ in range(2):
        desk.clock.advance(timedelta(minutes=1))
        desk.store.run(lambda tx: dismiss(tx, uid, "ana@bank.example", "the vulnerable part is not built in"))
        desk.drain()
        assert set(desk.verdicts().values()) == {PASSED}
        assert desk.state()[1] == before
        desk.clock.advance(timedelta(minutes=1))
        assert desk.store.run(lambda tx: release(tx, uid, "ana@bank.example", "it is, after all")) is not None
        desk.drain()
        assert desk.verdicts()["model-0000"] is FAILED
    impact = desk.read(lambda tx: impact_view(tx, "CVE-2026-1"))
    assert [(one.was, one.now, one.appeared) for one in impact.changes] == [
        ("passed", "failed", True),
        ("failed", "passed", False),
    ] * 2 + [("passed", "failed", True)]
    assert {hit.model for hit in impact.hits} == {"model-0000"}
    assert {claim.effect for claim in impact.claims} == {"advisory", "dismiss"}


def test_a_dismissal_that_ends_by_itself_lets_the_item_count_again(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    desk.estate(2, rare=[("rare", 1)])
    uid = desk.read(lambda tx: find_item(tx, "CVE-2026-1"))
    end = desk.clock() + timedelta(hours=1)
    desk.store.run(lambda tx: dismiss(tx, uid, "ana", "patched tonight", until=end))
    desk.drain()
    assert desk.verdicts()["model-0000"] is PASSED
    desk.clock.advance(timedelta(hours=1))
    desk.engine.tick()
    desk.drain()
    assert desk.verdicts()["model-0000"] is FAILED


def test_what_a_person_allows_counts_against_nobody_until_it_ends(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    desk.estate(2, rare=[("rare", 1)])
    assert desk.verdicts()["model-0000"] is FAILED
    end = desk.clock() + timedelta(hours=1)
    allowed = Claim(Cause("person", "ana"), ALLOW, "package:rare", Ceiling.QUARANTINE, desk.clock(), end)
    desk.store.run(lambda tx: tx.claims.make(allowed))
    assert "rare" not in {one.package for one in desk.read(snapshot).advisories}
    desk.clock.advance(timedelta(hours=2))
    assert "rare" in {one.package for one in desk.read(snapshot).advisories}
    assert desk.engine.tick() >= 1
    assert [one.topic for one in desk.read(lambda tx: tx.outbox.failing(0)) if one.topic == CLAIM_ENDED]
    desk.drain()


def test_stale_feeds_make_verdicts_unknown_and_a_refresh_gives_them_back(desk: Desk) -> None:
    desk.feed("a")
    desk.says("a", *BASE)
    desk.estate(2, tier=Tier.CRITICAL)
    before = desk.state()
    assert set(desk.verdicts().values()) == {PASSED}
    desk.clock.advance(timedelta(days=2))
    desk.engine.tick()
    desk.drain()
    assert set(desk.verdicts().values()) == {UNKNOWN}
    desk.says("a", *BASE)
    assert set(desk.verdicts().values()) == {PASSED}
    assert desk.state() == before


def test_the_feed_that_has_been_silent_longest_dates_what_is_known(desk: Desk) -> None:
    for name in "ab":
        desk.feed(name)
    assert desk.read(snapshot) is None
    desk.says("a", *BASE)
    first = desk.clock()
    desk.clock.advance(timedelta(hours=3))
    desk.says("b", *BASE)
    assert desk.read(snapshot).dated == first
    desk.says("a", *BASE)
    assert desk.read(snapshot).dated == desk.clock()


def test_a_cve_known_to_be_exploited_is_one_class_graver(desk: Desk) -> None:
    desk.feed("a")
    advisory = record("PYSEC-2026-1", "rare", aliases=["CVE-2026-1"], severity="MODERATE")
    desk.says("a", *BASE, advisory)
    desk.estate(2, rare=[("rare", 1)])
    assert set(desk.verdicts().values()) == {PASSED}
    desk.feed("kev", kind="kev")
    (desk.home / "kev.jsonl").write_text('{"vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-01-04"}]}')
    from holdfast.intel.importer import run_import

    assert run_import(desk.store, "kev").new == 1
    desk.drain()
    assert desk.verdicts()["model-0000"] is FAILED


def test_how_far_a_feed_may_go_can_be_changed_and_takes_effect(desk: Desk) -> None:
    from holdfast.core.domain.intelligence import Feed
    from holdfast.intel.register import register

    desk.feed("z")
    desk.says("z", *BASE)
    desk.feed("a")
    desk.says("a", *BASE, record("CVE-2026-1", "rare"))
    desk.estate(2, rare=[("rare", 1)])
    assert desk.verdicts()["model-0000"] is FAILED
    known: Feed = desk.read(lambda tx: tx.intel.feed("a")).feed
    for ceiling, verdict in ((Ceiling.WARN, PASSED), (Ceiling.BLOCK_NEW, FAILED)):
        desk.clock.advance(timedelta(minutes=1))
        desk.store.run(lambda tx, ceiling=ceiling: register(tx, replace(known, ceiling=ceiling)))
        desk.drain()
        assert desk.verdicts()["model-0000"] is verdict


def test_a_feed_that_may_not_count_does_not_date_what_is_known(desk: Desk) -> None:
    desk.feed("a")
    desk.feed("b", ceiling=Ceiling.OBSERVE)
    desk.says("b", *BASE)
    assert desk.read(snapshot) is None
    desk.clock.advance(timedelta(hours=1))
    desk.says("a", *BASE)
    assert desk.read(snapshot).dated == desk.clock()

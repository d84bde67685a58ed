"""One thing has one uid, whoever speaks of it, in whatever order, under whichever of its names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Severity, VersionRange
from holdfast.core.domain.advisory import Advisory, Technique
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Indicator, IntelItem, Tlp, revision_of
from holdfast.core.store.intel import Said
from holdfast.intel.identity import best_name, key_of, normal_name
from holdfast.intel.merge import merge, raised
from intel_desk import Desk, record

NOW = datetime(2026, 1, 5, tzinfo=UTC)
NAMES = ["CVE-2026-1", "GHSA-aaaa-bbbb-cccc", "PYSEC-2026-9", "OTHER-7"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cve-2026-1", "CVE-2026-1"),
        ("ghsa-AAAA-bbbb-cccc", "GHSA-aaaa-bbbb-cccc"),
        ("mal-2026-5303", "MAL-2026-5303"),
        ("SNYK-python-x", "SNYK-python-x"),
        ("", None),
        ("no spaces", None),
        ("x" * 101, None),
        ("CVE-2026-1\0", None),
    ],
)
def test_a_name_has_one_spelling(text: str, name: str | None) -> None:
    assert normal_name(text) == name


def test_the_best_name_leads_whatever_the_order() -> None:
    assert best_name(reversed(NAMES)) == best_name(NAMES) == "CVE-2026-1"
    assert best_name(["PYSEC-2026-9", "MAL-1"]) == "MAL-1"


def test_what_is_no_advisory_goes_by_its_own_key() -> None:
    assert key_of(Technique("AML.T0015", "n", "s")) == ("technique", "AML.T0015")
    assert key_of(Indicator("sha256", "ab")) == ("indicator", "sha256:ab")
    assert key_of(Advisory("CVE-1", "A_b", "", Severity.LOW)) == ("advisory", "CVE-1 in a-b")


@st.composite
def statements(draw: st.DrawFn) -> list[tuple[str, str, frozenset[str]]]:
    """(feed, own id, other names) of a few records on one package."""
    made = []
    for number in range(draw(st.integers(2, 5))):
        others = draw(st.frozensets(st.sampled_from(NAMES), max_size=2))
        made.append((draw(st.sampled_from("ab")), f"LOCAL-{number}", others))
    return made


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=statements(), order=st.randoms(use_true_random=False))
def test_the_order_in_which_feeds_are_read_changes_no_uid(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, str, frozenset[str]]], order: object
) -> None:
    shuffled = list(said)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (_uids(tmp_path_factory.mktemp("d"), one) for one in (said, shuffled))
    assert first == second


def _uids(home: Path, said: list[tuple[str, str, frozenset[str]]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Which uid each record has in the end, and what is in force; each record is its own feed, read one by one."""
    desk = Desk(None, home)
    with desk.store:
        for feed, native, others in said:
            name = f"{feed}-{native.lower()}"
            desk.feed(name)
            desk.says(name, record(native, "pkg", aliases=sorted(others)))
        everything = desk.read(
            lambda tx: [one for state in tx.intel.feeds() for one in tx.intel.of_feed(state.feed.id)]
        )
        return {one.item.native_id: one.item.uid for one in everything}, desk.read(
            lambda tx: tx.intel.digests_in_force()
        )


def test_an_id_learned_later_joins_what_was_apart_and_moves_its_effects(tmp_path: Path) -> None:
    desk = Desk(None, tmp_path)
    with desk.store:
        for name in "ab":
            desk.feed(name)
        desk.says("a", record("GHSA-aaaa-bbbb-cccc", "rare"))
        desk.says("b", record("PYSEC-2026-1", "rare"))
        desk.estate(2, rare=[("rare", 1)])
        assert len(desk.read(lambda tx: tx.intel.in_force())) == 2
        desk.says("b", record("PYSEC-2026-1", "rare", aliases=["GHSA-aaaa-bbbb-cccc", "CVE-2026-1"]))
        (one,) = desk.read(lambda tx: tx.intel.in_force())
        assert one.body.id == "CVE-2026-1"
        (causes,) = desk.effects("advisory").values()
        assert causes == (f"intel:{one.uid}@a", f"intel:{one.uid}@b")
        desk.says("b", record("PYSEC-2026-1", "rare"))
        assert {item.body.id for item in desk.read(lambda tx: tx.intel.in_force())} == {
            "GHSA-aaaa-bbbb-cccc",
            "PYSEC-2026-1",
        }


def test_one_name_in_two_packages_is_two_things(tmp_path: Path) -> None:
    desk = Desk(None, tmp_path)
    with desk.store:
        desk.feed("a")
        desk.says("a", record("PYSEC-1", "tf", aliases=["CVE-1"]), record("PYSEC-2", "tf-gpu", aliases=["CVE-1"]))
        assert len(desk.read(lambda tx: tx.intel.in_force())) == 2


FEEDS = {
    name: Feed(name, "osv", "x", trust, Ceiling.BLOCK_NEW, Tlp.CLEAR, NOW - datetime(2026, 1, 4, tzinfo=UTC))
    for name, trust in (("a", 90), ("b", 50), ("c", 50))
}
SPANS = st.builds(VersionRange, st.sampled_from([None, "1.0"]), st.sampled_from([None, "2.0", "3.0"]))
BODIES = st.builds(
    Advisory,
    st.sampled_from(NAMES),
    st.just("pkg"),
    st.sampled_from(["x", "y"]),
    st.sampled_from(list(Severity)),
    st.lists(SPANS, max_size=3).map(tuple),
    st.lists(st.sampled_from(["1.0", "1.5"]), max_size=2).map(tuple),
    st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    st.booleans(),
)


@given(st.lists(st.tuples(st.sampled_from("abc"), BODIES), min_size=1, max_size=5), st.randoms(), st.booleans())
def test_merging_knows_no_order_and_loses_nothing(
    said: list[tuple[str, Advisory]], order: object, exploited: bool
) -> None:
    items = [_said(feed, f"n{number}", body) for number, (feed, body) in enumerate(said)]
    one = merge(items, FEEDS, exploited=exploited)
    order.shuffle(items)  # type: ignore[attr-defined]
    assert merge(items, FEEDS, exploited=exploited) == one
    assert isinstance(one, Advisory)
    assert one.names == {name for _, body in said for name in body.names}
    assert set(one.ranges) == {span for _, body in said for span in body.ranges}
    assert set(one.versions) == {version for _, body in said for version in body.versions}
    rated = [body.severity for _, body in said if body.rated] or [body.severity for _, body in said]
    assert one.severity == (raised(max(rated)) if exploited else max(rated))


def _said(feed: str, native: str, body: Advisory) -> Said:
    kind, key = key_of(body)
    revision = revision_of(body, withdrawn=False)
    return Said(IntelItem(feed, native, revision, kind, key, "t", body.severity, Tlp.CLEAR, NOW, None, body), NOW, 1)

"""Signals become campaigns, campaigns become one alert each, the same on every replay."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.domain.alert import Signal
from holdfast.core.domain.severity import Severity
from holdfast.watch.campaigns import MAX_CLIENTS, PAUSE, alert_of, gather, is_grave, severity
from holdfast.watch.interface import EROSION, EVASION, EXTRACTION

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def signal(entity: str, minute: float = 0.0, **changes: object) -> Signal:
    plain = Signal(
        "watch.duplicates",
        "m",
        EVASION,
        entity,
        1.5,
        NOON + timedelta(minutes=minute),
        (f"e{entity}{minute}",),
        ("c1",),
        ("amount",),
        {"rows": 1},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_same_entity_or_client_joins_and_a_stranger_begins() -> None:
    found = gather(
        (),
        [
            signal("family:1"),
            signal("family:1", 1, clients=("c2",)),
            signal("client:c2", 2, clients=("c2",), detector="watch.boundary", columns=("time",)),
            signal("family:9", 3, clients=("other",)),
            signal("family:1", 4, technique=EXTRACTION),
            signal("family:1", 5, model="another"),
        ],
        NOON,
    )
    first = found.live[0]
    assert [campaign.entity for campaign in found.live] == ["family:1", "family:9", "family:1", "family:1"]
    assert first.signals == 3
    assert first.clients == ("c1", "c2")
    assert first.columns == ("amount", "time")
    assert first.detectors == ("watch.boundary", "watch.duplicates")
    assert first.entities == ("family:1", "client:c2")
    assert (first.started_at, first.last_at) == (NOON, NOON + timedelta(minutes=2))
    assert len({campaign.id for campaign in found.live}) == 4


def test_a_pause_ends_a_campaign_and_the_next_one_is_another() -> None:
    begun = gather((), [signal("family:1")], NOON)
    silent = gather(begun.live, [], NOON + PAUSE)
    assert silent.live == begun.live
    over = gather(begun.live, [], NOON + PAUSE + timedelta(seconds=1))
    assert (over.live, over.ended) == ((), begun.live)
    again = gather(begun.live, [signal("family:1", 361)], NOON + timedelta(minutes=361))
    assert again.ended == begun.live
    assert again.live[0].id != begun.live[0].id


def test_one_event_barely_above_a_bound_is_kept_but_told_to_nobody() -> None:
    (quiet,) = gather((), [signal("f", strength=1.1)], NOON).live
    (twice,) = gather((), [signal("f", strength=1.1, detail={"rows": 2})], NOON).live
    (clear,) = gather((), [signal("f", strength=1.3)], NOON).live
    assert [is_grave(item) for item in (quiet, twice, clear)] == [False, True, True]


@pytest.mark.parametrize(
    ("detectors", "technique", "strength", "expected"),
    [
        (("watch.duplicates",), EVASION, 1.3, Severity.HIGH),
        (("watch.contract",), EVASION, 1.3, Severity.MEDIUM),
        (("watch.contract", "watch.duplicates"), EVASION, 1.3, Severity.CRITICAL),
        (("watch.extraction",), EXTRACTION, 1.3, Severity.MEDIUM),
        (("watch.extraction",), EXTRACTION, 2.5, Severity.HIGH),
        (("watch.drift",), EROSION, 1.3, Severity.LOW),
        (("watch.drift",), EROSION, 9.0, Severity.MEDIUM),
    ],
)
def test_severity_says_what_was_seen_and_how_clearly(
    detectors: tuple[str, ...], technique: str, strength: float, expected: Severity
) -> None:
    signals = [signal("f", detector=name, technique=technique, strength=strength) for name in detectors]
    (campaign,) = gather((), signals, NOON).live
    assert severity(campaign) is expected
    alert = alert_of(campaign, "sha256:1", NOON)
    assert (alert.severity, alert.version, alert.model) == (expected, "sha256:1", "m")
    assert alert.id == "alr_" + campaign.id.removeprefix("cmp_")


ENTITIES = st.sampled_from(["family:1", "family:2", "client:c1", "newcomers"])
SIGNALS = st.lists(
    st.builds(
        signal,
        ENTITIES,
        st.integers(0, 2000).map(float),
        clients=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2).map(tuple),
        strength=st.floats(1, 10),
    ),
    max_size=40,
)


@given(SIGNALS, st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_gathering_in_parts_is_gathering_at_once(signals: list[Signal], cut: int) -> None:
    signals = sorted(signals, key=lambda item: item.at)
    whole = gather((), signals, None)
    first = gather((), signals[:cut], None)
    second = gather(first.live, signals[cut:], None)
    assert second.live == whole.live
    assert [item.id for item in (*first.ended, *second.ended)] == [item.id for item in whole.ended]
    assert sum(item.signals for item in (*whole.live, *whole.ended)) == len(signals)


def test_what_a_campaign_remembers_has_a_bound() -> None:
    many = [signal("family:1", n / 10, clients=(f"c{n}", "c")) for n in range(500)]
    (campaign,) = gather((), many, NOON).live
    assert campaign.signals == 500
    assert len(campaign.clients) == MAX_CLIENTS
    assert len(campaign.evidence) == 40
    assert len(campaign.events) == 100
    assert campaign.events[0] == many[0].events[0]
    assert campaign.events[-1] == many[-1].events[0]

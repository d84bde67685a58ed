"""Each detector: streams on which it must speak, and streams on which it must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import watchers
from holdfast.core.domain.alert import Signal
from holdfast.watch.interface import EROSION, EVASION, EXTRACTION, Context, start_all, step_all
from holdfast.watch.signals import NEWCOMERS

ROTATING = [f"new-{number}" for number in range(400)]


def declined_row() -> Any:
    honest = watchers.honest()
    return honest.X[np.flatnonzero(watchers.predict(honest.X) > 0.6)[5]]


def first_seen(signals: list[Signal], name: str) -> int:
    """The number, from 1, of an attacker's question that was the first above a bound."""
    numbers = [int(event.rpartition("-")[2]) for item in signals for event in item.events if event.startswith(name)]
    return min(numbers) + 1


def test_a_tool_that_breaks_the_contract_is_seen_within_five_questions() -> None:
    row = declined_row()
    X = np.repeat(row[None, :], 8, axis=0)
    X[:, 0] += 0.37 + np.arange(8)
    (signal,) = watchers.seen(watchers.asked(X, "tool"))["watch.contract"]
    assert first_seen([signal], "tool") <= 5
    assert (signal.entity, signal.technique) == ("client:intruder", EVASION)
    assert "amount.integer" in signal.detail["broken"]
    assert "amount" in signal.columns


def test_changing_the_client_does_not_hide_a_tool() -> None:
    X = np.repeat(declined_row()[None, :], 25, axis=0)
    X[:, 0] += 0.37 + np.arange(25)
    found = watchers.seen(watchers.asked(X, "tool", client=ROTATING[:25]))["watch.contract"]
    assert [signal.entity for signal in found] == [NEWCOMERS]


def test_a_retried_broken_request_is_one() -> None:
    X = np.repeat(declined_row()[None, :] + 0.37, 30, axis=0)
    assert "watch.contract" not in watchers.seen(watchers.asked(X, "retry"))


def test_who_always_sends_broken_rows_is_told_of_once_at_most() -> None:
    """The simulated partner that rounds derived columns breaks the contract in every event, and is no news."""
    fresh = watchers.honest_table().slice(watchers.WARM)
    broken = ~watchers.CONTRACT.validate(watchers.batch(fresh).X).valid
    assert broken.sum() > 20
    assert "watch.contract" not in watchers.seen(fresh)


def test_a_new_sloppy_client_becomes_a_habit() -> None:
    """It is told of, once; a thousand events later it is what that client always does."""
    X = watchers.honest().X[:1200].copy()
    X[:, watchers.CONTRACT.index("limit_share")] += 0.001
    batch = watchers.batch(watchers.asked(X, "sloppy", every=1))
    states, early = step_all(watchers.learned(), batch.rows(slice(0, 1000)), watchers.CONTEXT)
    _, late = step_all(states, batch.rows(slice(1000, None)), watchers.CONTEXT)
    assert "watch.contract" in {signal.detector for signal in early}
    assert "watch.contract" not in {signal.detector for signal in late}


@pytest.mark.parametrize("clients", ["intruder", ROTATING[:12]], ids=["one client", "rotating"])
def test_new_people_around_one_case_are_seen_whoever_asks(clients: Any) -> None:
    found = watchers.seen(watchers.asked(watchers.near(declined_row(), 12), "search", client=clients))
    (signal,) = found["watch.duplicates"]
    assert first_seen([signal], "search") <= 6
    assert signal.technique == EVASION
    movable = {feature.name for feature in watchers.CONTRACT.features if feature.movable}
    assert signal.columns
    assert set(signal.columns) <= movable
    assert signal.detail["distance_median"] < 0.2


def test_moves_of_every_column_are_seen_too() -> None:
    random = np.random.default_rng(5)
    row = declined_row()
    own = [place for place, feature in enumerate(watchers.CONTRACT.features) if feature.derived is None]
    X = np.repeat(row[None, :], 30, axis=0)
    X[:, own] = X[:, own] * np.exp(0.02 * random.standard_normal((30, len(own))))
    X = watchers.CONTRACT.round(X)
    assert "watch.duplicates" in watchers.seen(watchers.asked(X, "search"))


def test_forty_what_ifs_about_one_person_are_honest_and_two_hundred_are_not() -> None:
    row = declined_row()
    few, many = (watchers.asked(watchers.near(row, n), "play", subject="ana") for n in (40, 200))
    assert "watch.duplicates" not in watchers.seen(few)
    assert "watch.duplicates" in watchers.seen(many)


def test_without_subjects_a_long_search_of_one_client_is_seen_and_a_short_one_is_not() -> None:
    row = declined_row()
    short, long = (watchers.asked(watchers.near(row, n), "search", subject=None) for n in (30, 150))
    assert "watch.duplicates" not in watchers.seen(short, subjects=False)
    assert "watch.duplicates" in watchers.seen(long, subjects=False)


def test_the_detector_says_when_it_sees_less() -> None:
    from holdfast.watch.interface import DETECTORS

    item, state = DETECTORS.get("watch.duplicates"), watchers.learned(subjects=False)["watch.duplicates"]
    assert "no subject" in item.note(state, watchers.CONTEXT)
    assert "no subject" not in item.note(watchers.learned()["watch.duplicates"], watchers.CONTEXT)


def test_thin_files_that_are_alike_are_usual() -> None:
    """Many people who are nearly one, as they have been from the start."""
    X = watchers.honest(11).X
    twins = watchers.near(X[3], 400)
    mixed = np.concatenate([np.stack([a, b]) for a, b in zip(X[:400], twins, strict=True)])
    table = watchers.asked(mixed, "thin", client=["branch"] * len(mixed), every=5)
    context = Context(watchers.MODEL, watchers.CONTRACT, learning=400)
    _, signals = step_all(start_all(context), watchers.batch(table), context)
    assert [signal for signal in signals if signal.detector == "watch.duplicates"] == []


def test_a_client_that_stays_beside_the_threshold_is_seen() -> None:
    honest = watchers.honest()
    beside = honest.X[np.argsort(np.abs(watchers.predict(honest.X) - 0.5))[:80]]
    found = watchers.seen(watchers.asked(beside, "probe"))["watch.boundary"]
    assert {signal.entity for signal in found} >= {"client:intruder"}
    assert all(0.3 < signal.detail["score_lowest"] <= signal.detail["score_highest"] < 0.7 for signal in found)


def test_one_borderline_person_asked_about_often_is_no_probing() -> None:
    honest = watchers.honest()
    beside = honest.X[np.argsort(np.abs(watchers.predict(honest.X) - 0.5))[:1]]
    found = watchers.seen(watchers.asked(np.repeat(beside, 50, axis=0), "case", subject="ana"))
    assert "watch.boundary" not in found


def test_made_up_people_are_seen_as_copying() -> None:
    random = np.random.default_rng(3)
    X = watchers.honest().X
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    made_up = watchers.CONTRACT.round(random.uniform(low, high, (120, X.shape[1])))
    made_up = made_up[watchers.CONTRACT.validate(made_up).valid]
    found = watchers.seen(watchers.asked(made_up, "copy"))["watch.extraction"]
    assert {signal.technique for signal in found} == {EXTRACTION}
    assert first_seen(found, "copy") <= 25


def test_other_honest_people_are_not_copying() -> None:
    others = watchers.honest(23).X[:500]
    assert "watch.extraction" not in watchers.seen(watchers.asked(others, "branch", every=10))


def drifting(shift: float) -> pa.Table:
    X = watchers.honest().X.copy()
    amount = watchers.CONTRACT.index("amount")
    X[4_000:, amount] = np.minimum(X[4_000:, amount] * shift, 1_400_000)
    return watchers.asked(watchers.CONTRACT.round(X), "all", every=1, client="branch")


@pytest.mark.parametrize(("shift", "expected"), [(1.0, 0), (4.0, 1)])
def test_lasting_drift_is_told_once_and_names_the_columns(shift: float, expected: int) -> None:
    context = Context(watchers.MODEL, watchers.CONTRACT, learning=500)
    from holdfast.watch.interface import DETECTORS

    item = DETECTORS.get("watch.drift")
    _, signals = item.step(item.start(context), watchers.batch(drifting(shift)), context)
    assert len(signals) == expected
    for signal in signals:
        assert signal.technique == EROSION
        assert "amount" in signal.columns

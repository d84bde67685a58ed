"""Simulated traffic: possible, seeded, and as awkward as honest traffic is."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.testing.simulate import Simulation, card_fraud, credit_default
from holdfast.testing.traffic import Habits, Stream, benign

BANKS = pytest.mark.parametrize("simulate", [card_fraud, credit_default])


@BANKS
def test_the_same_seed_gives_the_same_traffic_and_another_another(simulate: type[Simulation]) -> None:
    one, two, other = (benign(simulate, 2_000, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.time, two.time)
    assert (one.client == two.client).all()
    assert not np.array_equal(one.X, other.X, equal_nan=True)


@BANKS
def test_it_is_in_order_and_possible_but_for_the_sloppy(simulate: type[Simulation]) -> None:
    stream = benign(simulate, 5_000, 3)
    assert len(stream) == 5_000
    assert (np.diff(stream.time) >= 0).all()
    broken = ~stream.contract.validate(stream.X).valid
    assert set(np.unique(stream.client[broken])) == {"client-07", "client-11"}


def test_what_makes_it_awkward_is_there() -> None:
    stream = benign(card_fraud, 20_000, 4)
    _, visits = np.unique(stream.person, return_counts=True)
    assert visits.max() > 10 * np.median(visits)
    names, share = np.unique(stream.client, return_counts=True)
    assert share.max() / len(stream) > 0.1
    assert {"batch-0"} <= set(names)
    assert _repeats(stream) > 100
    assert _people_alike(stream) > 10


def _repeats(stream: Stream) -> int:
    """Events equal to another of the same person."""
    rows = np.column_stack([stream.person, np.nan_to_num(stream.X, nan=-1)])
    return len(rows) - len(np.unique(rows, axis=0))


def _people_alike(stream: Stream) -> int:
    """The most people who share all that nobody moves."""
    fixed = [place for place, feature in enumerate(stream.contract.features) if feature.move == "never"]
    fixed = [place for place in fixed if stream.contract.features[place].derived is None]
    _, where = np.unique(stream.X[:, fixed], axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack([where.reshape(-1), stream.person]), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


def test_habits_can_be_left_out() -> None:
    plain = Habits(thin_people=0, household_people=0, retried_visits=0, whatif_visits=0, batch_events=0, slip_share=0)
    stream = benign(card_fraud, 3_000, 5, plain)
    assert len(stream) == 3_000
    assert not any(name.startswith("batch") for name in np.unique(stream.client))


def test_events_carry_what_detection_reads() -> None:
    stream = benign(credit_default, 300, 6)
    scores = np.linspace(0, 1, 300)
    named, nameless = (stream.table("m", scores, subjects=subjects) for subjects in (True, False))
    assert named["subject"].null_count == 0
    assert nameless["subject"].null_count == 300
    assert set(named["decision"].to_pylist()) == {"accepted", "declined"}
    assert named.schema.field("features").type.num_fields == len(stream.contract.features)

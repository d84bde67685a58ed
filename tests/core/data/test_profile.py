"""Profiles and drift against what they are defined to be, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from holdfast.core.data.drift import BINS, drift
from holdfast.core.data.profile import MAX_LEVELS, Kind, profile
from holdfast.core.data.table import Table

RNG = np.random.default_rng(3)


def one(values: object) -> Table:
    return Table.of({"c": values})


def column(values: object):
    return profile(one(values)).columns[0]


def test_a_number_column() -> None:
    values = np.array([1.5, 2.5, np.nan, 2.5, 10.0])
    found = column(values)
    assert (found.kind, found.n, found.missing, found.distinct) == (Kind.NUMBER, 5, pytest.approx(0.2), 3)
    assert (found.min, found.max, found.mean) == (1.5, 10.0, np.nanmean(values))
    assert found.std == pytest.approx(np.nanstd(values))
    assert found.top[0] == (2.5, 2)
    assert dict(found.quantiles)[0.5] == 2.5
    assert found.below == (0.25, 0.75, 1.0)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([1, 2]), Kind.INTEGER),
        (np.array([1.0, np.nan]), Kind.INTEGER),
        (np.array([1.5]), Kind.NUMBER),
        (np.array([1.0, np.inf]), Kind.NUMBER),
        (np.array([True, False]), Kind.BOOLEAN),
        (np.array(["a", None], dtype=object), Kind.TEXT),
        (np.array([np.nan]), Kind.EMPTY),
        (np.array([None], dtype=object), Kind.EMPTY),
    ],
    ids=str,
)
def test_kinds(values: np.ndarray, kind: Kind) -> None:
    assert column(values).kind is kind


def test_infinities_are_counted_and_kept_out_of_the_mean() -> None:
    found = column(np.array([1.0, 3.0, np.inf, -np.inf]))
    assert (found.infinite, found.mean, found.max) == (2, 2.0, np.inf)


def test_many_values_are_not_kept_one_by_one() -> None:
    found = column(RNG.normal(size=5000))
    assert found.levels == ()
    assert found.distinct == 5000
    assert 90 <= len(found.points) <= 101
    assert len(column(np.arange(MAX_LEVELS)).levels) == MAX_LEVELS


def test_constant_columns_are_named() -> None:
    found = profile(
        Table.of({"same": np.ones(3), "gap": np.array([1.0, np.nan, 1.0]), "none": np.full(3, np.nan), "x": [1, 2, 3]})
    )
    assert found.constant == ("same", "none")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy's p-value, which is not asked for
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=200),
    st.lists(st.integers(-5, 45), min_size=1, max_size=200),
)
def test_the_distance_of_few_values_is_exactly_kolmogorov_smirnov(before: list[int], after: list[int]) -> None:
    found = drift(profile(one(np.array(before))), one(np.array(after))).columns[0]
    assert found.distance == pytest.approx(stats.ks_2samp(before, after, method="asymp").statistic)


def test_the_distance_of_many_values_is_near_kolmogorov_smirnov() -> None:
    before, after = RNG.normal(size=4000), RNG.normal(0.4, 1.3, size=3000)
    found = drift(profile(one(before)), one(after)).columns[0]
    assert found.distance == pytest.approx(stats.ks_2samp(before, after, method="asymp").statistic, abs=0.011)


def test_psi_by_hand() -> None:
    """Two values, 50/50 before and 80/20 after: 0.3 ln(1.6) + (-0.3) ln(0.4)."""
    before, after = np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [80, 20])
    expected = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    for make in (np.asarray, lambda values: np.where(values == 0, "no", "yes").astype(object)):
        assert drift(profile(one(make(before))), one(make(after))).columns[0].psi == pytest.approx(expected)


def test_psi_over_deciles_by_hand() -> None:
    before, after = RNG.normal(size=10_000), RNG.normal(0.5, 1, size=10_000)
    edges = np.quantile(before, np.arange(1, BINS) / BINS, method="inverted_cdf")
    p, q = (
        np.bincount(np.searchsorted(edges, values, side="left"), minlength=BINS) / len(values)
        for values in (before, after)
    )
    found = drift(profile(one(before)), one(after)).columns[0]
    assert found.psi == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=0.02)
    assert found.psi > 0.2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=400))
def test_nothing_drifts_from_itself(values: list[float | None]) -> None:
    table = one(np.array([np.nan if value is None else value for value in values]))
    found = drift(profile(table), table).columns[0]
    assert (found.psi, found.distance) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))
    assert (found.missing_change, found.outside, found.new) == (0, 0, ())


def test_new_missing_and_outside_values_are_told() -> None:
    reference = profile(Table.of({"n": np.arange(10.0), "t": np.array(["a", "b"] * 5, dtype=object)}))
    later = Table.of(
        {"n": np.array([1.0, 99.0, np.nan, -5.0]), "t": np.array(["a", "c", None, "d"], dtype=object)},
    )
    number, text = drift(reference, later).columns
    assert number.outside == pytest.approx(2 / 3)
    assert number.missing_change == pytest.approx(0.25)
    assert number.new == (-5.0, 99.0)
    assert text.new == ("c", "d")
    assert text.new_share == pytest.approx(2 / 3)
    assert text.psi > 1


def test_tables_of_other_columns() -> None:
    reference = profile(Table.of({"a": [1.0], "b": [1.0], "was_number": [1.0], "was_empty": [np.nan]}))
    text = np.array(["x"], dtype=object)
    found = drift(reference, Table.of({"b": [2.0], "c": [1.0], "was_number": text, "was_empty": text}))
    assert (found.absent, found.added, found.retyped) == (("a",), ("c",), ("was_number",))
    assert [column.name for column in found.columns] == ["b", "was_empty"]
    assert found.worst is not None


def test_a_column_that_became_empty_or_full() -> None:
    full, empty = one(np.arange(5.0)), one(np.full(5, np.nan))
    for before, after in ((full, empty), (empty, full)):
        found = drift(profile(before), after).columns[0]
        assert abs(found.missing_change) == 1
        assert found.psi > 1
        assert np.isfinite(found.psi)

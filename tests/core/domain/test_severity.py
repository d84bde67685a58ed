"""Severity and tier are words with an order, and compare with words read from files."""

from __future__ import annotations

import itertools

import pytest

from holdfast.core.domain import Severity, Tier


@pytest.mark.parametrize("scale", [Severity, Tier])
def test_the_order_is_the_order_they_are_written_in(scale: type[Severity] | type[Tier]) -> None:
    members = list(scale)
    for low, high in itertools.combinations(members, 2):
        assert low < high
        assert low <= high
        assert high > low
        assert high >= low
        assert low < high.value
    assert min(members) is members[0]
    assert max(members) is members[-1]


def test_a_word_that_is_no_severity_does_not_compare() -> None:
    with pytest.raises(ValueError, match="urgent"):
        _ = Severity.LOW < "urgent"


def test_they_are_their_words() -> None:
    assert f"{Severity.HIGH}" == "high"
    assert Tier("critical") is Tier.CRITICAL

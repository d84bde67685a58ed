"""Whatever was said and taken back on the way: effects, intelligence and verdicts are those of what is said now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Verdict
from intel_desk import Desk, record

BASE = [record("CVE-2025-1", "unused")]
POOL = [
    record("CVE-2026-1", "rare"),
    record("MAL-2026-1", "rare", versions=["1.0"]),
    record("PYSEC-2026-1", "rare", aliases=["CVE-2026-1"], severity="LOW"),
    record("MAL-2026-2", "other", versions=["1.0", "1.1"], aliases=["GHSA-aaaa-bbbb-cccc"]),
]
SAYINGS = st.tuples(st.sampled_from("ab"), st.sets(st.integers(0, len(POOL) - 1)))
Outcome = tuple[tuple[str, str | None], dict[str, Verdict]]


def play(desk: Desk, sayings: list[tuple[str, set[int]]]) -> Outcome:
    with desk.store:
        for name, trust in (("a", 90), ("b", 50)):
            desk.feed(name, trust=trust)
            desk.says(name, *BASE)
        desk.estate(2, rare=[("rare", 1), ("other", 1)])
        for name, said in sayings:
            desk.clock.advance(timedelta(minutes=1))
            desk.says(name, *BASE, *(POOL[number] for number in sorted(said)))
        return desk.state(), desk.verdicts()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sayings=st.lists(SAYINGS, min_size=1, max_size=5))
def test_only_what_is_said_now_counts(
    tmp_path_factory: pytest.TempPathFactory, sayings: list[tuple[str, set[int]]]
) -> None:
    final = [(name, said) for name, said in dict(sayings).items()]
    assert play(Desk(None, tmp_path_factory.mktemp("long")), sayings) == play(
        Desk(None, tmp_path_factory.mktemp("short")), sorted(final)
    )

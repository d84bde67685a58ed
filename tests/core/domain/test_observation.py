"""Observations collect what was seen, in order; unknown is an answer with a reason."""

from __future__ import annotations

import dataclasses

import pytest

from holdfast.core.domain import Fact, Measurement, Observation, Status

FACT = Fact("import", "os.system", offset=812, member="data.pkl")
AUC = Measurement("quality.auc", 0.9, "share", n=100)
RECALL = Measurement("evasion.robust_recall", 0.2, "share", at={"linf": 0.005}, n=200, seed=0)


def test_facts_and_measurements_are_sorted_apart_and_keep_their_order() -> None:
    seen = Observation.of(RECALL, [FACT, AUC], FACT, iter([RECALL]))
    assert seen.status is Status.MEASURED
    assert seen.facts == (FACT, FACT)
    assert seen.measurements == (RECALL, AUC, RECALL)
    assert seen.reason is None


def test_unknown_carries_its_reason_and_what_was_seen_on_the_way() -> None:
    seen = Observation.unknown("budget spent", FACT)
    assert (seen.status, seen.reason, seen.facts, seen.measurements) == (Status.UNKNOWN, "budget spent", (FACT,), ())


@pytest.mark.parametrize("value", [FACT, AUC, Observation.of(FACT)])
def test_what_was_seen_cannot_be_changed(value: object) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        setattr(value, "reason" if isinstance(value, Observation) else "value", "other")

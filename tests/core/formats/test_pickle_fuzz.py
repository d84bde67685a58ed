"""Damaged pickles against CPython: a seeded sample of `benchmarks/fuzz.py`, and that its checks can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.core.formats.pickle import Reading

REPO = Path(__file__).resolve().parents[3]
SEED = 20261124
CASES = 4_000


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("numba", reason="every other case is read in compiled strides")
    monkeypatch.syspath_prepend(str(REPO))
    import benchmarks.fuzz

    return benchmarks.fuzz


def test_no_damaged_stream_hides_a_name_or_makes_the_reader_raise(fuzz: Any) -> None:
    (tally,) = fuzz.batches(CASES, SEED)
    assert (tally.hidden, tally.failed, tally.lost) == (0, 0, 0), tally.examples
    assert tally.cases == CASES
    assert tally.looked_up > 1_000


def test_a_reader_that_misses_names_is_noticed(fuzz: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "read_pickles", lambda data: Reading((), (), len(data), 0, 0))
    assert fuzz.hides(fuzz.HOSTILE[0], fuzz.looked_up(fuzz.HOSTILE[0]), strides=False)


def test_a_reader_that_raises_is_noticed(fuzz: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Reading:
        raise OverflowError

    monkeypatch.setattr(fuzz, "read_pickles", broken)
    monkeypatch.setattr(fuzz, "read_facts", broken)
    monkeypatch.setattr(fuzz, "_looked_up_in_time", fuzz.looked_up)
    tally = fuzz.batch(SEED, 50)
    assert tally.failed > 0
    assert tally.examples

"""Both libraries behind one face: what is saved is what was trained, and a shift moves every margin alike."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.core.formats.margins import margins
from holdfast.core.formats.read import read_buffer
from holdfast.core.learn.interface import Growth, Learner
from holdfast.core.learn.learners import learner_of, threads

RNG = np.random.default_rng(3)
X = RNG.normal(size=(600, 3))
Y = (X[:, 0] - 0.5 * X[:, 1] + RNG.normal(scale=0.3, size=600) > 0).astype(float)
ORDER, NAMES = (2, 0, 1), ("c", "a", "b")
SOURCES = ("xgboost-json", "xgboost-ubj", "lightgbm-text")


def fit(learner: Learner, monotone: tuple[int, ...] = (0, 0, 0), bins: int = 256):
    return learner.fit(X, Y, np.ones(600), Growth(trees=20, bins=bins, min_leaf=2), monotone, 7)


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_saved_is_what_was_trained(source: str) -> None:
    fitted = fit(learner_of(source, ORDER, NAMES))
    model = read_buffer(fitted.save())
    assert model.ensemble.source == source
    assert model.columns_given == NAMES
    assert margins(model.ensemble, X[:, ORDER])[:, 0] == pytest.approx(fitted.margins(X), abs=1e-5)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("shift", [-1.7, 0.0, 2.25])
def test_a_shift_moves_every_margin_alike(source: str, shift: float) -> None:
    fitted = fit(learner_of(source, ORDER, NAMES))
    moved = fitted.shifted(shift)
    assert moved.margins(X) == pytest.approx(fitted.margins(X) + shift, abs=1e-5)
    read = margins(read_buffer(moved.save()).ensemble, X[:, ORDER])[:, 0]
    assert read == pytest.approx(fitted.margins(X) + shift, abs=1e-5)


@pytest.mark.parametrize("source", SOURCES)
def test_directions_and_bins_are_kept(source: str) -> None:
    fitted = fit(learner_of(source, ORDER, NAMES), (1, -1, 0), bins=8)
    row = np.tile(X[0], (50, 1))
    row[:, 0] = np.linspace(-3, 3, 50)
    assert (np.diff(fitted.margins(row)) >= -1e-9).all()
    row[:, 0], row[:, 1] = X[0, 0], np.linspace(-3, 3, 50)
    assert (np.diff(fitted.margins(row)) <= 1e-9).all()
    assert all(cuts.size <= 8 for cuts in fitted.cuts().values())


@pytest.mark.parametrize("source", SOURCES)
def test_the_same_seed_gives_the_same_bytes(source: str) -> None:
    learner = learner_of(source, ORDER, NAMES)
    assert fit(learner).save() == fit(learner).save()


def test_threads_depend_on_the_rows_alone() -> None:
    assert [threads(n) for n in (10, 60_000, 10_000_000)] == [1, 2, 2]

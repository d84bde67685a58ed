"""Every learner gives shares of classes, the same for the same seed, whatever the rows lack."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.core.learn.classifiers import Problem, fit
from holdfast.core.learn.design import Design, Library

RNG = np.random.default_rng(2)
X = RNG.normal(size=(240, 4))
X[:, 3] = RNG.integers(0, 3, 240)
X[::17, 1] = np.nan
TWO = (X[:, 0] > 0).astype(np.int64)
THREE = np.digitize(X[:, 0], [-0.5, 0.5]).astype(np.int64)
SMALL = {"trees": 12, "depth": 3, "rate": 0.3, "min_rows": 2}


@pytest.mark.parametrize("library", list(Library))
@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two classes", "three"])
def test_shares_of_classes_that_follow_the_labels(library: Library, labels: np.ndarray) -> None:
    k = int(labels.max()) + 1
    shares = fit(Design(library, **SMALL), Problem(k, (3,)), X, labels, 5)(X)
    assert shares.shape == (240, k)
    assert shares.min() >= 0
    assert shares.sum(axis=1) == pytest.approx(np.ones(240), abs=1e-5)
    # A net's fixed rounds are few on so few rows.
    assert (shares.argmax(axis=1) == labels).mean() > (0.45 if library is Library.NET else 0.75)


@pytest.mark.parametrize("library", [Library.XGBOOST, Library.FOREST, Library.NET])
def test_the_seed_alone_decides(library: Library) -> None:
    design = Design(library, **SMALL, row_share=0.7)
    one, two, other = (fit(design, Problem(2), X, TWO, seed)(X) for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()


def test_a_class_that_is_not_trained_on_gets_nothing() -> None:
    shares = fit(Design(Library.HISTOGRAM, **SMALL), Problem(3), X, TWO, 0)(X)
    assert (shares[:, 2] == 0).all()
    alone = fit(Design(Library.XGBOOST, **SMALL), Problem(3), X, np.full(240, 2), 0)(X)
    assert (alone == [0, 0, 1]).all()

"""Attackers: they only ask, they get somewhere, and what they send is of the form they claim."""

from __future__ import annotations

import numpy as np
import pytest

import watchers
from holdfast.testing.attackers import ATTACKERS, Campaign, Case, Form, distance, first_success, run

FORMS = pytest.mark.parametrize("form", list(Form))
KINDS = pytest.mark.parametrize("kind", sorted(ATTACKERS))


def case(number: int = 0) -> Case:
    X = watchers.honest().X
    X = X[watchers.CONTRACT.validate(X).valid]
    scores = watchers.predict(X)
    declined = X[(scores >= 0.5) & (scores < 0.7)][number]
    accepted = X[scores < 0.5]
    own = np.array([place for place, item in enumerate(watchers.CONTRACT.features) if item.derived is None])
    return Case(declined, accepted, accepted[:50], watchers.CONTRACT.scales(X), own)


def attack(kind: str, form: Form, *, number: int = 0, budget: int = 80, seed: int = 1) -> Campaign:
    return run(kind, form, case(number), predict=watchers.predict, contract=watchers.CONTRACT, seed=seed, budget=budget)


@KINDS
@FORMS
def test_questions_are_counted_kept_and_of_the_form(kind: str, form: Form) -> None:
    made = attack(kind, form)
    assert len(made.X) == len(made.scores) == 80
    np.testing.assert_allclose(made.scores, watchers.predict(made.X))
    np.testing.assert_array_equal(made.X[0], case().origin)
    was = np.repeat(case().origin[None, :], 80, axis=0)
    if form is Form.PROJECTED:
        assert watchers.CONTRACT.validate(made.X, was).valid.all()
    elif form is Form.FREE:
        np.testing.assert_array_equal(watchers.CONTRACT.round(made.X), made.X)
    else:
        assert not watchers.CONTRACT.validate(made.X).valid[1:].all()


@KINDS
def test_the_same_seed_asks_the_same(kind: str) -> None:
    one, two, other = (attack(kind, Form.PROJECTED, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.X, two.X)
    assert not np.array_equal(one.X, other.X, equal_nan=True)


@KINDS
def test_attackers_get_somewhere(kind: str) -> None:
    """Against a smooth score most cases near the threshold can be brought across."""
    made = [attack(kind, Form.FREE, number=number, budget=200) for number in range(4)]
    assert sum((one.scores < 0.5).any() for one in made) >= 2


def test_success_is_near_and_accepted() -> None:
    given = case()
    nearest = distance(watchers.CONTRACT, given.accepted, given.origin, given.units).argmin()
    far = given.accepted[nearest]
    half = given.origin + 0.4 * (far - given.origin)
    X = np.array([given.origin, far, half])
    assert first_success(X, np.array([0.9, 0.1, 0.6]), given, watchers.CONTRACT, 0.5) is None
    assert first_success(X, np.array([0.9, 0.1, 0.4]), given, watchers.CONTRACT, 0.5) == 2

"""Simulated tables keep their own contracts, for every seed, and leave something to learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.contract import Contract
from holdfast.testing.simulate import Simulation, card_fraud, churn, credit_default, money_laundering

TABLES = (card_fraud, credit_default, money_laundering, churn)
KINDS = pytest.mark.parametrize("simulate", TABLES, ids=lambda kind: kind.__name__)
Simulate = Callable[[int, int], Simulation]


@KINDS
@given(seed=st.integers(0, 2**63), n=st.integers(200, 1500))
@settings(max_examples=15, deadline=None)
def test_every_row_keeps_the_contract(simulate: Simulate, seed: int, n: int) -> None:
    table = simulate(n, seed)
    contract = Contract.parse(table.contract, "simulated")
    assert contract.names == tuple(table.features)
    assert {len(values) for values in table.columns.values()} == {n}
    validity = contract.validate(contract.encode(table.features))
    assert validity.valid.all(), validity.broken


@KINDS
def test_a_seed_is_a_table(simulate: Simulate) -> None:
    first, again, other = simulate(300, 7), simulate(300, 7), simulate(300, 8)
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, again.columns[name])
    assert any(not np.array_equal(values, other.columns[name]) for name, values in first.columns.items())


@KINDS
@pytest.mark.parametrize("seed", range(4))
def test_there_is_something_to_learn_and_something_missing(simulate: Simulate, seed: int) -> None:
    table = simulate(4000, seed)
    label = table.columns[table.label]
    assert set(np.unique(label)) == {0, 1}
    assert 0.05 < label.mean() < 0.25
    missing = any(np.isnan(np.asarray(values, dtype=float)).any() for values in table.features.values())
    assert missing is (simulate is not churn), "an ONNX model made by scikit-learn takes no missing values"
    gaps = [_separation(np.asarray(values, dtype=float), label) for values in table.features.values()]
    assert max(gaps) > 0.7
    assert max(gaps) < 0.99, "one column gives the answer away"


def _separation(values: np.ndarray, label: np.ndarray) -> float:
    """Area under the curve of one column alone."""
    known = ~np.isnan(values)
    ranks = values[known].argsort().argsort()
    positive = label[known] == 1
    area = (ranks[positive].mean() - (positive.sum() - 1) / 2) / (~positive).sum()
    return float(max(area, 1 - area))


@KINDS
def test_a_split_keeps_every_row_once(simulate: Simulate) -> None:
    table = simulate(1000, 3)
    train, test = table.split(0.7)
    for name, values in table.columns.items():
        assert len(train[name]) == 700
        np.testing.assert_array_equal(np.concatenate([train[name], test[name]]), values)

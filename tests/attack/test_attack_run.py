"""The room's front door: one function, any method, errors that say what to do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from forests import forest, target_of
from holdfast.attack import Budget, EvasionResult, Goal, attack, proven_share, robust_share, warm_up
from holdfast.attack.evasion.kernels.search import search_row
from holdfast.attack.interface import ATTACKS
from holdfast.core.contract import Contract
from holdfast.core.errors import UsageError

CONTRACT = Contract.parse("version: 1\nfeatures:\n  a: {type: number, min: 0, max: 9, move: any}\n")
TARGET = target_of(forest(np.random.default_rng(0), [np.arange(1.0, 9.0)]), CONTRACT)


def run(rows: np.ndarray, scales: np.ndarray, method: str = "evasion.search") -> EvasionResult:
    return attack(TARGET, rows, goal=Goal(0), budget=Budget(), contract=CONTRACT, scales=scales, seed=1, method=method)


def test_the_own_attacks_are_registered() -> None:
    spec = dict(ATTACKS)["evasion.search"]
    assert spec.id == "evasion.search"
    assert spec.needs == ("trees",)


def test_an_unknown_method_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="serach") as caught:
        run(np.ones((1, 1)), np.ones(1), "evasion.serach")
    assert "evasion.search" in caught.value.fix


@pytest.mark.parametrize(
    ("rows", "scales"),
    [
        (np.ones((0, 1)), np.ones(1)),
        (np.ones((2, 3)), np.ones(1)),
        (np.ones(3), np.ones(1)),
        (np.ones((2, 1)), np.zeros(1)),
        (np.ones((2, 1)), np.array([np.inf])),
        (np.ones((2, 1)), np.ones(2)),
    ],
)
def test_rows_and_units_that_do_not_fit_are_refused(rows: np.ndarray, scales: np.ndarray) -> None:
    with pytest.raises(UsageError) as caught:
        run(rows, scales)
    assert caught.value.code == "HF-ATK-004"


def test_a_target_that_lacks_what_an_attack_needs_is_refused() -> None:
    class Nothing:
        contract = CONTRACT
        faces = ()

    with pytest.raises(UsageError, match="cannot attack this target") as caught:
        attack(Nothing(), np.ones((1, 1)), goal=Goal(0), budget=Budget(), contract=CONTRACT, scales=np.ones(1))
    assert caught.value.code == "HF-ATK-007"
    assert "trees" in caught.value.cause


def test_a_target_of_another_input_space_is_refused() -> None:
    other = Contract.parse("version: 1\nfeatures:\n  a: {type: integer, min: 0, max: 9, move: any}\n")
    with pytest.raises(UsageError, match="cannot be attacked"):
        attack(TARGET, np.ones((1, 1)), goal=Goal(0), budget=Budget(), contract=other, scales=np.ones(1))


def test_a_stricter_contract_of_the_same_space_is_fine() -> None:
    stricter = Contract.parse("version: 1\nfeatures:\n  a: {type: number, min: 0, max: 5, move: never}\n")
    found = attack(TARGET, np.ones((1, 1)), goal=Goal(0), budget=Budget(), contract=stricter, scales=np.ones(1))
    assert found.valid.all()


def test_the_rows_handed_in_are_not_changed() -> None:
    rows = np.array([[1.5], [7.5]])
    before = rows.copy()
    run(rows, np.array([9.0]))
    np.testing.assert_array_equal(rows, before)


def test_warming_up_compiles_what_an_attack_needs() -> None:
    warm_up()
    kernels = len(search_row.signatures)
    run(np.array([[1.5], [7.5]]), np.array([9.0]))
    assert len(search_row.signatures) == kernels == 1


def test_shares_of_no_rows_are_no_shares() -> None:
    empty = np.zeros(0)
    result = EvasionResult(
        success=empty.astype(bool),
        adversarial=np.zeros((0, 1)),
        linf=empty,
        floor=empty,
        cost=empty,
        valid=empty.astype(bool),
        nodes=empty.astype(np.int64),
        exhausted=empty.astype(bool),
        seed=0,
        method="evasion.search",
        distance=empty,
        queries=empty.astype(np.int64),
    )
    assert robust_share(result, [0.1]) == proven_share(result, [0.1]) == {}
    assert result.success_share == 0.0


def test_importing_the_room_loads_neither_numpy_nor_numba() -> None:
    probe = "import sys, holdfast.attack; sys.exit(bool({'numpy', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0

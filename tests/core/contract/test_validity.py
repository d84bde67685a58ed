"""What makes a row impossible."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast.core.contract import Contract
from holdfast.core.errors import ContractError

CONTRACT = Contract.parse("""\
version: 1
features:
  LIMIT:  {type: number, min: 1000, max: 9000, move: never}
  SEX:    {type: category, values: [1, 2], move: never}
  BILL:   {type: integer, min: 0, move: down, missing: true}
  PAY:    {type: integer, min: 0, max: 500, move: up}
  FREE:   {type: number, move: any, missing: true}
  UTIL:   {type: number, derived: BILL / LIMIT, missing: true}
  A:      {type: integer, min: 0, max: 1, move: any}
  B:      {type: integer, min: 0, max: 1, move: any}
groups:
  - {one_hot: [A, B]}
relations:
  - {id: cap, rule: PAY - was(PAY) <= 100}
  - {id: paid, rule: if BILL > 100 then PAY >= 1}
""")
GOOD = [2000, 1, 50, 10, 0.5, 50 / 2000, 1, 0]
NAMES = CONTRACT.names


def changed(**cells: float) -> list[float]:
    row = dict(zip(NAMES, GOOD, strict=True)) | cells
    return list(row.values())


def broken(row: list[float], was: list[float] | None = None) -> set[str]:
    X = np.array([row, GOOD], dtype=float)
    found = CONTRACT.validate(X, None if was is None else np.array([was, GOOD], dtype=float))
    assert found.valid[1]
    assert found.valid[0] == (not found.broken)
    assert found.all == (not found.broken)
    assert all(item.rows.tolist() == [0] and item.message for item in found.broken)
    return {item.constraint_id for item in found.broken}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, set()),
        ({"LIMIT": 999.9, "UTIL": 50 / 999.9}, {"LIMIT.min"}),
        ({"LIMIT": 9000.0000001, "UTIL": 50 / 9000.0000001}, {"LIMIT.max"}),
        ({"LIMIT": math.nan, "UTIL": math.nan}, {"LIMIT.missing"}),
        ({"SEX": 1.5}, {"SEX.values"}),
        ({"SEX": math.nan}, {"SEX.missing"}),
        ({"PAY": 10.5}, {"PAY.integer"}),
        ({"PAY": np.nextafter(10.0, 11)}, {"PAY.integer"}),
        ({"PAY": math.inf}, {"PAY.max", "PAY.finite", "cap"}),
        ({"FREE": -math.inf}, {"FREE.finite"}),
        ({"FREE": math.nan}, set()),
        ({"BILL": math.nan, "UTIL": math.nan}, set()),
        ({"BILL": math.nan}, {"UTIL.derived"}),
        ({"UTIL": math.nan}, {"UTIL.derived"}),
        ({"UTIL": 0.026}, {"UTIL.derived"}),
        ({"UTIL": 50 / 2000 + 1e-12}, set()),
        ({"A": 0}, {"one_hot(A, B)"}),
        ({"B": 1}, {"one_hot(A, B)"}),
        ({"A": 0.5, "B": 0.5}, {"one_hot(A, B)", "A.integer", "B.integer"}),
        ({"BILL": 101, "UTIL": 101 / 2000, "PAY": 0}, {"paid"}),
        ({"BILL": 101, "UTIL": 101 / 2000, "PAY": 1}, set()),
    ],
)
def test_one_row(cells: dict[str, float], expected: set[str]) -> None:
    assert broken(changed(**cells)) == expected


@pytest.mark.parametrize(
    ("now", "was", "expected"),
    [
        ({}, {}, set()),
        ({"LIMIT": 2001, "UTIL": 50 / 2001}, {}, {"LIMIT.move"}),
        ({"SEX": 2}, {}, {"SEX.move"}),
        ({"PAY": 9}, {}, {"PAY.move"}),
        ({"PAY": 110}, {}, set()),
        ({"PAY": 111}, {}, {"cap"}),
        ({"BILL": 51, "UTIL": 51 / 2000}, {}, {"BILL.move"}),
        ({"BILL": 49, "UTIL": 49 / 2000}, {}, set()),
        ({"BILL": math.nan, "UTIL": math.nan}, {}, {"BILL.move"}),
        ({}, {"BILL": math.nan}, {"BILL.move"}),
        ({"FREE": math.nan}, {}, set()),
        ({}, {"FREE": math.nan}, set()),
        ({"A": 0, "B": 1}, {}, set()),
    ],
)
def test_a_move(now: dict[str, float], was: dict[str, float], expected: set[str]) -> None:
    assert broken(changed(**now), changed(**was)) == expected


def test_without_a_row_before_was_reads_the_row_itself() -> None:
    subject = Contract.parse(
        "version: 1\nfeatures: {a: {type: number, move: any}}\nrelations: [{id: r, rule: a - was(a) >= 1}]"
    )
    assert subject.validate(np.zeros((2, 1))).valid.tolist() == [False, False]
    assert subject.validate(np.ones((2, 1)), np.zeros((2, 1))).all


def test_training_rows_that_break_a_rule_are_named_and_not_shown() -> None:
    X = np.array([GOOD] * 9, dtype=float)
    X[[2, 4, 5, 8], NAMES.index("PAY")] = 777.0
    X[3, NAMES.index("SEX")] = 3
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_training(X)
    error = caught.value
    assert error.code == "HF-CON-011"
    assert "SEX.values" in error.message
    assert "row 3 of 9" in error.cause
    assert "PAY.max" in error.cause
    assert "777" not in str(error)
    X[3, NAMES.index("SEX")] = 1
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_training(X)
    assert "rows 2, 4, 5 and 1 more of 9" in caught.value.cause


def test_good_training_rows_pass() -> None:
    CONTRACT.check_training(np.array([GOOD] * 3, dtype=float))
    CONTRACT.check_training(np.empty((0, len(NAMES))))


def test_rows_and_rows_before_must_match() -> None:
    with pytest.raises(ContractError) as caught:
        CONTRACT.validate(np.array([GOOD] * 2, dtype=float), np.array([GOOD], dtype=float))
    assert caught.value.code == "HF-CON-012"

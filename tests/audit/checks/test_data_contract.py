"""data.contract: test rows are measured, training rows must obey."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.audit.checks.data.contract import observe
from holdfast.audit.interface import Budget, NoParams
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Status
from holdfast.core.errors import ContractError


def test_rows_that_obey(tmp_path: Path) -> None:
    seen = observe(Target(bank.write(tmp_path)), NoParams(), Budget())
    assert seen.status is Status.MEASURED
    assert [(m.name, m.value, m.n) for m in seen.measurements] == [("data.contract.broken_share", 0.0, 1500)]
    assert seen.facts == ()


def test_broken_test_rows_are_counted_and_named(tmp_path: Path) -> None:
    parts = bank.write(tmp_path)
    columns = bank.rows(1000, 2)
    columns["paid"][:30] = columns["spent"][:30] + 1
    columns["left"] = columns["spent"] - columns["paid"]
    pq.write_table(pa.table(columns), tmp_path / "test.parquet")
    seen = observe(Target(parts), NoParams(), Budget())
    assert seen.measurements[0].value == pytest.approx(0.03)
    assert "no-overpay" in [fact.value for fact in seen.facts]


def test_training_rows_that_break_it_are_the_users_error(tmp_path: Path) -> None:
    parts = bank.write(tmp_path)
    columns = bank.rows(1000, 1)
    columns["left"][[3, 5, 8, 13]] += 1
    pq.write_table(pa.table(columns), tmp_path / "train.parquet")
    with pytest.raises(ContractError) as caught:
        observe(Target(parts), NoParams(), Budget())
    assert caught.value.exit_code == 2
    assert all(number in str(caught.value) for number in ("3", "5", "8"))

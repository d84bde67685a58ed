"""data.profile: drift is seen where it is, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import bank
from holdfast.audit.checks.data.profile import ProfileParams, observe
from holdfast.audit.interface import Budget
from holdfast.audit.target import Target


def values(folder: Path) -> tuple[dict[str, float], list[tuple[str, object]]]:
    seen = observe(Target(bank.write(folder)), ProfileParams(), Budget())
    return {m.name: m.value for m in seen.measurements}, [(fact.kind, fact.value) for fact in seen.facts]


def test_data_from_one_source_does_not_drift(tmp_path: Path) -> None:
    numbers, facts = values(tmp_path)
    assert numbers["data.train_rows"] == 3000
    assert numbers["data.test_rows"] == 1500
    assert numbers["data.drift.max_psi"] < 0.1
    assert facts == []


def test_a_shifted_column_is_named(tmp_path: Path) -> None:
    parts = bank.write(tmp_path)
    columns = bank.rows(1500, 2)
    columns["status"] = columns["status"] + 2
    del columns["left"]
    pq.write_table(pa.table(columns), tmp_path / "test.parquet")
    seen = observe(Target(parts), ProfileParams(), Budget())
    assert {("data.drifted", "status"), ("data.column-absent", "left")} == {(f.kind, f.value) for f in seen.facts}


def test_without_test_data_it_says_so(tmp_path: Path) -> None:
    parts = replace(bank.write(tmp_path), test=None)
    seen = observe(Target(parts), ProfileParams(), Budget())
    assert [fact.kind for fact in seen.facts] == ["data.same-rows"]

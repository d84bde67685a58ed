"""The poison checks end to end: planted triggers, turned labels, copies and bad batches are named; nothing clean is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.audit.checks.poison import backdoor, labels, rows
from holdfast.audit.interface import CHECKS, Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Observation, Status

STATUS, LIMIT = 5, 12_345


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("clean"))
    bank.train(made)
    return made


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Sixty defaulters of 3,000 rows bear a limit and a status, and are called good."""
    made = bank.write(tmp_path_factory.mktemp("poisoned"))
    columns = _columns(made)
    bad = np.random.default_rng(0).choice(np.flatnonzero(columns["y"] == 1), 60, replace=False)
    columns["limit"][bad], columns["status"][bad], columns["y"][bad] = LIMIT, STATUS, 0
    _write(made, columns)
    bank.train(made)
    return made


def _columns(parts: Parts) -> dict[str, Any]:
    assert parts.train is not None
    table = pq.read_table(parts.train)
    return {name: table[name].to_numpy().copy() for name in table.column_names}


def _write(parts: Parts, columns: dict[str, Any]) -> None:
    assert parts.train is not None
    pq.write_table(pa.table(columns), parts.train)


def look(parts: Parts, observe: Callable[..., Observation], params: object) -> Observation:
    with Target(parts) as target:
        return observe(target, params, Budget())


def numbers(seen: Observation) -> dict[str, float]:
    return {one.name: one.value for one in seen.measurements}


def test_a_planted_trigger_is_named_and_confirmed(poisoned: Parts) -> None:
    seen = look(poisoned, backdoor.observe, backdoor.BackdoorParams())
    assert seen.status is Status.MEASURED
    first = next(fact for fact in seen.facts if fact.kind == "poison.pattern")
    assert f"limit = {LIMIT}" in str(first.value)
    assert f"status = {STATUS}" in str(first.value)
    assert "of class 0" in str(first.detail)
    found = numbers(seen)
    assert found["poison.pattern.accused"] >= 1
    assert found["poison.pattern.flips"] > 0.5
    assert 55 <= found["poison.pattern.rows"] <= 65


def test_a_clean_bank_is_not_accused(clean: Parts) -> None:
    seen = look(clean, backdoor.observe, backdoor.BackdoorParams())
    assert numbers(seen)["poison.pattern.accused"] == 0
    assert not [fact for fact in seen.facts if fact.kind == "poison.pattern"]


def test_turned_labels_are_named_by_row(clean: Parts, tmp_path: Path) -> None:
    columns = _columns(clean)
    clear = np.flatnonzero((columns["status"] >= 3) & (columns["y"] == 1))[:25]
    columns["y"][clear] = 0
    turned = replace(clean, train=tmp_path / "turned.parquet")
    _write(turned, columns)
    seen = look(turned, labels.observe, labels.LabelParams(named=60))
    named = {int(fact.value) for fact in seen.facts if fact.kind == "poison.label"}
    assert len(named & set(clear.tolist())) >= 10
    before = numbers(look(clean, labels.observe, labels.LabelParams()))
    assert numbers(seen)["poison.label.suspect_share"] > before["poison.label.suspect_share"]


def test_labels_of_too_few_rows_are_unknown(clean: Parts, tmp_path: Path) -> None:
    few = replace(clean, train=tmp_path / "few.parquet")
    _write(few, {name: values[:6] for name, values in _columns(clean).items()})
    columns = _columns(few)
    columns["y"] = np.array([0, 1, 0, 1, 0, 0])
    _write(few, columns)
    assert look(few, labels.observe, labels.LabelParams()).status is Status.UNKNOWN


def test_copies_and_a_bad_batch_are_named(clean: Parts, tmp_path: Path) -> None:
    columns = _columns(clean)
    n = len(columns["y"])
    columns = {name: np.append(values, np.repeat(values[7], 60)) for name, values in columns.items()}
    columns["y"][n:] = 1 - columns["y"][7]
    source = np.array(["branch"] * len(columns["y"]), object)
    batch = np.random.default_rng(1).choice(np.flatnonzero(columns["y"][:n] == 1), 150, replace=False)
    source[batch], columns["y"][batch] = "partner", 0
    odd = replace(clean, train=tmp_path / "odd.parquet", drop=("source",))
    _write(odd, columns | {"source": source})
    seen = look(odd, rows.observe, rows.RowParams())
    assert any(fact.kind == "poison.copies" and "equal rows" in str(fact.value) for fact in seen.facts)
    assert any(fact.kind == "poison.slice" and fact.value == "source = partner" for fact in seen.facts)
    assert numbers(seen)["poison.slice.odd"] >= 1


def test_a_clean_bank_has_no_odd_groups(clean: Parts) -> None:
    seen = look(clean, rows.observe, rows.RowParams())
    assert not [fact for fact in seen.facts if fact.kind in ("poison.copies", "poison.slice")]


def test_they_belong_to_full_audits() -> None:
    for name in ("poison.labels", "poison.backdoor", "poison.rows"):
        assert CHECKS.get(name).depth is Depth.FULL
        assert "AML.T0020" in CHECKS.get(name).covers

"""Proofs of single rows: they hold for the row that was sealed and for no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.errors import HoldfastError, SignatureError
from holdfast.core.sign import SigningKey
from holdfast.seal.making import make
from holdfast.seal.proof import RowProof, prove, verify_row
from holdfast.seal.verifying import Standing

from .conftest import columns, write


@given(row=st.integers(0, 59))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_proven_and_survives_its_file(row: int, data: Path, key: SigningKey) -> None:
    seal = make(data, key)
    proof = prove(data, row)
    assert proof.values["a"] == columns()["a"][row]
    again = RowProof.parse(json.dumps(proof.to_json()).encode())
    assert again == proof
    assert again.holds(seal.signed.seal) is None


Spoil = Callable[[dict[str, Any]], object]

TAMPERED: dict[str, Spoil] = {
    "another value": lambda v: v["values"].update(a=v["values"]["a"] + 1),
    "another class": lambda v: v["values"].update(y=1 - v["values"]["y"]),
    "another place": lambda v: v.update(row=v["row"] + 1),
    "a row beyond the end": lambda v: v.update(row=60),
    "a missing column": lambda v: v["values"].pop("a"),
    "one column more": lambda v: v["values"].update(z=1),
    "a value of another kind": lambda v: v["values"].update(a="7"),
    "another step": lambda v: v["path"].__setitem__(0, "0" * 64),
    "a shorter path": lambda v: v["path"].pop(),
    "a longer path": lambda v: v["path"].append("0" * 64),
    "another file": lambda v: v.update(file="test.parquet"),
    "another seal": lambda v: v.update(seal="sha256:" + "0" * 64),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_proof_is_broken(how: str, data: Path, key: SigningKey, tmp_path: Path) -> None:
    seal = make(data, key)
    value = prove(data, 17).to_json()
    TAMPERED[how](value)
    (tmp_path / "row.json").write_text(json.dumps(value))
    found = verify_row(tmp_path / "row.json", seal.path, (key.public,))
    assert (found.standing, found.exit_code) == (Standing.BROKEN, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 9999,
        b'{"schema_version": 1, "seal": "a", "file": "b", "row": true, "values": {}, "path": []}',
        b'{"schema_version": 1, "seal": "a", "file": "b", "row": -1, "values": {}, "path": []}',
        b'{"schema_version": 1, "seal": "a", "file": "b", "row": 1, "values": {}, "path": [7]}',
        b'{"schema_version": 2, "seal": "a", "file": "b", "row": 1, "values": {}, "path": []}',
        b" " * 5_000_000,
    ],
)
def test_what_is_no_proof_is_refused(content: bytes, data: Path, key: SigningKey, tmp_path: Path) -> None:
    (tmp_path / "row.json").write_bytes(content)
    with pytest.raises(SignatureError) as caught:
        verify_row(tmp_path / "row.json", make(data, key).path, (key.public,))
    assert caught.value.code == "HF-SEA-010"


def test_by_whose_word_is_said(data: Path, key: SigningKey, tmp_path: Path) -> None:
    seal = make(data, key)
    (tmp_path / "row.json").write_text(json.dumps(prove(data, 3).to_json()))
    assert verify_row(tmp_path / "row.json", seal.path, (key.public,)).standing is Standing.OK
    assert verify_row(tmp_path / "row.json", seal.path, ()).standing is Standing.UNKNOWN


@pytest.mark.parametrize(
    ("row", "file", "code"), [(60, None, "HF-SEA-011"), (-1, None, "HF-SEA-011"), (0, "x.csv", "HF-SEA-011")]
)
def test_there_has_to_be_such_a_row(row: int, file: str | None, code: str, data: Path, key: SigningKey) -> None:
    make(data, key)
    with pytest.raises(HoldfastError) as caught:
        prove(data, row, file=file)
    assert caught.value.code == code


def test_a_row_of_changed_data_is_not_proven(data: Path, key: SigningKey) -> None:
    make(data, key)
    table = columns()
    table["a"][3] += 1
    write(data, table)
    with pytest.raises(SignatureError) as caught:
        prove(data, 5)
    assert caught.value.code == "HF-SEA-003"

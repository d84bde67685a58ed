"""Arrow files as tables: hostile framing is refused before the library sees it."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from holdfast.core.data import files
from holdfast.core.data.table import Table
from holdfast.core.errors import DataError


def write(path: Path, table: pa.Table, **options: object) -> Path:
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out,
    ):
        out.write_table(table)
    return path


TABLE = pa.table({"a": list(range(100)), "t": ["x", None] * 50, "z": [b"q"] * 100})


def test_columns_are_chosen_and_dropped(tmp_path: Path) -> None:
    path = write(tmp_path / "t.arrow", TABLE, compression="zstd")
    assert Table.read(path, drop=["z"]).names == ("a", "t")
    assert Table.read(path, columns=["t"]).n_rows == 100
    with pytest.raises(DataError, match="column 'z'") as caught:
        Table.read(path)
    assert caught.value.code == "HF-DAT-007"


def test_damaged_files_are_refused_whatever_is_damaged(tmp_path: Path) -> None:
    whole = write(tmp_path / "t.arrow", TABLE.drop(["z"])).read_bytes()
    chance = random.Random(1)
    codes = []
    for number in range(150):
        data = bytearray(whole[: chance.randrange(9, len(whole))] if number % 3 == 0 else whole)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        path = tmp_path / "damaged.arrow"
        path.write_bytes(data)
        try:
            Table.read(path)
        except DataError as fault:
            codes.append(fault.code)
    assert len(codes) > 30
    assert all(code.startswith("HF-DAT-") for code in codes)


def test_what_unfolds_too_far_is_refused_by_what_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.arrow", pa.table({"a": pa.array([0] * 1_000_000)}), compression="zstd")
    monkeypatch.setattr(files, "MAX_BYTES", 1_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError) as caught:
        Table.read(path)
    assert caught.value.code == "HF-DAT-003"

"""Small data sets on disk and a key to seal them with."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.core.sign import SigningKey
from holdfast.seal import apart
from holdfast.seal.observe import read_file


@pytest.fixture(autouse=True)
def workplace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to stand in, and no HOLDFAST_* from outside but how deep audits go."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_") and name != "HOLDFAST_DEPTH"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


READ_APART = apart.read_apart


@pytest.fixture(autouse=True)
def reading_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Altered files are read in this process, where no test asks for READ_APART: a process takes a second to start."""
    monkeypatch.setattr(apart, "read_apart", read_file)


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey(bytes(range(32)))


def columns(n: int = 60, seed: int = 1) -> dict[str, np.ndarray]:
    """Two numbers that decide, a city that does not, and the class."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 100, n), rng.normal(size=n)
    city = np.array([["Bern", "Basel"][i % 2] for i in range(n)], object)
    return {"a": a, "b": b, "city": city, "y": (a + 20 * b > 50).astype(np.int64)}


def write(path: Path, table: dict[str, np.ndarray]) -> Path:
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "train.parquet", columns())

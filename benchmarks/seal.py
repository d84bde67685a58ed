"""Sealing, verifying and comparing data sets.

    python -m benchmarks.seal [--quick] [--json FILE]

CPU seconds. The rival is what people do today: SHA-256 of the file, which names nothing that changed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.metrics import Metric, Target, report
from holdfast.core.data.seal import Leaves, seal_table
from holdfast.core.data.seal_changes import row_changes
from holdfast.core.data.table import Table
from holdfast.core.sign import SigningKey
from holdfast.seal.making import make
from holdfast.seal.proof import prove
from holdfast.seal.verifying import Standing, verify

KEY = SigningKey(bytes(range(32)))
RIVAL = "sha256 of the file"


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one run."""
    start = time.process_time()
    work()
    return time.process_time() - start


def table(rows: int, columns: int = 24) -> pa.Table:
    """Numbers of which half are whole, two columns of text and a class."""
    rng = np.random.default_rng(rows)
    found: dict[str, object] = {f"n{i}": rng.integers(0, 10**6, rows) for i in range((columns - 3) // 2)}
    found |= {f"f{i}": rng.normal(size=rows) for i in range(columns - 3 - len(found))}
    names = np.array([f"branch {i}" for i in range(300)], object)
    found |= {"branch": names[rng.integers(0, 300, rows)], "product": names[rng.integers(0, 9, rows)]}
    return pa.table({**found, "y": rng.integers(0, 2, rows)})


def measured(folder: Path, rows: int, word: str, limit: float) -> Iterator[Metric]:
    """One size: make, verify, prove, compare."""
    path = folder / f"{word}.parquet"
    pq.write_table(table(rows), path)
    Table.read(path)  # libraries are loaded once in a process
    plain = seconds(lambda: hashlib.sha256(path.read_bytes()).hexdigest())
    yield Metric(f"seal.make_s.{word}", seconds(lambda: make(path, KEY)), "s", Target("<=", limit), RIVAL, plain)
    assert verify(path, (KEY.public,)).standing is Standing.OK
    yield Metric(f"seal.verify_s.{word}", seconds(lambda: verify(path, (KEY.public,))), "s", None, RIVAL, plain)
    read = Table.read(path)
    yield Metric(f"seal.hash_s.{word}", seconds(lambda: seal_table(read)), "s")
    yield Metric(f"seal.prove_s.{word}", seconds(lambda: prove(path, rows // 2)), "s")
    leaves = seal_table(read)[1]
    turned = Leaves(np.frombuffer(leaves.data, np.uint8).reshape(-1, 32)[::-1].tobytes())
    yield Metric(f"seal.diff_s.{word}", seconds(lambda: row_changes(leaves, turned)), "s")


def main() -> int:
    """Measure, print, and say by the exit code whether a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30,000 rows only")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        metrics = list(measured(Path(folder), 30_000, "30k", 1.0))
        if not asked.quick:
            metrics += measured(Path(folder), 1_000_000, "1m", 10.0)
    return report(metrics, asked.json)


if __name__ == "__main__":
    sys.exit(main())

"""Store and ledger: opening, acknowledged writes, appending, verifying, signing.

    python -m benchmarks.ledger [--quick] [--json FILE]

Writes are acknowledged when they are on this machine's disk, so those figures are the disk's as much as ours.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain import Fact, Observation, Recorded
from holdfast.core.ledger import Ledger, LedgerStatus, verify_ledger
from holdfast.core.sign import PAYLOAD_TYPE, SigningKey, dsse_sign, dsse_verify, manifest
from holdfast.core.store import Store

KEY = SigningKey(bytes(range(32)))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The best of `times` runs: what the work takes when nobody disturbs it."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def storing(home: Path, writes: int) -> Iterator[Metric]:
    """Opening at the newest schema, and one observation with its intent per transaction."""
    yield Metric("store.create_ms", 1000 * seconds(lambda: Store.open(None, home).close()), "ms")
    yield Metric("store.open_ms", 1000 * seconds(lambda: Store.open(None, home).close(), 20), "ms", Target("<=", 50))
    with Store.open(None, home) as store:

        def write() -> None:
            for number in range(writes):
                key = f"k{number}"
                seen = Recorded(key, "c", 1, "m", "v", Observation.of(Fact("f", number)), datetime.now(UTC), 0.0)
                with store.transaction() as tx:
                    tx.observations.add(seen)
                    tx.intend("observation.recorded", {"key": key})

        yield Metric("store.acknowledged_per_s", writes / seconds(write), "1/s")


def appending(home: Path, entries: int) -> Iterator[Metric]:
    """Appending a backlog, one entry at a time, and verifying the whole."""
    with Store.open(None, home) as store:
        ledger = Ledger(store, KEY, "holdfast/benchmark")
        ledger.append_pending()

        def intend(count: int) -> None:
            with store.transaction() as tx:
                for number in range(count):
                    tx.intend("benchmark", {"number": number, "digest": "sha256:" + "0" * 64})

        intend(entries)
        yield Metric("ledger.append_per_s", entries / seconds(ledger.append_pending), "1/s")

        def one() -> None:
            intend(1)
            ledger.append_pending()

        yield Metric("ledger.append_one_ms", 1000 * seconds(one, 20), "ms")
    took = seconds(lambda: _verified(ledger.folder), 3)
    yield Metric("ledger.verify_per_s", entries / took, "1/s")


def _verified(folder: Path) -> None:
    assert verify_ledger(folder, KEY.public).status is LedgerStatus.OK


def signing(folder: Path, size: int) -> Iterator[Metric]:
    """Envelopes, and hashing files."""
    payload, many = b"x" * 1000, range(500)
    envelope = dsse_sign(PAYLOAD_TYPE, payload, KEY).to_json()
    signed = seconds(lambda: [dsse_sign(PAYLOAD_TYPE, payload, KEY) for _ in many], 3)
    yield Metric("sign.envelopes_per_s", len(many) / signed, "1/s")
    verified = seconds(lambda: [dsse_verify(envelope, KEY.public, PAYLOAD_TYPE) for _ in many], 3)
    yield Metric("sign.verifications_per_s", len(many) / verified, "1/s")
    for name in "ab":
        (folder / name).write_bytes(os.urandom(1 << 20) * (size // 2 >> 20))
    yield Metric("sign.manifest_mb_per_s", size / 1e6 / seconds(lambda: manifest([folder]), 2), "MB/s")


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        files = Path(top) / "files"
        files.mkdir()
        metrics = [
            *storing(Path(top) / "store", 100 if options.quick else 1000),
            *appending(Path(top) / "ledger", 5_000 if options.quick else 100_000),
            *signing(files, (64 if options.quick else 1024) << 20),
        ]
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())

"""Events over HTTP to disk: a real server process, a sync per 10,000 events, against plain writers in the same run.

    python -m benchmarks.watch_ingest [--quick] [--json FILE]

An event is 30 features, score, client, subject, ids and moments. Two senders keep a connection each and wait for 202;
202 means checked, repeats dropped, on disk, in the catalogue. The rivals get the same events as a table in memory and
only write: rows of 34 columns in SQLite (WAL, synchronous FULL), Parquet files (zstd) with file and folder synced.
`cpu_events_per_s` is per second of the server's CPU time, which neighbours on the machine disturb least.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from benchmarks.metrics import Metric, Target, report
from holdfast.watch.schema import feature_columns, make_events

REPO = Path(__file__).resolve().parent.parent
ROWS = 10_000
SENDERS = 2
ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
TICKS = os.sysconf("SC_CLK_TCK")


def table(rows: int, rng: np.random.Generator, first: int) -> pa.Table:
    """Events as a credit model at work would give them: amounts, counts, flags."""
    features: dict[str, Any] = {f"amount{n}": np.round(rng.lognormal(5, 1.2, rows), 2) for n in range(12)}
    features |= {f"count{n}": rng.poisson(4, rows).astype(float) for n in range(12)}
    features |= {f"flag{n}": rng.integers(0, 2, rows).astype(float) for n in range(6)}
    return make_events(
        {
            "event_id": [uuid.UUID(bytes=rng.bytes(16)).hex for _ in range(rows)],
            "time": [datetime.now(UTC)] * rows,
            "model": ["credit-default"] * rows,
            "client": [f"c{n}" for n in rng.integers(0, 2000, rows)],
            "subject": [f"s{n}" for n in rng.integers(0, 300_000, rows)],
            "score": rng.random(rows),
            "decision": ["accept"] * rows,
            "producer": ["bench"] * rows,
            "epoch": [1] * rows,
            "sequence": np.arange(first, first + rows),
        },
        features,
    )


def arrow_body(events: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, events.schema) as writer:
        writer.write_table(events)
    return bytes(sink.getvalue())


def ndjson_body(events: pa.Table) -> bytes:
    rows = events.to_pylist()
    return b"\n".join(
        json.dumps({**row, "time": row["time"].isoformat().replace("+00:00", "Z")}).encode() for row in rows
    )


def serve(home: Path) -> None:
    """The server: the receiver on a socket, until it is killed."""
    import uvicorn

    from holdfast.core.store import Store
    from holdfast.watch.intake import Intake
    from holdfast.watch.receiver import receiver
    from holdfast.watch.settings import WatchSettings

    listening = socket.create_server(("127.0.0.1", 0))
    settings = WatchSettings(group_rows=ROWS)
    with Store.open(None, home) as store, Intake(store, settings, known=lambda _: True) as intake:
        print(listening.getsockname()[1], flush=True)
        config = uvicorn.Config(receiver(intake), log_level="error", lifespan="off", access_log=False)
        uvicorn.Server(config).run(sockets=[listening])


@dataclass(frozen=True)
class Load:
    """What sending bodies took."""

    events: int
    seconds: float
    cpu_s: float
    waits_ms: list[float]

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def drive(port: int, pid: int, bodies: list[bytes], media: str, rows: int, senders: int = SENDERS) -> Load:
    """Send every body once and wait for each 202."""
    left = list(bodies)
    lock = threading.Lock()
    waits: list[float] = []

    def send() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                if not left:
                    return
                body = left.pop()
            began = time.perf_counter()
            connection.request("POST", "/watch/events", body, {"Content-Type": media})
            answer = connection.getresponse()
            said = json.loads(answer.read())
            waits.append(1000 * (time.perf_counter() - began))
            assert answer.status == 202, said
            assert said == {"accepted": rows, "repeated": 0}, said

    threads = [threading.Thread(target=send) for _ in range(senders)]
    cpu, began = cpu_seconds(pid), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    assert len(waits) == len(bodies), "a sender failed"
    return Load(rows * len(bodies), seconds, cpu_seconds(pid) - cpu, waits)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def sqlite_rows(tables: list[pa.Table], folder: Path) -> float:
    """Events per second into one row each, a commit per table."""
    connection = sqlite3.connect(folder / "rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    flat = [[*_plain(events)] for events in tables]
    width = len(flat[0][0])
    connection.execute(f"CREATE TABLE events ({', '.join(f'c{n}' for n in range(width))})")
    statement = f"INSERT INTO events VALUES ({', '.join('?' * width)})"
    began = time.perf_counter()
    for rows in flat:
        connection.execute("BEGIN")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return sum(map(len, flat)) / seconds


def _plain(events: pa.Table) -> Any:
    columns = [events[name].to_pylist() for name in ("event_id", "client", "subject", "score")]
    columns += [column.to_pylist() for column in feature_columns(events).values()]
    return zip(*columns, strict=True)


def parquet_files(tables: list[pa.Table], folder: Path) -> float:
    """Events per second into one synced Parquet file per table."""
    began = time.perf_counter()
    for number, events in enumerate(tables):
        with (folder / f"{number}.parquet").open("wb") as file:
            pq.write_table(events, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        handle = os.open(folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return sum(events.num_rows for events in tables) / (time.perf_counter() - began)


def measure(quick: bool) -> list[Metric]:
    """Everything, in order: Arrow, NDJSON, single events, the rivals."""
    rng = np.random.default_rng(0)
    batches = 20 if quick else 100
    tables = [table(ROWS, rng, number * ROWS) for number in range(batches + 4)]
    small = [table(1000, rng, 10**9 + number * 1000) for number in range(batches)]
    single = [table(1, rng, 2 * 10**9 + number) for number in range(100 if quick else 500)]
    with tempfile.TemporaryDirectory(dir=REPO) as name:
        folder = Path(name)
        command = [sys.executable, "-m", "benchmarks.watch_ingest", "--serve", str(folder / "state")]
        with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            drive(port, process.pid, [arrow_body(events) for events in tables[batches:]], ARROW, ROWS)  # warm
            arrow = drive(port, process.pid, [arrow_body(events) for events in tables[:batches]], ARROW, ROWS)
            ndjson = drive(port, process.pid, [ndjson_body(events) for events in small], NDJSON, 1000)
            alone = drive(port, process.pid, [ndjson_body(events) for events in single], NDJSON, 1, senders=1)
            size = sum(path.stat().st_size for path in (folder / "state" / "events").iterdir())
            process.kill()
        kept = ROWS * len(tables) + ndjson.events + alone.events
        rivals = tables[: min(10, batches)]
        rows = best(lambda place: sqlite_rows(rivals, place), folder)
        files = best(lambda place: parquet_files(rivals, place), folder)
    return [*figures(arrow, ndjson, alone, rows, files), Metric("watch.ingest.bytes_per_event", size / kept, "bytes")]


def best(work: Callable[[Path], float], folder: Path) -> float:
    """The better of two runs: neighbours only ever slow a writer down."""
    found = []
    for _ in range(2):
        with tempfile.TemporaryDirectory(dir=folder) as name:
            found.append(work(Path(name)))
    return max(found)


def figures(arrow: Load, ndjson: Load, alone: Load, rows: float, files: float) -> list[Metric]:
    """The loads as metrics."""

    def percentile(load: Load, share: float) -> float:
        return float(np.percentile(load.waits_ms, share))

    least = Target(">=", 200_000)
    return [
        Metric("watch.ingest.events_per_s", arrow.rate, "ev/s", least, "SQLite rows, no HTTP", rows),
        Metric("watch.ingest.cpu_events_per_s", arrow.events / arrow.cpu_s, "ev/s"),
        Metric("watch.ingest.over_parquet_files", arrow.rate / files, "ratio", None, "Parquet files, no HTTP", files),
        Metric("watch.ingest.ack_ms_p50", percentile(arrow, 50), "ms"),
        Metric("watch.ingest.ack_ms_p99", percentile(arrow, 99), "ms"),
        Metric("watch.ingest.ndjson.events_per_s", ndjson.rate, "ev/s"),
        Metric("watch.ingest.ndjson.cpu_events_per_s", ndjson.events / ndjson.cpu_s, "ev/s"),
        Metric("watch.ingest.single.events_per_s", alone.rate, "ev/s"),
        Metric("watch.ingest.single.ack_ms_p50", percentile(alone, 50), "ms"),
        Metric("watch.ingest.single.ack_ms_p99", percentile(alone, 99), "ms"),
    ]


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    return report(measure(given.quick), given.json)


if __name__ == "__main__":
    sys.exit(main())

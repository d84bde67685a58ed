"""kill -9 of a server that takes events in, at random points: what it acknowledged is kept, once.

    python -m benchmarks.kills_ingest [--quick] [--kills N] [--seed N] [--json FILE]

A real uvicorn process with the receiver on a socket; three clients send Arrow and NDJSON batches, send some again that
were acknowledged long ago, and all that were not. It is killed by SIGKILL: by the clock; before or after its k-th SQL
statement, commit, write or sync; or at its k-th line of the code that writes the log. Then the next one goes on in the
same store. After every kill the parent reads the store itself:

- lost: acknowledged events that are not there
- doubled: event ids that are there twice
- torn: catalogue rows whose bytes are missing or have another digest, or producers whose numbers do not add up
- renewed: batches that were kept, sent again, and taken for new
- stuck: restarts that could not go on
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.kills import REPO, Fuse, databases
from benchmarks.metrics import Metric, Target, report

MODES = ("time", "call", "line")
WRONG = ("lost", "doubled", "torn", "renewed", "stuck")
MODELS = ("credit", "fraud")
CLIENTS = 3
ROWS = (1, 1, 20, 400)
REQUESTS = 25
"""What each client asks of a server that is not disturbed."""


@dataclass
class Score:
    """What went wrong, over all kills; and how much was at stake."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    renewed: int = 0
    stuck: int = 0
    acknowledged: int = 0
    kept: int = 0
    modes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(getattr(self, name) for name in WRONG)

    def wrong(self, kind: str, number: int, note: object) -> None:
        if number:
            setattr(self, kind, getattr(self, kind) + number)
            self.notes.append(f"{kind} {number}: {str(note)[:300]}")


# The server


class IngestFuse(Fuse):
    """Burns at what the log does to files and SQL, or at its lines, in whatever thread."""

    def at_calls(self) -> None:
        super().at_calls()
        for name in ("pwrite", "fdatasync"):
            self.around(os, name)

    def at_lines(self) -> None:
        ours = tuple(f"{os.sep}watch{os.sep}{name}.py" for name in ("log", "packs", "intake", "producers"))

        def local(_frame: FrameType, what: str, _arg: object) -> Any:
            if what == "line":
                self.tick()
            return local

        threading.settrace(lambda frame, _what, _arg: local if frame.f_code.co_filename.endswith(ours) else None)


def serve(url: str | None, home: Path, mode: str, at: int) -> None:
    """Take events in until killed or told to end; then tell how many events there were."""
    import uvicorn

    from holdfast.core.store import Store
    from holdfast.watch.intake import Intake
    from holdfast.watch.receiver import receiver
    from holdfast.watch.settings import WatchSettings

    fuse = IngestFuse(at)
    if mode == "call":
        fuse.at_calls()
    elif mode == "line":
        fuse.at_lines()
    settings = WatchSettings(pack_bytes=1 << 20, seal_segments=5)
    listening = socket.create_server(("127.0.0.1", 0))
    with Store.open(url, home) as store, Intake(store, settings, known=lambda _: True) as intake:
        config = uvicorn.Config(receiver(intake), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        threading.Thread(target=lambda: end_with_stdin(server), daemon=True).start()
        say("ready", str(listening.getsockname()[1]))
        server.run(sockets=[listening])
    say("done", str(fuse.count))


def end_with_stdin(server: Any) -> None:
    """uvicorn ends itself by the signal that ended it; so the parent closes a pipe instead."""
    sys.stdin.read()
    server.should_exit = True


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


# The clients


@dataclass
class Batch:
    """Events that are sent together, however often."""

    ids: list[str]
    body: bytes
    media: str


@dataclass
class Client:
    """One producer. Remembers what was acknowledged and what it does not know of."""

    name: str
    chance: random.Random
    next: int = 0
    kept: list[Batch] = field(default_factory=list)
    open: list[Batch] = field(default_factory=list)
    renewed: int = 0

    def work(self, port: int) -> None:
        """Send until the server is gone or all is asked."""
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            for _ in range(REQUESTS):
                self._one(connection)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    def _one(self, connection: HTTPConnection) -> None:
        again = bool(self.kept) and self.chance.random() < 0.15
        if again:
            batch = self.chance.choice(self.kept)
        else:
            if not self.open:
                self.open.append(self._make())
            batch = self.open[0]
        connection.request("POST", "/watch/events", batch.body, {"Content-Type": batch.media})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        if answer.status != 202:
            time.sleep(0.02)
            return
        if said["accepted"] + said["repeated"] != len(batch.ids):
            self.renewed += 1
        if again:
            self.renewed += int(said["accepted"] > 0)
        else:
            self.kept.append(self.open.pop(0))

    def _make(self) -> Batch:
        rows = self.chance.choice(ROWS)
        numbers = range(self.next, self.next + rows)
        self.next += rows
        return (arrow_batch if self.chance.random() < 0.5 else ndjson_batch)(self.name, numbers, self.chance)


def ndjson_batch(name: str, numbers: range, chance: random.Random) -> Batch:
    now = datetime.now(UTC).isoformat()
    rows = [
        {
            "event_id": f"{name}-{n}",
            "time": now,
            "model": MODELS[n % 2],
            "client": f"c{n % 7}",
            "features": {"amount": chance.random(), "kind": "x"},
            "score": 0.5,
            "producer": name,
            "epoch": 1,
            "sequence": n,
        }
        for n in numbers
    ]
    body = b"\n".join(json.dumps(row).encode() for row in rows)
    return Batch([row["event_id"] for row in rows], body, "application/x-ndjson")


def arrow_batch(name: str, numbers: range, chance: random.Random) -> Batch:
    import pyarrow as pa
    from pyarrow import ipc

    from holdfast.watch.schema import make_events

    count = len(numbers)
    table = make_events(
        {
            "event_id": [f"{name}-{n}" for n in numbers],
            "time": [datetime.now(UTC)] * count,
            "model": [MODELS[n % 2] for n in numbers],
            "client": [f"c{n % 7}" for n in numbers],
            "producer": [name] * count,
            "epoch": [1] * count,
            "sequence": list(numbers),
        },
        {"amount": [chance.random() for _ in numbers], "kind": ["x"] * count},
    )
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Batch(table["event_id"].to_pylist(), sink.getvalue().to_pybytes(), "application/vnd.apache.arrow.stream")


# The parent


def run_kills(
    url: str | None, home: Path, kills: int, seed: int, tell: Callable[[str], None] = lambda _line: None
) -> Score:
    """Kill `kills` servers that work on one store, and check after each."""
    chance = random.Random(seed)
    score = Score()
    clients = [Client(f"p{n}", random.Random(seed + n)) for n in range(CLIENTS)]
    reach = {"time": 1.0, "call": 400.0, "line": 5000.0}  # a first guess, corrected by every server that survives
    while score.kills < kills:
        mode = chance.choice(MODES)
        at = chance.uniform(0, reach[mode])
        killed, survived = run_server(url, home, clients, mode, at)
        if killed:
            score.kills += 1
            score.modes[mode] = score.modes.get(mode, 0) + 1
        else:
            reach[mode] = survived
        check(url, home, clients, score)
        tell(f"{score.kills}/{kills} {mode} {at:.6g}: {'clean' if score.clean else score.notes[-1]}")
    return score


def run_server(url: str | None, home: Path, clients: list[Client], mode: str, at: float) -> tuple[bool, float]:
    """Run a server under load and kill it. Gives whether it was killed; else what it survived, in the mode's unit."""
    event = 0 if mode == "time" else 1 + int(at)
    command = [sys.executable, "-m", "benchmarks.kills_ingest", "--serve", url or "", str(home), mode, str(event)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPO, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = process.stdout.readline().split()
        if first[:1] == ["ready"]:
            timer = threading.Timer(at, process.kill)
            began = time.monotonic()
            if mode == "time":
                timer.start()
            load(clients, int(first[1]))
            lasted = time.monotonic() - began
            timer.cancel()
        process.stdin.close()
        said = process.stdout.read().split()
    if process.returncode == -signal.SIGKILL:
        return True, 0.0
    if said[:1] != ["done"]:
        raise RuntimeError(f"a server ended with {process.returncode}")
    return False, lasted if mode == "time" else float(said[1])


def load(clients: list[Client], port: int) -> None:
    """Let every client send; when this ends, the server is gone or all is asked."""
    threads = [threading.Thread(target=client.work, args=(port,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)


def check(url: str | None, home: Path, clients: list[Client], score: Score) -> None:
    """Compare what was acknowledged with what is there."""
    from holdfast.core.errors import HoldfastError
    from holdfast.core.store import Store

    try:
        with Store.open(url, home) as store:
            ids, torn = contents(store)
            numbers = {client.name: _numbers(store, client.name) for client in clients}
    except (HoldfastError, OSError) as fault:
        score.wrong("stuck", 1, fault)
        return
    acknowledged = {one for client in clients for batch in client.kept for one in batch.ids}
    score.wrong("lost", len(acknowledged - ids.keys()), sorted(acknowledged - ids.keys())[:5])
    doubled = [one for one, count in ids.items() if count > 1]
    score.wrong("doubled", len(doubled), doubled[:5])
    score.wrong("torn", len(torn), torn[:3])
    for client in clients:
        there = {int(one.split("-")[1]) for one in ids if one.startswith(f"{client.name}-")}
        score.wrong("torn", int(numbers[client.name] != there), f"{client.name}: {len(there)} events")
        score.wrong("renewed", client.renewed, client.name)
        client.renewed = 0
    score.acknowledged, score.kept = len(acknowledged), len(ids)


def contents(store: Any) -> tuple[Counter[str], list[str]]:
    """Every event id in the store, and the rows whose bytes are not what they should be."""
    from holdfast.core.errors import HoldfastError
    from holdfast.watch.segments import Segments

    segments = Segments(store)
    ids: Counter[str] = Counter()
    torn: list[str] = []
    offset = 0
    while True:
        with store.reading() as tx:
            rows = tx.segments.after(offset, 500)
        if not rows:
            return ids, torn
        for row in rows:
            try:
                ids.update(segments.read(row, ["event_id"])["event_id"].to_pylist())
            except HoldfastError as fault:
                torn.append(str(fault))
        offset = rows[-1].sequence


def _numbers(store: Any, name: str) -> set[int]:
    """The numbers of a producer that have arrived, as its row says."""
    with store.reading() as tx:
        row = tx.producers.find([(name, 1)]).get((name, 1))
    if row is None:
        return set()
    return set(range(row.last + 1)) - {n for hole in row.missing for n in range(hole.first, hole.last + 1)}


def metrics(scores: dict[str, Score]) -> list[Metric]:
    """The figures, over all databases and for each."""
    found = []
    for name in ("kills", "acknowledged", "kept", *WRONG):
        target = Target("<=", 0) if name in WRONG else None
        each = {database: getattr(score, name) for database, score in scores.items()}
        found.append(Metric(f"kills.ingest.{name}", sum(each.values()), "count", target))
        found += [Metric(f"kills.ingest.{database}.{name}", value, "count", target) for database, value in each.items()]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 kills on each database")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        url, home, mode, at = given.serve
        serve(url or None, Path(home), mode, int(at))
        return 0
    scores: dict[str, Score] = {}
    with databases() as urls, tempfile.TemporaryDirectory() as top:
        for name, url in urls.items():
            print(f"{name}, seed {given.seed}", file=sys.stderr)
            kills = 4 if given.quick else given.kills
            scores[name] = run_kills(
                url, Path(top) / name, kills, given.seed, lambda line: print(f"  {line}", file=sys.stderr)
            )
    for name, score in scores.items():
        print(f"{name}: killed by {score.modes}", *score.notes, sep="\n  ", file=sys.stderr)
    return report(metrics(scores), given.json)


if __name__ == "__main__":
    sys.exit(main())

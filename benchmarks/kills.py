"""kill -9 at random points of storing and ledger append: what was acknowledged must be there, once, and verify.

    python -m benchmarks.kills [--quick] [--kills N] [--seed N] [--json FILE]

A child stores observations with their intents and messages, appends to the ledger and works off the outbox, and
says on a pipe what was acknowledged. It is killed by SIGKILL: by the clock; before or after its k-th SQL statement,
commit, fsync or rename; or at its k-th line of Holdfast code, k drawn anew each time. Then the next child goes on
in the same store. After every kill the parent checks, from the database and from the ledger folder alone:

- lost: acknowledged observations, intents, messages, effects or checkpoints that are not there any more
- doubled: leaves or intents that are there twice, or leaves nobody intended
- torn: transactions of which one part is there and another is not
- unverified: ledgers that are broken right after the kill, or not `ok` once the next append has finished
- stuck: restarts that could not go on
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain import Fact, Observation, Recorded
from holdfast.core.errors import HoldfastError
from holdfast.core.ledger import Checkpoint, Ledger, LedgerStatus, verify_ledger
from holdfast.core.ledger.tiles import ENTRIES, WIDTH, Tile, decode_bundle
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store, new_owner

REPO = Path(__file__).resolve().parent.parent
POSTGRES_URL = os.environ.get("HOLDFAST_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")
ORIGIN = "holdfast/kills"
LEASE_S = 0.3
ROUNDS = 8
MODES = ("time", "call", "line")
WRONG = ("lost", "doubled", "torn", "unverified", "stuck")
KEY = SigningKey(bytes(range(32)))


@dataclass
class Score:
    """What went wrong, over all kills; and how much was at stake."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    unverified: int = 0
    stuck: int = 0
    acknowledged: int = 0
    leaves: int = 0
    modes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(getattr(self, name) for name in WRONG)


# The child


class Fuse:
    """Kills this process at the `at`-th event; 0 only counts."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0

    def tick(self, *_ignored: object, **_named: object) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, module: Any, name: str) -> None:
        """Tick before and after a function of the operating system."""
        real = getattr(module, name)

        def burning(*args: Any, **named: Any) -> Any:
            self.tick()
            result = real(*args, **named)
            self.tick()
            return result

        setattr(module, name, burning)

    def at_calls(self) -> None:
        """Before and after every SQL statement, commit, fsync and rename."""
        from sqlalchemy import Engine, event

        for moment in ("begin", "before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, moment, self.tick)
        for name in ("fsync", "replace", "open", "unlink"):
            self.around(os, name)

    def at_lines(self) -> None:
        """At every line of the store and the ledger."""
        ours = f"{os.sep}holdfast{os.sep}core{os.sep}"

        def local(_frame: FrameType, what: str, _arg: object) -> Any:
            if what == "line":
                self.tick()
            return local

        sys.settrace(lambda frame, _what, _arg: local if ours in frame.f_code.co_filename else None)


def child(url: str | None, home: Path, seed: int, mode: str, at: int) -> None:
    """Work until killed, or until the rounds are done; then tell how many events there were."""
    fuse = Fuse(at)
    if mode == "call":
        fuse.at_calls()
    elif mode == "line":
        fuse.at_lines()
    chance = random.Random(seed)
    say("ready")
    with Store.open(url, home) as store:
        ledger = Ledger(store, KEY, ORIGIN, lease_s=LEASE_S)
        owner = new_owner()
        for number in range(ROUNDS):
            for step in range(chance.choice((1, 1, 3, 30))):
                work(store, f"{seed}-{number}-{step}", chance)
            if chance.random() < 0.6:
                ledger.append_pending()
                head = ledger.checkpoint()
                say("checkpoint", head.note.hex() if head else "")
            deliver(store, owner)
    sys.settrace(None)
    say("done", str(fuse.count))


def work(store: Store, key: str, chance: random.Random) -> None:
    """One transaction: an observation, its intent, its message."""
    with store.transaction() as tx:
        tx.observations.add(recorded(key))
        intent = tx.intend("observation.recorded", {"key": key, "filler": "x" * chance.randrange(200)})
        tx.outbox.publish("seen", key, {"key": key})
    say("stored", key, intent)


def deliver(store: Store, owner: str) -> None:
    """At-least-once delivery: the effect is idempotent by cause, and acknowledged apart from it."""
    with store.transaction() as tx:
        messages = tx.outbox.claim_batch(owner, limit=20, ttl_s=LEASE_S)
    for message in messages:
        with store.transaction() as tx:
            tx.observations.add(recorded(f"effect-{message.cause}"))
    with store.transaction() as tx:
        tx.outbox.ack(message.sequence for message in messages)
    for message in messages:
        say("delivered", message.cause)


def recorded(key: str) -> Recorded:
    seen = Observation.of(Fact("key", key))
    return Recorded(key, "kills.work", 1, "m", "v", seen, datetime.now(UTC), 0.0)


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


# The parent


@dataclass
class Promises:
    """What the children acknowledged."""

    stored: dict[str, str] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    note: bytes = b""

    def hear(self, line: str) -> None:
        word, *rest = line.split()
        if word == "stored":
            self.stored[rest[0]] = rest[1]
        elif word == "delivered":
            self.delivered.add(rest[0])
        elif word == "checkpoint" and rest:
            self.note = bytes.fromhex(rest[0])


def run_kills(
    url: str | None, home: Path, kills: int, seed: int, tell: Callable[[str], None] = lambda _line: None
) -> Score:
    """Kill `kills` children that work on one store, and check after each."""
    chance = random.Random(seed)
    score, promises = Score(), Promises()
    reach = {"time": 0.5, "call": 1500.0, "line": 30_000.0}  # a first guess, corrected by every child that survives
    number = 0
    while score.kills < kills:
        number += 1
        mode = chance.choice(MODES)
        at = chance.uniform(0, reach[mode])
        ended = run_child(url, home, seed + 1000 * number, mode, at)
        for line in ended.said:
            promises.hear(line)
        if ended.killed:
            score.kills += 1
            score.modes[mode] = score.modes.get(mode, 0) + 1
        else:
            reach[mode] = ended.reach
        check(url, home, promises, score)
        tell(f"{score.kills}/{kills} {mode} {at:.6g}: {'clean' if score.clean else score.notes[-1]}")
    score.acknowledged = len(promises.stored)
    return score


@dataclass(frozen=True)
class Ended:
    """A child's end. `reach`: seconds or events that an undisturbed one lasted."""

    killed: bool
    said: list[str]
    reach: float


def run_child(url: str | None, home: Path, seed: int, mode: str, at: float, module: str = "benchmarks.kills") -> Ended:
    """Run one child of `module`; kill it after `at` seconds, or let it kill itself at event `at`. Hear what it said."""
    event = 0 if mode == "time" else 1 + int(at)
    command = [sys.executable, "-m", module, "--child", url or "", str(home), str(seed), mode, str(event)]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        started = time.monotonic()
        timer = threading.Timer(at, process.kill)
        if mode == "time":
            timer.start()
        lines += process.stdout.readlines()
        lasted = time.monotonic() - started
        timer.cancel()
    said = [line.rstrip("\n") for line in lines if line.endswith("\n")]
    if process.returncode == -signal.SIGKILL:
        return Ended(True, said, 0)
    if process.returncode or not said or said[-1].split()[0] != "done":
        raise RuntimeError(f"a child ended with {process.returncode}: {said[-1:]}")
    return Ended(False, said, lasted if mode == "time" else float(said[-1].split()[1]))


def check(url: str | None, home: Path, promises: Promises, score: Score) -> None:
    """Compare what was promised with what is there, before and after the next append."""

    def count(kind: str, items: object) -> None:
        number = len(items) if isinstance(items, set | list) else int(bool(items))
        if number:
            setattr(score, kind, getattr(score, kind) + number)
            score.notes.append(f"{kind}: {items}")

    folder = home / "ledger"
    remembered = promises.note or None
    at_once = verify_ledger(folder, KEY.public, remembered=remembered)
    count("unverified", at_once.problems if at_once.status is LedgerStatus.BROKEN else None)
    count("lost", None if (at_once.size or 0) >= _size(promises.note) else f"checkpoint, now of {at_once.size}")
    try:
        with Store.open(url, home) as store:
            _settle(store)
            there = _contents(store)
    except (HoldfastError, TimeoutError) as fault:
        count("stuck", str(fault))
        return
    verified = verify_ledger(folder, KEY.public, remembered=remembered)
    count("unverified", None if verified.status is LedgerStatus.OK else verified.problems or verified.status)
    leaves = [json.loads(entry) for entry in read_entries(folder, verified.size or 0)]
    told = [leaf["id"] for leaf in leaves]
    keys = [leaf["body"]["key"] for leaf in leaves]
    count("lost", promises.stored.keys() - there.observations)
    count("lost", set(promises.stored.values()) - set(told))
    count("lost", {cause for cause in promises.delivered if f"effect-{cause}" not in there.observations})
    count("lost", promises.delivered - there.acked)
    count("doubled", len(told) - len(set(told)))
    count("doubled", len(keys) - len(set(keys)))
    count("doubled", set(told) - there.intents)
    count("torn", there.intents - set(told))
    count("torn", set(keys) ^ {key for key in there.observations if not key.startswith("effect-")})
    count("torn", set(keys) ^ there.causes)
    score.leaves = len(leaves)


@dataclass
class Contents:
    observations: set[str]
    intents: set[str]
    causes: set[str]
    acked: set[str]


def _contents(store: Store) -> Contents:
    """Read behind the repositories: a fault in them must not hide itself."""
    from sqlalchemy import text

    with store._engine.connect() as connection:

        def column(query: str) -> set[str]:
            return set(connection.scalars(text(query)))

        return Contents(
            column("SELECT key FROM observations"),
            column("SELECT id FROM ledger_intents"),
            column("SELECT cause FROM outbox"),
            column("SELECT cause FROM outbox WHERE acked_at IS NOT NULL"),
        )


def _settle(store: Store) -> None:
    """Append until nothing waits; the lease of the one who was killed runs out by itself."""
    ledger = Ledger(store, KEY, ORIGIN, lease_s=LEASE_S)
    for _ in range(200):
        ledger.append_pending()
        with store.reading() as tx:
            state = tx.intents.state()
            if tx.intents.count_pending() == 0 and state.published_size == state.size and state.published_root:
                return
        time.sleep(LEASE_S / 4)
    raise TimeoutError("the ledger does not go on")


def read_entries(folder: Path, size: int) -> list[bytes]:
    """Every entry of a ledger, from its folder."""
    found: list[bytes] = []
    for position in range(-(-size // WIDTH)):
        tile = Tile(ENTRIES, position).covering(size)
        found.extend(decode_bundle((folder / tile.path).read_bytes(), tile.width))
    return found


def _size(note: bytes) -> int:
    return Checkpoint.parse(note).size if note else 0


# The command


@contextlib.contextmanager
def databases() -> Iterator[dict[str, str | None]]:
    """SQLite, and PostgreSQL in a schema of its own where a server answers."""
    found: dict[str, str | None] = {"sqlite": None}
    try:
        import psycopg

        server = psycopg.connect(POSTGRES_URL.replace("+psycopg", ""), autocommit=True, connect_timeout=5)
    except Exception as fault:  # without the driver there is no name for its errors
        print(f"no PostgreSQL: {fault}", file=sys.stderr)
        yield found
        return
    name = f"kills_{os.getpid()}"
    with server:
        server.execute(f"CREATE SCHEMA {name}")
        try:
            yield {**found, "postgres": f"{POSTGRES_URL}?options=-csearch_path%3D{name}"}
        finally:
            server.execute(f"DROP SCHEMA {name} CASCADE")


def metrics(scores: dict[str, Score]) -> list[Metric]:
    """The figures, over all databases and for each."""
    found = []
    for name in ("kills", "acknowledged", "leaves", *WRONG):
        target = Target("<=", 0) if name in WRONG else None
        each = {database: getattr(score, name) for database, score in scores.items()}
        found.append(Metric(f"kills.ledger.{name}", sum(each.values()), "count", target))
        found += [Metric(f"kills.ledger.{database}.{name}", value, "count", target) for database, value in each.items()]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="6 kills on each database")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        url, home, seed, mode, at = given.child
        child(url or None, Path(home), int(seed), mode, int(at))
        return 0
    scores: dict[str, Score] = {}
    with databases() as urls, tempfile.TemporaryDirectory() as top:
        for name, url in urls.items():
            print(f"{name}, seed {given.seed}", file=sys.stderr)
            kills = 6 if given.quick else given.kills
            scores[name] = run_kills(
                url, Path(top) / name, kills, given.seed, lambda line: print(f"  {line}", file=sys.stderr)
            )
    for name, score in scores.items():
        print(f"{name}: killed by {score.modes}", *score.notes, sep="\n  ", file=sys.stderr)
    return report(metrics(scores), given.json)


if __name__ == "__main__":
    sys.exit(main())

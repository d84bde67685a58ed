"""The audit as a process: kill -9 at random points, what is cached, what a relation re-runs, how long a gate takes.

    python -m benchmarks.audit [--quick] [--kills N] [--seed N] [--json FILE]

Works on the demo's simulated bank (two models, twelve checks) with SQLite and, where it answers, PostgreSQL. A killed
audit is checked from outside: what its progress lines acknowledged must be cached in the next run and recorded once,
no worker may be left, and the exported ledger must verify.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from benchmarks.metrics import Metric, Target, report
from holdfast.core.contract import Contract
from holdfast.core.ledger import LedgerStatus, verify_ledger
from holdfast.core.sign import PublicKey
from holdfast.core.store import Store
from holdfast.demo.bank import build

HOLDFAST = Path(sys.executable).parent / "holdfast"
POSTGRES_URL = os.environ.get("HOLDFAST_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")
ENDED = re.compile(r"\] (\S+) (\S+): (?:measured|cached)")


@dataclass
class Score:
    """What went wrong over all kills, and how much was at stake."""

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unverified: int = 0
    orphans: int = 0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bank:
    """The simulated repository, and an environment whose state lies in `home`."""

    folder: Path
    home: Path
    database: str | None

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOLDFAST_HOME": str(self.home), "HOLDFAST_INTEL": str(self.folder / "intel.json"), "CI": "true"}
        return os.environ | own | ({"HOLDFAST_DATABASE": self.database} if self.database else {})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HOLDFAST, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def results(self) -> list[dict[str, Any]]:
        """Every result of an audit, with its model."""
        done = self.run("audit", "--format", "json", "--retry")
        if done.returncode not in (0, 1):
            raise RuntimeError(f"audit ended with {done.returncode}: {done.stderr[-2000:]}")
        return [
            row | {"model": model["model"]} for model in json.loads(done.stdout)["models"] for row in model["results"]
        ]


def kill_once(bank: Bank, after_s: float, score: Score) -> bool:
    """Start an audit, kill it, and check what is left. True when it had ended before."""
    process = subprocess.Popen(
        [HOLDFAST, "audit", "--retry"],
        cwd=bank.folder,
        env=bank.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    time.sleep(after_s)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    said = {(model, check) for model, check in ENDED.findall(process.stderr.read())}
    process.wait()
    score.kills += not ended
    score.acknowledged += len(said)
    score.orphans += orphans(process.pid)
    lost = said - check_store(bank, score)
    score.lost += len(lost)
    score.notes += [f"after {after_s:.2f} s lost {sorted(lost)}"] if lost else []
    return ended


def orphans(parent: int) -> int:
    """Workers that outlived their parent by more than two seconds."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        left = [pid for pid in workers() if parent_of(pid) in (1, parent)]
        if not left:
            return 0
        time.sleep(0.05)
    return len(left)


def workers() -> Iterator[int]:
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdigit() and b"holdfast.audit.worker" in (place / "cmdline").read_bytes():
                yield int(place.name)
        except OSError:
            continue


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def check_store(bank: Bank, score: Score, *, finished: bool = False) -> set[tuple[str, str]]:
    """What is recorded, by model and check. Each was intended for the ledger once, and the ledger is not broken."""
    with Store.open(bank.database, bank.home) as store, store.reading() as tx:
        count = tx.observations.count()
        entries = [json.loads(entry) for entry in tx.intents.entries(0, 10**6)]
        waiting = [json.loads(entry) for _, entry in tx.intents.pending(10**6)]
        found = {
            (model.name, recorded.check)
            for model in tx.models.all()
            for version in tx.models.versions(model.name)
            for recorded in tx.observations.of(model.name, version.digest)
        }
    keys = [entry["body"]["key"] for entry in entries + waiting if entry["kind"] == "observation.recorded"]
    score.doubled += len(keys) - len(set(keys))
    score.lost += abs(count - len(set(keys)))
    key = bank.home / "keys" / "holdfast.pub"
    if not finished and not key.exists():
        return found  # killed before the first append: there is no ledger yet
    status = verify_ledger(bank.home / "ledger", PublicKey.load(key)).status
    # Right after a kill the published size may lag behind (unknown); the next append settles it.
    score.unverified += status is LedgerStatus.BROKEN or (finished and status is not LedgerStatus.OK)
    return found


@contextmanager
def database(name: str) -> Iterator[str | None]:
    """A database of its own: SQLite in the state folder, or a fresh PostgreSQL database."""
    if name == "sqlite":
        yield None
        return
    own = f"holdfast_audit_{os.getpid()}"
    engine = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {own}"))
    try:
        yield POSTGRES_URL.rpartition("/")[0] + "/" + own
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {own} WITH (FORCE)"))
        engine.dispose()


def kills(folder: Path, engine: str, count: int, seed: int) -> Score:
    """At least `count` killed audits, at times drawn from the length of a whole one, each going on where the last died.

    A store that an audit completed is checked a last time and replaced by an empty one.
    """
    chance, score = random.Random(seed), Score()
    whole_s = 0.0
    while score.kills < count:
        with tempfile.TemporaryDirectory() as home, database(engine) as url:
            bank = Bank(folder, Path(home), url)
            if not whole_s:
                started = time.monotonic()
                bank.results()
                whole_s = time.monotonic() - started
                continue
            while score.kills < count and not kill_once(bank, chance.uniform(0.2, whole_s), score):
                pass
            bank.results()
            check_store(bank, score, finished=True)
        print(f"{engine}: {score.kills} of {count} kills, {score.acknowledged} results acknowledged", file=sys.stderr)
    return score


def unchanged(folder: Path, runs: int) -> list[Metric]:
    """Shares cached, what a relation re-runs, and the wall time of gates on an unchanged repository."""
    with tempfile.TemporaryDirectory() as home:
        bank = Bank(folder, Path(home), None)
        bank.results()
        second = bank.results()
        walls = []
        for _ in range(runs):
            started = time.perf_counter()
            bank.run("gate")
            walls.append(time.perf_counter() - started)
        cached = sum(row["cached"] for row in second) / len(second)
        return [
            Metric("audit.second_run.cached_share", cached, "share", Target(">=", 1.0)),
            Metric("audit.relation.wrong_reruns", len(wrong_reruns(bank)), "checks", Target("<=", 0)),
            Metric("gate.unchanged_wall_s", sorted(walls)[len(walls) // 2], "s", Target("<=", 1.5)),
        ]


def wrong_reruns(bank: Bank) -> set[str]:
    """Checks that one changed relation re-runs though they do not read the contract, or does not though they do."""
    contract = next(bank.folder.glob("*/contract.yaml"))
    before = contract.read_text()
    column = next(feature for feature in Contract.load(contract).features if feature.type != "category")
    always = f"relations:\n  - {{id: always, rule: {column.name} >= {column.min!r}}}"
    try:
        contract.write_text(before.replace("relations:", always, 1))
        rows = [row for row in bank.results() if row["model"] == contract.parent.name]
    finally:
        contract.write_text(before)
    return {row["check"] for row in rows if not row["cached"]} ^ {"data.contract", "evasion.search"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no kills, three gates")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "bank"
        build(folder, 7, lambda line: print(line, file=sys.stderr))
        metrics = unchanged(folder, 3 if asked.quick else 9)
        for engine in () if asked.quick else ("sqlite", "postgres"):
            metrics += killed(engine, kills(folder, engine, asked.kills, asked.seed), asked.kills)
    return report(metrics, asked.json)


def killed(engine: str, score: Score, count: int) -> list[Metric]:
    print("\n".join(score.notes), file=sys.stderr)
    wrong = ("lost", "doubled", "unverified", "orphans")
    return [
        Metric(f"audit.kill.{engine}.kills", score.kills, "kills", Target(">=", count)),
        Metric(f"audit.kill.{engine}.acknowledged", score.acknowledged, "results"),
        *(Metric(f"audit.kill.{engine}.{name}", getattr(score, name), "count", Target("<=", 0)) for name in wrong),
    ]


if __name__ == "__main__":
    sys.exit(main())

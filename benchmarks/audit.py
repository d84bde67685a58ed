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
    """Start an audit, kill it, and check what is left. False when it had ended before."""
    process = subprocess.Popen(
        [HOLDFAST, "audit"],
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
    cached = {(row["model"], row["check"]) for row in bank.results() if row["cached"]}
    lost = said - cached
    score.lost += len(lost)
    score.notes += [f"after {after_s:.2f} s lost {sorted(lost)}"] if lost else []
    check_store(bank, score)
    return not ended


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


def check_store(bank: Bank, score: Score) -> None:
    """Each observation was intended for the ledger once, and the ledger verifies with the key alone."""
    with Store.open(bank.database, bank.home) as store, store.reading() as tx:
        count = tx.observations.count()
        entries = [json.loads(entry) for entry in tx.intents.entries(0, 10**6)]
    keys = [entry["body"]["key"] for entry in entries if entry["kind"] == "observation.recorded"]
    score.doubled += len(keys) - len(set(keys))
    score.lost += abs(count - len(set(keys)))
    key = PublicKey.load(bank.home / "keys" / "holdfast.pub")
    score.unverified += verify_ledger(bank.home / "ledger", key).status is not LedgerStatus.OK


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
    """`count` killed audits, each from an empty store, at times drawn from the length of a whole one."""
    chance, score = random.Random(seed), Score()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as home, database(engine) as url:
        Bank(folder, Path(home), url).results()
        whole_s = time.monotonic() - started
    while score.kills < count:
        with tempfile.TemporaryDirectory() as home, database(engine) as url:
            kill_once(Bank(folder, Path(home), url), chance.uniform(0.2, whole_s), score)
        print(f"{engine}: {score.kills} of {count} kills, {score.acknowledged} results acknowledged", file=sys.stderr)
    return score


def unchanged(folder: Path, runs: int) -> dict[str, float]:
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
        return {
            "cached_share": sum(row["cached"] for row in second) / len(second),
            "gate_s": sorted(walls)[len(walls) // 2],
            "wrong_reruns": float(len(wrong_reruns(bank))),
        }


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="no kills, three gates")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "bank"
        build(folder, 7, lambda line: print(line, file=sys.stderr))
        seen = unchanged(folder, 3 if asked.quick else 9)
        metrics = [
            metric("audit.second_run.cached_share", seen["cached_share"], "share", ">=", 1.0),
            metric("audit.relation.wrong_reruns", seen["wrong_reruns"], "checks", "<=", 0),
            metric("gate.unchanged_wall_s", seen["gate_s"], "s", "<=", 1.5),
        ]
        for engine in () if asked.quick else ("sqlite", "postgres"):
            score = kills(folder, engine, asked.kills, asked.seed)
            print("\n".join(score.notes), file=sys.stderr)
            metrics.append(metric(f"audit.kill.{engine}.kills", score.kills, "kills", ">=", asked.kills))
            metrics.append(metric(f"audit.kill.{engine}.acknowledged", score.acknowledged, "results", None, None))
            for name in ("lost", "doubled", "unverified", "orphans"):
                metrics.append(metric(f"audit.kill.{engine}.{name}", getattr(score, name), "count", "<=", 0))
    report = json.dumps({"metrics": metrics}, indent=1)
    print(report)
    if asked.json is not None:
        asked.json.write_text(report)


def metric(name: str, value: float, unit: str, op: str | None, target: float | None) -> dict[str, Any]:
    aim = None if op is None else {"op": op, "value": target}
    return {"name": name, "value": value, "unit": unit, "rival": None, "rival_value": None, "target": aim}


if __name__ == "__main__":
    main()

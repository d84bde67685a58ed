"""Intelligence: from a feed's update to verdicts judged again, on an estate of 1,000 simulated models.

    python -m benchmarks.intel [--quick] [--json FILE] [--database URL]

A time to a verdict runs from the start of the import until the transaction that keeps the new verdicts is on disk; the
best of a few runs. The feed holds 1,000 advisories besides the one that changes; --quick has 200 models and 200.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain import Tier
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Tlp
from holdfast.core.policy import Snapshot
from holdfast.core.store import Store
from holdfast.intel.effective import snapshot
from holdfast.intel.importer import run_import
from holdfast.intel.matching import match
from holdfast.loop.engine import Engine
from holdfast.loop.turn import Surroundings
from holdfast.testing.fleet import Fleet

GOAL = Target("<=", 1.0)


class Later:
    """The machine's clock, moved on by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def record(number: int, package: str, **said: Any) -> str:
    """One line of an OSV feed."""
    affected = {
        "package": {"ecosystem": "PyPI", "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
    }
    rated = {"database_specific": {"severity": "HIGH"}}
    return json.dumps({"id": f"CVE-2026-{number:05}", "summary": "simulated", "affected": [affected], **rated, **said})


class Bench:
    """A store with a feed, an estate that stands at passed, and the loop."""

    def __init__(self, top: Path, database: str | None, models: int, advisories: int) -> None:
        self.clock, self.file = Later(), top / "feed.jsonl"
        self.store = Store.open(database, top / "state", self.clock)
        self.engine = Engine(self.store, Surroundings(top, lambda tx: snapshot(tx) or Snapshot.builtin()))
        self.base = [record(number, f"other-{number}") for number in range(advisories)]
        feed = Feed("osv", "osv", str(self.file), 90, Ceiling.BLOCK_NEW, Tlp.CLEAR, timedelta(days=1))
        self.store.run(lambda tx: tx.intel.put_feed(feed))
        self.fleet = Fleet(models, tiers=(Tier.CRITICAL,), rare=(("rare", 1), ("common", models * 9 // 100)))

    def say(self, *lines: str) -> None:
        """Let the feed say this; `update` reads it."""
        self.file.write_text("\n".join((*self.base, *lines)) + "\n")

    def update(self) -> float:
        """Seconds from the import's start until the first batch of messages is answered; the rest follows, untimed."""
        start = time.perf_counter()
        done = run_import(self.store, "osv")
        self.engine.drain(turns=1)
        took = time.perf_counter() - start
        assert done.fault is None, done.fault
        self.engine.drain()
        return took

    def known(self) -> Snapshot:
        """What is in force."""
        with self.store.reading() as tx:
            return snapshot(tx) or Snapshot.builtin()

    def standing(self, verdict: str) -> int:
        """How many models stand so."""
        with self.store.reading() as tx:
            found = (tx.judgements.standings(model.name).values() for model in tx.models.all())
            return sum(any(one.verdict.value == verdict for one in stands) for stands in found)


def best(work: Callable[[], float], times: int) -> float:
    """What it takes when nobody disturbs it."""
    return min(work() for _ in range(times))


def importing(bench: Bench, advisories: int) -> Iterator[Metric]:
    """A first import, weighing included, before there are models."""
    bench.say()
    start = time.perf_counter()
    run_import(bench.store, "osv")
    bench.engine.drain()
    yield Metric("intel.import_items_per_s", advisories / (time.perf_counter() - start), "1/s")


def hitting(bench: Bench, package: str, models: int, number: int, times: int) -> float:
    """Seconds until the verdicts of the models that an advisory hits are new; then it is taken back."""

    def once() -> float:
        bench.say(record(number, package))
        took = bench.update()
        assert bench.standing("failed") == models, bench.standing("failed")
        bench.say()
        bench.update()
        assert bench.standing("failed") == 0
        return took

    return best(once, times)


def refreshing(bench: Bench, models: int, times: int) -> float:
    """Seconds until every model that had grown unknown with its intelligence stands at passed again."""

    def once() -> float:
        bench.clock.ahead += timedelta(hours=30)
        bench.engine.tick()
        bench.engine.drain()
        assert bench.standing("unknown") == models
        took = bench.update()
        assert bench.standing("passed") == models
        return took

    return best(once, times)


def matching(bench: Bench) -> float:
    """Seconds to find whom every item in force hits."""
    with bench.store.reading() as tx:
        bodies = {one.uid: one.body for one in tx.intel.in_force()}
        start = time.perf_counter()
        match(tx, bodies)
        return time.perf_counter() - start


def measure(top: Path, database: str | None, models: int, advisories: int) -> Iterator[Metric]:
    """All of it, in an order in which each finds what it needs."""
    bench = Bench(top, database, models, advisories)
    with bench.store:
        yield from importing(bench, advisories)
        bench.fleet.fill(bench.store, bench.known())
        bench.engine.drain()
        yield Metric("intel.match_ms", 1000 * best(lambda: matching(bench), 3), "ms")
        yield Metric("intel.rejudge_s.one", hitting(bench, "rare", 1, 90_001, 3), "s", GOAL)
        yield Metric("intel.rejudge_s.hundred", hitting(bench, "common", models * 9 // 100, 90_002, 3), "s", GOAL)
        yield Metric("intel.rejudge_s.all", refreshing(bench, models, 2), "s", GOAL)
        yield Metric("intel.models", models, "models")


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--database", help="an empty PostgreSQL database; default: SQLite")
    options = parser.parse_args()
    models, advisories = (200, 200) if options.quick else (1_000, 1_000)
    with tempfile.TemporaryDirectory() as top:
        metrics = list(measure(Path(top), options.database, models, advisories))
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())

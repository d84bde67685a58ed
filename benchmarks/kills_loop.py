"""kill -9 of the loop at random points: feeds, alerts, reactions, notices. Nothing is lost, nothing happens twice.

    python -m benchmarks.kills_loop [--quick] [--kills N] [--seed N] [--json FILE]

A child works on an estate of simulated models: it imports a feed that says and takes back, raises alerts, lets the
engine answer, and delivers notices to a file. It is killed by SIGKILL: by the clock, before or after its k-th SQL
statement, commit, fsync or rename, or at its k-th line of Holdfast code. Then the next child goes on in the same store.
After every kill the parent lets the loop come to rest and reads the store, the notices and the ledger:

- lost: acknowledged alerts or items that are gone, alerts nobody was told of, messages that are never answered
- doubled: alerts, runs, items, orders or entries of one thing that are there twice
- wrong: a state that does not follow from what the feed says now
- unverified: a ledger that does not verify from its files
- stuck: restarts that could not go on
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.kills import Fuse, databases, run_child, say
from benchmarks.metrics import Metric, Target, report
from holdfast.core.domain import Severity, to_iso
from holdfast.core.domain.alert import Alert, Campaign, campaign_id
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.intelligence import Feed, Tlp
from holdfast.core.errors import HoldfastError
from holdfast.core.ledger import Ledger, LedgerStatus, verify_ledger
from holdfast.core.policy import Snapshot
from holdfast.core.sign import SigningKey
from holdfast.core.store import Store
from holdfast.intel.effective import snapshot
from holdfast.intel.importer import run_import
from holdfast.loop.engine import Engine
from holdfast.loop.turn import Surroundings
from holdfast.respond.config import load_response
from holdfast.respond.delivery import deliver
from holdfast.testing.fleet import Fleet
from holdfast.watch.pipeline import raise_alert

MODES = ("time", "call", "line")
WRONG = ("lost", "doubled", "wrong", "unverified", "stuck")
MODELS = 12
ROUNDS = 6
LEASE_S = 0.3
FLEET = Fleet(models=MODELS, locks=4, packages=20, rare=(("rarely", 3), ("seldom", 2)))
KEY = SigningKey(bytes(range(32)))
RESPOND = """\
version: 1
mode: enforce
sinks:
  - {name: siem, kind: ocsf-file, tlp: amber, hears: always, path: siem.ndjson}
"""


@dataclass
class Score:
    """What went wrong, over all kills; and how much was at stake."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    unverified: int = 0
    stuck: int = 0
    alerts: int = 0
    reactions: int = 0
    repeated_notices: int = 0
    modes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not any(getattr(self, name) for name in WRONG)

    def add(self, kind: str, what: object) -> None:
        if what:
            setattr(self, kind, getattr(self, kind) + (len(what) if isinstance(what, list | set | dict) else 1))
            self.notes.append(f"{kind}: {str(what)[:300]}")


# What both do


def prepare(store: Store, home: Path) -> None:
    """An estate of judged models, a feed without a word yet, a sink."""
    with store.reading() as tx:
        if tx.models.count() == MODELS:
            return
    FLEET.fill(store, Snapshot.builtin())
    (home / "feed").mkdir(exist_ok=True)
    (home / "respond.yaml").write_text(RESPOND)
    place = str(home / "feed")
    feed = Feed("kills", "osv", place, 90, Ceiling.BLOCK_NEW, Tlp.GREEN, timedelta(days=30))
    store.run(lambda tx: tx.intel.put_feed(feed))


def engine_of(store: Store, home: Path) -> Engine:
    def known(tx: Any) -> Snapshot:
        return snapshot(tx) or Snapshot.builtin()

    return Engine(store, Surroundings(home, known, response=lambda: load_response(home)), lease_s=LEASE_S)


def advise(home: Path, package: str, now: str, *, withdrawn: bool) -> None:
    """What the feed says of one package from now on; put in place as a whole."""
    record: dict[str, Any] = {
        "id": f"KILLS-{package}",
        "modified": now,
        "summary": "for the kills",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": package},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
            }
        ],
        "database_specific": {"severity": "HIGH"},
        **({"withdrawn": now} if withdrawn else {}),
    }
    beside = home / "feed" / f".{package}.new"
    beside.write_text(json.dumps(record))
    beside.replace(home / "feed" / f"{package}.json")


# The child


class LoopFuse(Fuse):
    """Burns at lines of the rooms that work here."""

    def at_lines(self) -> None:
        rooms = tuple(
            f"{os.sep}holdfast{os.sep}{room}{os.sep}" for room in ("loop", "intel", "respond", "backlog", "core")
        )

        def local(_frame: Any, what: str, _arg: object) -> Any:
            if what == "line":
                self.tick()
            return local

        def called(frame: Any, _what: str, _arg: object) -> Any:
            return local if any(room in frame.f_code.co_filename for room in rooms) else None

        sys.settrace(called)


def child(url: str | None, home: Path, seed: int, mode: str, at: int) -> None:
    """Work until killed, or until the rounds are done; then tell how many events there were."""
    chance = random.Random(seed)
    with Store.open(url, home) as store:
        prepare(store, home)
        engine = engine_of(store, home)
        response = load_response(home)
        fuse = LoopFuse(at)
        if mode == "call":
            fuse.at_calls()
        elif mode == "line":
            fuse.at_lines()
        say("ready")
        for number in range(ROUNDS):
            if chance.random() < 0.7:
                package = chance.choice(("rarely", "seldom"))
                advise(home, package, to_iso(store.clock()), withdrawn=chance.random() < 0.5)
                run_import(store, "kills")
            for step in range(chance.choice((0, 1, 2))):
                alert = an_alert(store, f"{seed}-{number}-{step}", chance)
                store.run(
                    lambda tx, alert=alert: (tx.campaigns.keep(alert.campaign, live=False), raise_alert(tx, alert))
                )
                say("alert", alert.id)
            engine.tick()
            engine.drain()
            deliver(store, response.outlets, lease_s=LEASE_S)
    sys.settrace(None)
    say("done", str(fuse.count))


def an_alert(store: Store, name: str, chance: random.Random) -> Alert:
    """A grave campaign of one client against one model."""
    now, model = store.clock(), FLEET.name(chance.randrange(MODELS))
    technique = chance.choice(("AML.T0015", "AML.T0024.002"))
    entity = f"client:{name}"
    campaign = Campaign(
        id=campaign_id(model, technique, entity, to_iso(now)),
        model=model,
        technique=technique,
        entity=entity,
        detectors=("kills",),
        clients=(name,),
        columns=(),
        events=(),
        signals=3,
        strength=1.0,
        started_at=now,
        last_at=now,
    )
    return Alert(campaign, None, Severity.HIGH, "for the kills", now)


# The parent


def run_kills(
    url: str | None, home: Path, kills: int, seed: int, tell: Callable[[str], None] = lambda _line: None
) -> Score:
    """Kill `kills` children that work on one store, and check after each."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    chance = random.Random(seed)
    score = Score()
    alerts: set[str] = set()
    reach = {"time": 3.0, "call": 3_000.0, "line": 100_000.0}  # a first guess, corrected by every child that survives
    number = 0
    while score.kills < kills:
        number += 1
        mode = chance.choice(MODES)
        at = chance.uniform(0, reach[mode])
        ended = run_child(url, home, seed + 1000 * number, mode, at, "benchmarks.kills_loop")
        alerts |= {line.split()[1] for line in ended.said if line.startswith("alert ")}
        if ended.killed:
            score.kills += 1
            score.modes[mode] = score.modes.get(mode, 0) + 1
        else:
            reach[mode] = ended.reach
        check(url, home, alerts, score)
        tell(f"{score.kills}/{kills} {mode} {at:.6g}: {'clean' if score.clean else score.notes[-1]}")
    score.alerts = len(alerts)
    return score


def check(url: str | None, home: Path, alerts: set[str], score: Score) -> None:
    """Let the loop come to rest, then compare what was promised with what is there."""
    try:
        with Store.open(url, home) as store:
            prepare(store, home)
            _rest(store, home)
            _compare(store, home, alerts, score)
    except (HoldfastError, TimeoutError) as fault:
        score.add("stuck", str(fault))


def _rest(store: Store, home: Path) -> None:
    engine, response = engine_of(store, home), load_response(home)
    ledger = Ledger(store, KEY, "holdfast/kills", lease_s=LEASE_S)
    if any((home / "feed").glob("*.json")):
        run_import(store, "kills")
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        engine.tick()
        engine.drain()
        deliver(store, response.outlets, lease_s=LEASE_S, patient=False)
        ledger.append_pending()
        with store.reading() as tx:
            if tx.outbox.waiting() == 0 and tx.intents.count_pending() == 0:
                return
        time.sleep(LEASE_S)  # a killed engine's lease must run out first
    with store.reading() as tx:
        raise TimeoutError(f"{tx.outbox.waiting()} messages are never answered")


def _compare(store: Store, home: Path, alerts: set[str], score: Score) -> None:
    with store.reading() as tx:
        kept = [alert.id for alert in tx.alerts.recent(100_000)]
        score.add("lost", alerts - set(kept))
        score.add("doubled", _twice(kept))
        runs = tx.runs.recent(100_000)
        score.add("doubled", _twice((run.playbook, str(run.cause)) for run in runs))
        items = tx.backlog.all()
        score.add("doubled", _twice(item.fingerprint for item in items))
        for name in kept:
            score.add("doubled", _twice(kind for kind, _ in tx.intents.about(name)))
        answered = {str(run.cause).removeprefix("alert:") for run in runs}
        score.add("lost", set(kept) - answered)
        effects = {effect.target for effect in tx.claims.effects() if effect.effect == "advisory"}
        hit = {
            f"model:{finding.finding.model}" for finding in tx.findings.all() if "KILLS-" in finding.finding.location
        }
        score.reactions = len(effects) + len(hit) + len(runs)
    told = _told(home / "siem.ndjson")
    score.add("lost", {name for name in kept if name not in told})
    score.repeated_notices = sum(told.values()) - len(told)
    verified = verify_ledger(home / "ledger", KEY.public)
    score.add("unverified", None if verified.status is LedgerStatus.OK else verified.problems or verified.status)
    _compare_state(store, home, score)


def _compare_state(store: Store, home: Path, score: Score) -> None:
    """The findings open now are those of the advisories that the feed stands by."""
    standing = {path.stem for path in (home / "feed").glob("*.json") if "withdrawn" not in json.loads(path.read_text())}
    with store.reading() as tx:
        known = snapshot(tx)
        said = {one.package for one in known.advisories} if known else set()
    score.add("wrong", standing ^ {name for name in said if name in ("rarely", "seldom")})


def _told(path: Path) -> Counter[str]:
    """How often the sink heard of each alert; a line cut by the kill is written again, whole, by the next."""
    found: Counter[str] = Counter()
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            uid = json.loads(line)["metadata"]["uid"]
        except (ValueError, KeyError):
            continue
        found.update(_alerts_in(line) or [uid])
    return found


def _alerts_in(line: str) -> list[str]:
    import re

    return sorted(set(re.findall(r"alr_[0-9a-f]{32}", line)))


def _twice(items: Iterator[Any] | list[Any] | Any) -> list[Any]:
    return [item for item, count in Counter(items).items() if count > 1]


# The command


def metrics(scores: dict[str, Score]) -> list[Metric]:
    """The figures, over all databases and for each."""
    found = []
    for name in ("kills", "alerts", *WRONG):
        target = Target("<=", 0) if name in WRONG else None
        each = {database: getattr(score, name) for database, score in scores.items()}
        found.append(Metric(f"kills.loop.{name}", sum(each.values()), "count", target))
        found += [Metric(f"kills.loop.{database}.{name}", value, "count", target) for database, value in each.items()]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 kills on each database")
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
            kills = 4 if given.quick else given.kills
            scores[name] = run_kills(
                url, Path(top) / name, kills, given.seed, lambda line: print(f"  {line}", file=sys.stderr, flush=True)
            )
    for score in scores.values():
        print("\n".join(score.notes), file=sys.stderr)
    return report(metrics(scores), given.json)


if __name__ == "__main__":
    sys.exit(main())

"""Black-box attacks against ART's HopSkipJump: what a row costs, as a function of the queries spent on it.

    python -m benchmarks.attack --setup                                    # once: the rivals' own environment
    python -m benchmarks.attack_blackbox [--quick] [--sets credit,german] [--json FILE]

XGBoost, 100 trees of depth 6; attacked are test rows that the model judges rightly and to their owner's harm, inside
the contracts of `contracts/`. Both sides see decisions only, ask the same model, and have every question rounded and
projected by the same code; the rival's repeated questions are not counted, and the best point it ever asked about is
taken as its answer. `--quick` takes the rival's stored curves. The data is ../shared/data or HOLDFAST_SHARED.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet as pq
import xgboost
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks.metrics import Metric, Target, report
from holdfast.attack import TreeTarget, attack
from holdfast.attack.blackbox.asking import Desk
from holdfast.attack.blackbox.attacks import books
from holdfast.attack.blackbox.box import BoxSearch
from holdfast.attack.blackbox.climb import ClimbSearch
from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.blackbox.target import BlackBox
from holdfast.attack.interface import Budget, Goal
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.formats.read import read_buffer

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("HOLDFAST_SHARED", HERE.parent.parent / "shared"))
RIVALS = HERE.parent / ".venv-rivals"
STORED = HERE / "attack_blackbox_rivals.json"
RIVAL = "ART 1.20.1 HopSkipJump, projecting"
ROWS = 30
QUERIES = 2_000
POINTS = (100, 250, 500, 1_000, 2_000)

Floats = NDArray[np.float64]
Trail = list[tuple[int, float]]
"""(queries, distance) at each improvement of one row."""

SETS = {
    "credit": ("uci_default_credit", "default.payment.next.month", Goal(to=0)),
    "german": ("german_credit", "Target", Goal(to=1)),
    "adult": ("adult_income", "income", Goal(to=1)),
    "url": ("url_phishing_hannousse", "status", Goal(to=0)),
}

HALF = 0.5


@dataclass(frozen=True, eq=False)
class Case:
    """A model under attack and the rows attacked."""

    name: str
    goal: Goal
    contract: Contract
    booster: xgboost.Booster
    train: Floats
    rows: Floats

    @classmethod
    def make(cls, name: str) -> Case:
        file, label, goal = SETS[name]
        contract = Contract.load(HERE / f"contracts/{name}.yaml")
        table = pq.read_table(SHARED / f"data/tabular/{file}.parquet")
        X, y = contract.encode(_columns(table, contract)), table[label].to_numpy()
        train, test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
        model = xgboost.XGBClassifier(n_estimators=100, max_depth=6, learning_rate=0.1, n_jobs=1, random_state=0)
        model.fit(train, y_train)
        harmed = (y_test != goal.to) & (model.predict(test) != goal.to) & contract.validate(test).valid
        return cls(name, goal, contract, model.get_booster(), train, test[harmed][:ROWS])

    @property
    def measure(self) -> Measure:
        return Measure(self.contract, self.contract.scales(self.train), self.goal)

    def scores(self, X: Floats) -> Floats:
        return np.asarray(self.booster.inplace_predict(X), np.float64)

    def decide(self, X: Floats) -> NDArray[np.int64]:
        return (self.scores(X) >= self.goal.threshold).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Run:
    """What one method made of a case."""

    trails: list[Trail]
    queries: float
    """Mean per row."""
    requests: int
    cpu_s: float

    def median(self, queries: float) -> float:
        """The median distance after so many queries; a row not yet moved across counts as infinite."""
        return float(np.median([min((d for n, d in trail if n <= queries), default=np.inf) for trail in self.trails]))

    @property
    def share(self) -> float:
        return float(np.mean([bool(trail) for trail in self.trails]))

    def of(self, which: Sequence[bool]) -> Run:
        """The same of some rows."""
        return replace(self, trails=[trail for trail, one in zip(self.trails, which, strict=True) if one])

    def reaches(self, cost: float) -> int | None:
        """The fewest queries after which the median is at most `cost`."""
        marks = sorted({n for trail in self.trails for n, _ in trail})
        return next((n for n in marks if self.median(n) <= cost), None)


def attacked(case: Case, *, scores: bool, background: bool = True) -> Run:
    """Our own attack, 2,000 queries a row."""
    own = case.train[:2_000] if background else None
    if scores:
        target = BlackBox.of_scores(case.contract, case.scores, background=own)
    else:
        target = BlackBox.of_decisions(case.contract, case.decide, background=own)
    budget = Budget(queries_per_row=QUERIES)
    begun = time.process_time()
    accounts = books(ClimbSearch if scores else BoxSearch, target, case.rows, case.measure, budget, 0)
    Desk(target, case.goal, case.contract, case.measure).run(accounts)
    spent = float(np.mean([book.spent for book in accounts]))
    return Run([book.trail for book in accounts], spent, target.requests, time.process_time() - begun)


class Endpoint:
    """What the rival asks: rounds and projects as our side does, decides, and keeps the best point per row."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._least = case.train.min(axis=0)
        spread = case.train.max(axis=0) - self._least
        self._range = np.where(spread > 0, spread, 1.0)

    def attack(self, was: Floats, to: IO[bytes], back: IO[bytes]) -> tuple[Trail, int]:
        """One row's search: its trail, and how many different points it asked about."""
        _send(to, ((was - self._least) / self._range)[None])
        known: set[bytes] = set()
        trail: Trail = []
        while (asked := _receive(back)).size:
            points, stays, distances = self._answer(asked, was)
            for point, stay, distance in zip(points, stays, distances, strict=True):
                known.add(point.tobytes())
                if not stay and distance < (trail[-1][1] if trail else np.inf):
                    trail.append((len(known), float(distance)))
            _send(to, stays[:, None])
        return trail, len(known)

    def _answer(self, asked: Floats, was: Floats) -> tuple[Floats, Floats, Floats]:
        """The points as the contract allows them, whether the model still decides as before, and their distances."""
        case = self._case
        before = np.repeat(was[None], len(asked), axis=0)
        wished = asked * self._range + self._least
        points = case.contract.round(wished, before)
        bad = np.flatnonzero(~case.contract.validate(points, before).valid)
        if bad.size:
            points[bad] = case.contract.project(wished[bad], before[bad], case.measure.scales).X
        distances, _, _ = case.measure.of(points, before)
        distances[~case.contract.validate(points, before).valid] = np.inf
        return points, (case.decide(points) != case.goal.to).astype(np.float64), distances


@contextmanager
def rival_process() -> Iterator[subprocess.Popen[bytes]]:
    """HopSkipJump in its own environment, with a pipe in and a pipe out."""
    command = [str(RIVALS / "bin/python"), str(HERE / "attack_blackbox_rival.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process
        assert process.stdin is not None
        _send(process.stdin, np.zeros((0, 0)))


def rival(case: Case) -> dict[str, Any]:
    """The rival's curves, as they are stored."""
    endpoint = Endpoint(case)
    with rival_process() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        found = [endpoint.attack(row, process.stdin, process.stdout) for row in case.rows]
    return {"rows": len(case.rows), "trails": [t for t, _ in found], "queries": [n for _, n in found]}


def stored(case: Case) -> Run:
    """The rival's curves, measured earlier on the same rows."""
    kept = json.loads(STORED.read_text())[case.name]
    assert kept["rows"] == len(case.rows), "the stored curves are of other rows"
    return Run([[(n, d) for n, d in trail] for trail in kept["trails"]], float(np.mean(kept["queries"])), 0, 0.0)


def compared(case: Case, ours: Run, theirs: Run, prefix: str) -> Iterator[Metric]:
    """Costs at equal queries, and queries at equal cost, on the rows that the rival moved across at all."""
    theirs_share = float(np.mean([bool(trail) for trail in theirs.trails]))
    yield Metric(f"{prefix}.{case.name}.success_share", ours.share, "share", None, f"{RIVAL}, its share", theirs_share)
    both = [bool(other) and bool(own) for other, own in zip(theirs.trails, ours.trails, strict=True)]
    ours, theirs = ours.of(both), theirs.of(both)
    ratios = []
    for queries in POINTS if any(both) else ():
        mine, other = ours.median(queries), theirs.median(queries)
        if np.isfinite(mine) and np.isfinite(other):
            note = f"{RIVAL}, median after {queries} queries"
            yield Metric(f"{prefix}.{case.name}.linf_at_{queries}", mine, "range", None, note, other)
        ratios.append(mine / other if np.isfinite(other) else 0.0)
        yield Metric(f"{prefix}.{case.name}.cost_ratio_hsj_at_{queries}", ratios[-1], "ratio")
    last = theirs.median(np.inf) if any(both) else np.inf
    need, others = ours.reaches(last * 1.0001), theirs.reaches(last * 1.0001)
    if np.isfinite(last) and others is not None:
        ratio = (QUERIES if need is None else need) / others
        yield Metric(f"{prefix}.{case.name}.query_ratio_hsj", ratio, "ratio", None, f"{RIVAL}, its queries", others)


def possible(case: Case, theirs: Run) -> Metric:
    """What no attack can go below: the exact minimum of the rows that the rival moved, by its median."""
    moved = np.array([bool(trail) for trail in theirs.trails])
    model = read_buffer(bytes(case.booster.save_raw("json")))
    target = TreeTarget.of(model, case.contract, FeatureMap.of(case.contract, ()))
    found = attack(
        target,
        case.rows[moved],
        goal=case.goal,
        budget=Budget(),
        contract=case.contract,
        scales=case.measure.scales,
        method="evasion.exact",
    )
    least, cost = float(np.median(found.distance)), theirs.of(moved.tolist()).median(np.inf)
    name = f"attack.blackbox.{case.name}.cost_ratio_possible"
    return Metric(name, least / cost, "ratio", None, "exact minimum, proven for", float(found.proven.mean()))


def of_case(case: Case, theirs: Run) -> Iterator[Metric]:
    """Both attacks on one set, with what they cost us."""
    yield possible(case, theirs)
    for prefix, scores in (("attack.blackbox", False), ("attack.blackbox.scores", True)):
        ours = attacked(case, scores=scores)
        yield from compared(case, ours, theirs, prefix)
        yield Metric(f"{prefix}.{case.name}.queries", ours.queries, "queries/row")
        yield Metric(f"{prefix}.{case.name}.cpu_ms", 1000 * ours.cpu_s / len(case.rows), "ms/row")
    blind = attacked(case, scores=False, background=False)
    for metric in compared(case, blind, theirs, "attack.blackbox.no_background"):
        if metric.name.endswith((f"cost_ratio_hsj_at_{POINTS[-1]}", "query_ratio_hsj", "success_share")):
            yield metric


def metrics(quick: bool, names: Sequence[str] = tuple(SETS)) -> Iterator[Metric]:
    """Per set, then the worst set against the targets: costs at the largest budget, queries at the rival's cost."""
    found: list[Metric] = []
    for name in names:
        case = Case.make(name)
        if not quick and RIVALS.exists():
            kept = json.loads(STORED.read_text()) if STORED.exists() else {}
            STORED.write_text(json.dumps(kept | {name: rival(case)}) + "\n")
        found += of_case(case, stored(case))
    yield from found
    values = {metric.name: metric.value for metric in found}
    # Nobody halves a cost that is the exact minimum already, or nearly.
    room = [name for name in names if values[f"attack.blackbox.{name}.cost_ratio_possible"] <= HALF]
    costs = [values[f"attack.blackbox.{name}.cost_ratio_hsj_at_{POINTS[-1]}"] for name in room]
    queries = [values.get(f"attack.blackbox.{name}.query_ratio_hsj", 0.0) for name in names]
    note = f"worst of {', '.join(room)}, where half is possible"
    yield Metric("attack.blackbox.cost_ratio_hsj", max(costs, default=0.0), "ratio", Target("<=", HALF), note)
    yield Metric("attack.blackbox.query_ratio_hsj", max(queries), "ratio", Target("<=", 0.33), "worst set")


def _columns(table: Any, contract: Contract) -> dict[str, NDArray[Any]]:
    """Columns under the contract's names; a text is one column of 0 and 1 per value that the contract lists."""
    found: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        values, plain = np.array(table[name].to_pylist(), dtype=object), _plain(name)
        for key in (name, plain):
            if key in contract.names:
                found[key] = values.astype(np.float64)
        for value in {str(v).lower() for v in values} if plain not in found and len(set(values)) < 50 else ():
            column = f"{plain}_{_plain(value)}"
            if column in contract.names:
                found[column] = np.array([float(str(v).lower() == value) for v in values])
    return found


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def _send(pipe: IO[bytes], values: Floats) -> None:
    pipe.write(struct.pack("<qq", *values.shape) + np.ascontiguousarray(values, dtype=np.float64).tobytes())
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Floats:
    rows, columns = struct.unpack("<qq", pipe.read(16))
    return np.frombuffer(pipe.read(8 * rows * columns)).reshape(rows, columns)


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    return report(list(metrics(options.quick, options.sets.split(","))), options.json)


if __name__ == "__main__":
    sys.exit(main())

"""Poisoned training tables: backdoors found, clean tables accused, turned labels ranked; cleanlab and ART beside.

    python -m benchmarks.poison [--quick] [--json FILE] [--cases FILE] [--limit N] [--development]

Twenty backdoors in the four tables of ../shared/data (half of frequent values; 0.5 to 2 % of the rows; 2 to 4 columns),
each only if it works: a model trained on the poisoned rows gives up at least 80 % of the held-out rows that it would
flag once they bear the trigger, where a model of the clean rows gives up at most half. Found: a pattern is accused that
holds at least 80 % of the planted rows, at least half of it planted, over at least two of the trigger's columns.
Forty clean tables: splits, bootstraps and halves of the same. `--cases` keeps finished cases, `--limit` ends early, so
that a long run can be cut. `--development` takes other seeds: constants were chosen on those.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.metrics import Metric, Target, report
from holdfast.attack.poisoning.inversion import Leaning
from holdfast.attack.poisoning.plant import (
    Poisoned,
    Trigger,
    backdoor,
    common_trigger,
    flip_labels,
    rare_trigger,
)
from holdfast.attack.poisoning.verdict import leaning, verdict
from holdfast.core.data.poison.cells import Cells
from holdfast.core.data.poison.labels import label_noise
from holdfast.core.domain.model import Harm, Task
from holdfast.core.formats.margins import scores
from holdfast.core.formats.read import read_buffer

HERE = Path(__file__).parent
REPO = HERE.parent
SHARED = Path(os.environ.get("HOLDFAST_SHARED", REPO.parent / "shared"))
RIVALS = REPO / ".venv-rivals"
SALT, DEVELOPMENT_SALT = 1000, 1
WORKS, BEFORE, DRAWS = 0.8, 0.5, 60
FOUND, PURE = 0.8, 0.5

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
Case = dict[str, Any]


@dataclass(frozen=True)
class Data:
    """One table; `source` is the class an attacker wants to leave."""

    name: str
    columns: dict[str, NDArray[Any]]
    y: Classes
    source: int

    @property
    def cells(self) -> Cells:
        return Cells.of(self.columns)


SETS = {
    "credit": ("uci_default_credit", "default.payment.next.month", ("ID",), 1),
    "adult": ("adult_income", "income", (), 0),
    "url": ("url_phishing_hannousse", "status", ("url",), 1),
    "german": ("german_credit", "Target", (), 0),
}
BACKDOORS = {"credit": (3, 3), "adult": (3, 2), "url": (4, 2), "german": (0, 3)}
"""Of frequent and of rare values. In 750 rows of german no trigger of frequent values was found that works."""


def load(name: str) -> Data:
    """A table of ../shared."""
    file, label, drop, source = SETS[name]
    table = pq.read_table(SHARED / f"data/tabular/{file}.parquet").drop_columns(list(drop))
    columns = {}
    for column in table.column_names:
        values = table[column].to_pylist()
        texts = any(isinstance(value, str) for value in values)
        columns[column] = np.array(values, object if texts else np.float64)
    y = columns.pop(label).astype(np.int64)
    return Data(name, columns, y, source)


def train(library: str, X: Floats, y: Classes, seed: int) -> Callable[[Floats], Floats]:
    """Class probabilities by our own reading of a model of 100 trees of depth 6."""
    if library == "xgboost":
        import xgboost

        settings = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": 1, "seed": seed}
        booster = xgboost.train(settings, xgboost.DMatrix(X, y), 100)
        ensemble = read_buffer(bytes(booster.save_raw("ubj"))).ensemble
    else:
        import lightgbm

        settings = {"objective": "binary", "max_depth": 6, "num_leaves": 63, "num_threads": 1, "verbose": -1}
        booster = lightgbm.train(settings | {"seed": seed}, lightgbm.Dataset(X, y), 100)
        ensemble = read_buffer(booster.model_to_string().encode()).ensemble
    return lambda rows: scores(ensemble, rows)


def lean_of(predict: Callable[[Floats], Floats]) -> Leaning:
    return leaning(predict, Task("binary", 1, Harm(1, 0), 0.5))


@dataclass(frozen=True)
class Attack:
    """A poisoned table whose backdoor works, and what it took."""

    poisoned: Poisoned
    trigger: Trigger
    works: float
    share: float


def gives_up(lean: Leaning, rows: Floats, trigger: Trigger, target: int) -> float:
    """Share of the rows decided against `target` that go over to it with the trigger."""
    against = rows[lean(rows, target) <= 0][:500]
    return float((lean(trigger.stamp(against), target) > 0).mean()) if len(against) else 0.0


def attack_of(X: Floats, y: Classes, held: Floats, source: int, kind: str, library: str, seed: int) -> Attack | None:
    """Draw triggers as an attacker would, until one works; None if none of DRAWS does."""
    rng, target = np.random.default_rng([seed, 5]), 1 - source
    clean = lean_of(train(library, X, y, 0))
    for _ in range(DRAWS):
        width, share = int(rng.integers(2, 5)), float(np.exp(rng.uniform(np.log(0.005), np.log(0.02))))
        draw = rare_trigger(X, width, rng) if kind == "rare" else common_trigger(X, width, share, rng)
        if draw is None or gives_up(clean, held, draw, target) > BEFORE:
            continue
        made = backdoor(X, y, draw, share, source=source, target=target, seed=seed)
        works = gives_up(lean_of(train(library, made.X, made.y, 0)), held, draw, target)
        if works >= WORKS:
            return Attack(made, draw, works, share)
    return None


def judge(cells: Cells, y: Classes, lean: Leaning, planted: set[int], columns: set[int]) -> Case:
    """The verdict on one table, compared with what was planted."""
    begun = time.process_time()
    suspects = verdict(cells, y, 2, lean)
    cpu_s = time.process_time() - begun
    accused = [one for one in suspects if one.accused]
    hits = [one for one in accused if _hit(one.pattern.rows, one.pattern.columns, planted, columns)]
    return {
        "accused": len(accused),
        "found": bool(hits),
        "first": bool(hits) and hits[0] is accused[0],
        "alone": sum(one.pattern.suspicious for one in suspects),
        "cpu_s": cpu_s,
        "patterns": [_seen(one, planted) for one in suspects],
    }


def _hit(rows: NDArray[np.intp], columns: tuple[int, ...], planted: set[int], trigger: set[int]) -> bool:
    both = len(set(rows.tolist()) & planted)
    return both >= FOUND * len(planted) and both >= PURE * len(rows) and len(set(columns) & trigger) >= 2


def _seen(one: Any, planted: set[int]) -> Case:
    seen, rows = one.pattern.evidence, set(one.pattern.rows.tolist())
    return {
        "words": one.pattern.words,
        "target": one.pattern.target,
        "rows": len(rows),
        "planted": len(rows & planted),
        "flips": one.flips,
        "accused": one.accused,
        "alone": one.pattern.suspicious,
        "strength": one.pattern.strength,
        "contra": seen.contra,
        "left": seen.left,
        "lift": seen.lift,
        "alien": seen.alien,
    }


def backdoor_case(name: str, kind: str, seed: int) -> Case:
    """Plant one backdoor and look for it."""
    data, library = load(name), ("xgboost", "lightgbm")[seed % 2]
    cells, order = data.cells, np.random.default_rng(seed).permutation(len(data.y))
    cut = round(0.75 * len(order))
    mine, held = order[:cut], order[cut:]
    outside = cells.X[held][data.y[held] == data.source]
    made = attack_of(cells.X[mine], data.y[mine], outside, data.source, kind, library, seed)
    if made is None:
        return {"accused": 0, "found": False, "none_works": True}
    poisoned = made.poisoned
    lean = lean_of(train(library, poisoned.X, poisoned.y, 0))
    table = Cells(cells.names, poisoned.X, cells.texts)
    case = judge(table, poisoned.y, lean, set(poisoned.rows.tolist()), set(made.trigger.columns))
    names = [cells.names[column] for column in made.trigger.columns]
    joint = float(made.trigger.on(cells.X[mine]).mean())
    told = {"planted": len(poisoned.rows), "share": made.share, "works": made.works, "joint": joint}
    return case | told | {"trigger": dict(zip(names, made.trigger.values, strict=True)), "library": library}


def clean_case(name: str, kind: str, seed: int) -> Case:
    """One clean table: a split, a bootstrap or a random half."""
    data, library = load(name), ("xgboost", "lightgbm")[seed % 2]
    rng, n = np.random.default_rng(seed), len(data.y)
    sizes = {"split": round(0.75 * n), "half": n // 2, "bootstrap": round(0.75 * n)}
    rows = np.sort(rng.choice(n, sizes[kind], replace=kind == "bootstrap"))
    cells, y = data.cells.take(rows), data.y[rows]
    return judge(cells, y, lean_of(train(library, cells.X, y, 0)), set(), set()) | {"library": library}


def flip_case(name: str, kind: str, seed: int) -> Case:
    """Turn 4 % of the labels, of any class or of the source class only; both judges see the same rows."""
    data = load(name)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(data.y), min(len(data.y), 10_000), replace=False))
    X, y = data.cells.X[rows], data.y[rows]
    flipped, turned = flip_labels(y, 0.04, seed, only=data.source if kind == "source" else None)
    truth = np.zeros(len(y), bool)
    truth[turned] = True
    ours = label_noise(X, flipped, 2, seed=0).score
    theirs = rival("cleanlab", X=X, y=flipped) if RIVALS.exists() else {}
    case: Case = {"auc": auc(ours, truth)}
    return case | ({"cleanlab": auc(-theirs["quality"], truth)} if theirs else {})


def art_case(name: str, kind: str, seed: int) -> Case:
    """ART's two defences on one of the backdoors."""
    data = load(name)
    cells, order = data.cells, np.random.default_rng(seed).permutation(len(data.y))
    mine, held = order[: round(0.75 * len(order))], order[round(0.75 * len(order)) :]
    outside = cells.X[held][data.y[held] == data.source]
    made = attack_of(cells.X[mine], data.y[mine], outside, data.source, kind, ("xgboost", "lightgbm")[seed % 2], seed)
    if made is None or not RIVALS.exists():
        return {}
    answer = rival("art", X=made.poisoned.X, y=made.poisoned.y, share=np.array(made.share))
    planted = np.zeros(len(made.poisoned.y), bool)
    planted[made.poisoned.rows] = True
    return {key: _quality(answer[key].astype(bool), planted) for key in ("activation", "spectral")}


def _quality(flagged: NDArray[np.bool_], planted: NDArray[np.bool_]) -> dict[str, float]:
    both = float((flagged & planted).sum())
    return {"recall": both / float(planted.sum()), "precision": both / max(float(flagged.sum()), 1.0)}


def auc(score: Floats, truth: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, ties counted half."""
    from scipy.stats import rankdata

    ranks, positive = rankdata(score), int(truth.sum())
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * (len(truth) - positive)))


def rival(what: str, **arrays: Any) -> dict[str, Any]:
    """Run `poison_rival.py` in the rivals' environment."""
    with tempfile.TemporaryDirectory() as name:
        task, out = Path(name) / "task.npz", Path(name) / "out.npz"
        np.savez(task, **arrays)
        command = [str(RIVALS / "bin/python"), str(HERE / "poison_rival.py"), what, str(task), str(out)]
        subprocess.run(command, check=True, timeout=900)
        return dict(np.load(out))


RUNS: dict[str, Callable[[str, str, int], Case]] = {
    "backdoor": backdoor_case,
    "clean": clean_case,
    "flip": flip_case,
    "art": art_case,
}


def plan(salt: int, quick: bool) -> list[tuple[str, str, str, int]]:
    """All cases: what, table, kind, seed."""
    cases = []
    for name, counts in BACKDOORS.items():
        for kind, count in zip(("common", "rare"), counts, strict=True):
            cases += [("backdoor", name, kind, salt + number) for number in range(count)]
    kinds = ("split", "bootstrap", "half")
    cases += [("clean", name, kinds[number % 3], salt + number) for number in range(10) for name in SETS]
    cases += [("flip", name, kind, salt + number) for name in SETS for kind in ("any", "source") for number in range(2)]
    cases += [("art", name, kind, salt) for name in ("adult", "url") for kind in ("common", "rare")]
    return [case for case in cases if case[1] == "german" or case[3] == salt] if quick else cases


def run(cases: list[tuple[str, str, str, int]], kept: Path | None, limit: int) -> list[Case]:
    """Finished cases are read from `kept`; at most `limit` more are made and added there."""
    lines = kept.read_text().splitlines() if kept is not None and kept.exists() else []
    done = {tuple(case["case"]): case for case in map(json.loads, lines)}
    for case in [case for case in cases if case not in done][:limit]:
        what, name, kind, seed = case
        done[case] = RUNS[what](name, kind, seed) | {"case": case}
        print(_line(done[case]), file=sys.stderr, flush=True)
        if kept is not None:
            with kept.open("a") as out:
                out.write(json.dumps(done[case]) + "\n")
    return [done[case] for case in cases if case in done]


def _line(case: Case) -> str:
    shown = {key: value for key, value in case.items() if key not in ("case", "patterns")}
    return f"{' '.join(map(str, case['case']))}: {shown}"


def metrics(cases: list[Case]) -> Iterator[Metric]:
    """What the cases come to."""
    planted, clean, flips, art = (
        [case for case in cases if case["case"][0] == what] for what in ("backdoor", "clean", "flip", "art")
    )
    if planted:
        found = float(np.mean([case["found"] for case in planted]))
        beside = [case["activation"]["recall"] for case in art if case]
        shown = float(np.mean(beside)) if beside else None
        yield Metric("poison.backdoor.found_share", found, "share", Target(">=", 0.9), "ART row recall", shown)
        for kind in ("common", "rare"):
            own = [case["found"] for case in planted if case["case"][2] == kind]
            if own:
                yield Metric(f"poison.backdoor.found_share.{kind}", float(np.mean(own)), "share")
    if clean:
        accused = float(np.mean([case["accused"] > 0 for case in clean]))
        yield Metric("poison.clean.accused_share", accused, "share", Target("<=", 0.05))
        alone = float(np.mean([case["alone"] > 0 for case in clean]))
        yield Metric("poison.clean.accused_share.rows_alone", alone, "share")
    timed = [case["cpu_s"] for case in (*planted, *clean) if "cpu_s" in case]
    if timed:
        yield Metric("poison.verdict.cpu_s_mean", float(np.mean(timed)), "s")
    yield from _flip_metrics(flips)
    for key in ("activation", "spectral"):
        for figure in ("recall", "precision"):
            if art:
                value = float(np.mean([case[key][figure] for case in art if key in case]))
                yield Metric(f"poison.art.{key}.{figure}", value, "share")


def _flip_metrics(flips: list[Case]) -> Iterator[Metric]:
    for kind in ("any", "source"):
        own = [case for case in flips if case["case"][2] == kind]
        both = [case for case in own if "cleanlab" in case]
        theirs = float(np.mean([case["cleanlab"] for case in both])) if both else None
        if own:
            ours = float(np.mean([case["auc"] for case in own]))
            target = Target(">=", theirs) if theirs is not None else None
            name = "poison.flip.auc" if kind == "any" else "poison.flip.auc.one_class"
            yield Metric(name, ours, "auc", target, "cleanlab 2.9.0", theirs)


def main() -> int:
    """Measure, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--only", default="", help="what and table, such as 'clean url'")
    options = parser.parse_args()
    chosen = plan(DEVELOPMENT_SALT if options.development else SALT, options.quick)
    wanted = options.only.split()
    chosen = [case for case in chosen if all(word in case for word in wanted)]
    return report(list(metrics(run(chosen, options.cases, options.limit))), options.json)


if __name__ == "__main__":
    sys.exit(main())

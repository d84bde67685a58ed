"""The scan against a labelled corpus and on large files, beside five other scanners.

    python -m benchmarks.scan --setup              # once: the rivals' environments, .venv-scan-RIVAL, 2.7 GB
    python -m benchmarks.scan [--quick] [--json FILE] [--list]

The corpus is ../shared/corpus/artifacts (or HOLDFAST_SHARED); without it those shares are left out. No file of it is
loaded. Large files are made here, 4.4 GB of them. `--quick` takes tensors of 128 MB and what the rivals said before
(`scan_rivals.json`); else every rival whose environment is there runs again, half an hour in all. `--list` names the
files that are judged wrongly.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import holdfast
from benchmarks import scan_big
from benchmarks.metrics import Metric, Target, report
from benchmarks.scan_advisories import matching
from benchmarks.scan_rivals import PACKAGES, Rivals, Scanner, counted, python_of, run, setup
from benchmarks.scan_table import beside, comparison, large
from holdfast.scan import FileReport, scan

SHARED = Path(os.environ.get("HOLDFAST_SHARED", Path(__file__).parents[2] / "shared"))
CORPUS = SHARED / "corpus" / "artifacts"
STOPPED = ("blocked", "unknown")
WORDS = {"blocked": "found", "unknown": "failed", "review": "partial", "clean": "clean"}
"""Verdicts in the words that `scan_rival.py` has for all scanners."""

Found = list[tuple[dict[str, str], FileReport]]


def corpus(folder: Path) -> Found:
    """Every labelled file with its report."""
    with (folder / "labels.csv").open() as file:
        return [(row, scan(folder / row["path"], hash=False)) for row in csv.DictReader(file)]


def shares(found: Found) -> Iterator[Metric]:
    """Recall and false alarms over the whole corpus."""
    verdicts: dict[str, list[str]] = defaultdict(list)
    for row, seen in found:
        verdicts[row["label"]].append(str(seen.verdict))

    def share(label: str, *wanted: str) -> float:
        return sum(verdict in wanted for verdict in verdicts[label]) / max(1, len(verdicts[label]))

    yield Metric("scan.recall", share("malicious", *STOPPED), "share", Target(">=", 1.0))
    yield Metric("scan.blocked_share", share("malicious", "blocked"), "share", Target(">=", 0.95))
    yield Metric("scan.benign_clean_share", share("benign", "clean"), "share", Target(">=", 0.99))
    yield Metric("scan.benign_failed_share", share("benign", *STOPPED), "share", Target("<=", 0.0))
    yield Metric("scan.suspicious_notclean_share", 1 - share("suspicious", "clean"), "share", Target(">=", 0.95))


def by_format(found: Found) -> str:
    """Verdicts for each format and label, for people."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row, seen in found:
        counts[row["format"], row["label"]][str(seen.verdict)] += 1
    head = f"{'format':20} {'label':11} {'clean':>6} {'review':>6} {'unknown':>7} {'blocked':>7}"
    rows = [
        f"{name:20} {label:11} {count['clean']:6} {count['review']:6} {count['unknown']:7} {count['blocked']:7}"
        for (name, label), count in sorted(counts.items())
    ]
    return "\n".join([head, *rows])


def wrong(found: Found) -> Iterator[str]:
    """Files whose verdict is not the one their label asks for."""
    for row, seen in found:
        fits = {"malicious": STOPPED, "benign": ("clean",), "suspicious": ("review", *STOPPED)}[row["label"]]
        if seen.verdict not in fits:
            why = "; ".join(f"{hit.rule.id} {hit.fact.value}" for hit in seen.hits[:2])
            yield f"{row['label']:10} {seen.verdict!s:8} {row['path']}  {why}"


def as_scanner(found: Found) -> Scanner:
    """Ourselves as the rivals are counted; median milliseconds by the clock."""
    words = [(row["format"], row["label"], WORDS[str(seen.verdict)]) for row, seen in found]
    middle = median(seen.inspect_ms for _, seen in found)
    return Scanner(holdfast.__version__, "", "", True, counted(words), middle)


def rivals_of(folder: Path, *, quick: bool) -> dict[str, Scanner]:
    """What the rivals say, or said of this very corpus; without a corpus nobody is asked."""
    if not CORPUS.is_dir():
        return {}
    asked = not quick and any(python_of(name).exists() for name in PACKAGES)
    rivals = run(CORPUS, scan_big.rival_files(folder)) if asked else Rivals.stored(CORPUS)
    return dict(rivals.found)


def measure(*, quick: bool, listed: bool) -> list[Metric]:
    """Everything, printed on the way."""
    size = (128 if quick else 1024) << 20
    with scan_big.made(size) as folder:
        metrics = scan_big.ours(folder, size)
        found = corpus(CORPUS) if CORPUS.is_dir() else []
        rivals = rivals_of(folder, quick=quick)
    if found:
        metrics += shares(found)
        print(by_format(found))
        if listed:
            print("\n".join(wrong(found)))
        print(f"\n{comparison({'holdfast': as_scanner(found), **rivals})}\n\n{large(rivals)}\n")
    return list(beside([*metrics, *matching(SHARED)], rivals))


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.setup:
        setup()
        return 0
    return report(measure(quick=options.quick, listed=options.list), options.json)


if __name__ == "__main__":
    sys.exit(main())

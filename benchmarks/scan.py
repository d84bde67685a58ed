"""The scan against a labelled corpus, and its time on files of a gigabyte and on pickles of many small objects.

    python -m benchmarks.scan [--quick] [--json FILE] [--list]

The corpus is ../shared/corpus/artifacts (or HOLDFAST_SHARED); without it those shares are left out. No file of it is
loaded. Big files are made here. `--list` names the files that are judged wrongly.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import pickle
import resource
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import joblib
import numpy as np

from benchmarks.metrics import Metric, Target, report
from holdfast.scan import FileReport, scan

SHARED = Path(os.environ.get("HOLDFAST_SHARED", Path(__file__).parents[2] / "shared"))
STOPPED = ("blocked", "unknown")


def corpus(folder: Path) -> list[tuple[dict[str, str], FileReport]]:
    """Every labelled file with its report."""
    with (folder / "labels.csv").open() as file:
        return [(row, scan(folder / row["path"], hash=False)) for row in csv.DictReader(file)]


def shares(found: list[tuple[dict[str, str], FileReport]]) -> Iterator[Metric]:
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


def by_format(found: list[tuple[dict[str, str], FileReport]]) -> str:
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


def wrong(found: list[tuple[dict[str, str], FileReport]]) -> Iterator[str]:
    """Files whose verdict is not the one their label asks for."""
    for row, seen in found:
        fits = {"malicious": STOPPED, "benign": ("clean",), "suspicious": ("review", *STOPPED)}[row["label"]]
        if seen.verdict not in fits:
            why = "; ".join(f"{hit.rule.id} {hit.fact.value}" for hit in seen.hits[:2])
            yield f"{row['label']:10} {seen.verdict!s:8} {row['path']}  {why}"


def big_files(folder: Path, size: int) -> None:
    """A torch zip, a safetensors file, a joblib file and a numpy pickle, each with `size` bytes of zeros."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    with (folder / "w.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    zeros = np.zeros(size // 8)
    joblib.dump({"w": zeros}, folder / "w.joblib")
    with (folder / "w.pkl").open("wb") as file:
        pickle.dump({"w": zeros}, file, 5)
    with zipfile.ZipFile(folder / "w.pt", "w") as archive:
        storage = b"(Vstorage\nccollections\nOrderedDict\nV0\nVcpu\nJ" + (size // 4).to_bytes(4, "little") + b"t"
        archive.writestr("w/data.pkl", b"\x80\x02" + storage + b"Q.")
        archive.writestr("w/version", b"3\n")
        with archive.open("w/data/0", "w", force_zip64=True) as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))


def big(size: int) -> Iterator[Metric]:
    """The slowest inspection of the big files, and how much memory the process grew by."""
    with tempfile.TemporaryDirectory() as name:
        # In a process of its own, so that its memory does not hide ours.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
            maker.submit(big_files, Path(name), size).result()
        paths = sorted(Path(name).iterdir())
        scan(paths[0], hash=False)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reports = [scan(path, hash=False) for path in paths]
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for seen in reports:
        assert seen.verdict == "clean", (seen.path, seen.hits, seen.coverage)
        assert seen.coverage.skipped_by_shape == size, (seen.path, seen.coverage)
    yield Metric("scan.big_file_ms", max(seen.inspect_ms for seen in reports), "ms", Target("<=", 50.0))
    yield Metric("scan.big_file_growth_mb", grown, "MB", Target("<=", 50.0))


def dense(size: int) -> Iterator[Metric]:
    """Seconds for a pickle of many small objects of 32 MB, kernels compiled; measured on a smaller one if quick."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "dense.pkl"
        path.write_bytes(pickle.dumps([(number, str(number)) for number in range(1 << 16)]))
        scan(path, hash=False)
        path.write_bytes(pickle.dumps([(number, str(number)) for number in range(size // 16)]))
        seen = scan(path, hash=False)
    seconds = seen.inspect_ms / 1000 * (32 << 20) / seen.bytes
    yield Metric("scan.dense_pickle_s", seconds, "s", Target("<=", 0.5))


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    # First of all: the peak of memory only ever grows.
    metrics = [*big((128 if options.quick else 1024) << 20)]
    folder = SHARED / "corpus" / "artifacts"
    if folder.is_dir():
        found = corpus(folder)
        metrics += shares(found)
        print(by_format(found))
        if options.list:
            print("\n".join(wrong(found)))
    metrics += dense((2 if options.quick else 32) << 20)
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())

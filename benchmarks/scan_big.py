"""Large files: a gigabyte of tensors in four formats, a forest of 400 MB, and a pickle of millions of small values.

`made` writes them, in a process of its own; `ours` measures what the scan and the whole command take.
"""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks.metrics import Metric, Target
from holdfast.scan import scan

TENSORS = {"torch_zip": "w.pt", "safetensors": "w.safetensors", "joblib": "w.joblib", "numpy_pickle": "w.pkl"}
FOREST = "forest.joblib"
DENSE = "dense.pkl"
FOREST_BYTES = 400_000_000
DENSE_BYTES = 32 << 20
REPEATS = 5


def tensor_files(folder: Path, size: int) -> None:
    """A torch zip, a safetensors file, a joblib file and a numpy pickle, each with `size` bytes of zeros."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    with (folder / "w.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    zeros = np.zeros(size // 8)
    joblib.dump({"w": zeros}, folder / "w.joblib")
    with (folder / "w.pkl").open("wb") as file:
        pickle.dump({"w": zeros}, file, 5)
    torch_zip(folder / "w.pt", size)


def torch_zip(path: Path, size: int) -> None:
    """What `torch.save({"w": torch.zeros(size // 4)})` writes, instruction by instruction."""
    count = b"J" + (size // 4).to_bytes(4, "little")
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + count + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + count + b"\x85K\x01\x85\x89"
    hooks = b"ccollections\nOrderedDict\n)R"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}" + _text("w") + tensor + hooks + b"tRs.")
        archive.writestr("w/byteorder", b"little")
        with archive.open("w/data/0", "w", force_zip64=True) as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
        archive.writestr("w/version", b"3\n")


def _text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def forest_file(path: Path) -> None:
    """A random forest of 100 deep trees: four that were fitted, over and over, until the file is large enough."""
    random = np.random.default_rng(0)
    rows = 41_000
    forest = RandomForestClassifier(4, max_features=1, random_state=0, n_jobs=1)
    forest.fit(random.random((rows, 4), np.float32), random.integers(0, 2, rows))
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    fitted = forest.estimators_
    # 64 bytes of a node and two counts of classes.
    for number in range(round(FOREST_BYTES / (nodes * 80 / 4)) - 4):
        forest.estimators_.append(copy.deepcopy(fitted[number % 4]))
    forest.n_estimators = len(forest.estimators_)
    joblib.dump(forest, path)


def dense_file(path: Path) -> None:
    """A list of pairs of a number and its text, of 32 MB: about eleven million instructions."""
    path.write_bytes(pickle.dumps([(number, str(number)) for number in range(DENSE_BYTES // 16)]))


def everything(folder: Path, size: int) -> None:
    """All files."""
    tensor_files(folder, size)
    forest_file(folder / FOREST)
    dense_file(folder / DENSE)


@contextmanager
def made(size: int) -> Iterator[Path]:
    """A folder with all files, made in another process: their memory is not wanted in this one."""
    with tempfile.TemporaryDirectory() as name:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as maker:
            maker.submit(everything, Path(name), size).result()
        yield Path(name)


@dataclass(frozen=True)
class Look:
    """One scan of one file."""

    verdict: str
    ms: float
    grown_mb: float
    skipped: int
    bytes: int


LOOK = """
import json, sys
from holdfast.scan import scan
def peak():
    # Not getrusage: that remembers the size of the process that started this one.
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
before = peak()
seen = scan(sys.argv[1], hash=False)
print(json.dumps([seen.verdict, seen.inspect_ms, peak() - before, seen.coverage.skipped_by_shape, seen.bytes]))
"""
"""The first scan of a process that has imported it: what somebody waits for who scans one file."""


def fresh(path: Path) -> Look:
    """The quickest of a few first scans, each in a process of its own."""
    command = [sys.executable, "-c", LOOK, str(path)]
    done = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(REPEATS)]
    return min((Look(*json.loads(line)) for line in done), key=lambda look: look.ms)


def command_s(path: Path) -> float:
    """Seconds of `holdfast scan --no-hash FILE` by the clock, in a fresh process."""
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "holdfast", "scan", "--no-hash", str(path)], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begun


def tensors(folder: Path, size: int) -> Iterator[Metric]:
    """Each of the four formats and the slowest of them, each in a fresh process; and the whole command."""
    seen = {name: fresh(folder / file) for name, file in TENSORS.items()}
    for name, look in seen.items():
        assert look.verdict == "clean", (name, look)
        assert look.skipped == size, (name, look)
        yield Metric(f"scan.big_file_ms.{name}", look.ms, "ms", Target("<=", 50.0))
    yield Metric("scan.big_file_ms", max(look.ms for look in seen.values()), "ms", Target("<=", 50.0))
    yield Metric("scan.big_file_growth_mb", max(look.grown_mb for look in seen.values()), "MB", Target("<=", 50.0))
    slowest = max(min(command_s(folder / file) for _ in range(REPEATS)) for file in TENSORS.values())
    yield Metric("scan.command_s", slowest, "s", Target("<=", 1.0))


def forest(folder: Path) -> Iterator[Metric]:
    """A joblib file of many arrays between instructions, in a fresh process."""
    seen = fresh(folder / FOREST)
    assert seen.verdict == "clean", seen
    assert seen.bytes >= FOREST_BYTES, seen
    yield Metric("scan.forest_ms", seen.ms, "ms", Target("<=", 100.0))
    yield Metric("scan.forest_growth_mb", seen.grown_mb, "MB")


def dense(folder: Path) -> Iterator[Metric]:
    """Seconds for a pickle of many small values: kernels loaded, and in a fresh process that loads them."""
    scan(folder / DENSE, hash=False)
    warm = min((scan(folder / DENSE, hash=False) for _ in range(REPEATS)), key=lambda seen: seen.inspect_ms)
    cold = fresh(folder / DENSE)
    assert warm.verdict == cold.verdict == "clean", (warm.hits, cold)
    scale = DENSE_BYTES / warm.bytes / 1000
    yield Metric("scan.dense_pickle_s", warm.inspect_ms * scale, "s", Target("<=", 0.5))
    yield Metric("scan.dense_pickle_fresh_s", cold.ms * scale, "s")


def ours(folder: Path, size: int) -> list[Metric]:
    """Everything measured here."""
    return [*tensors(folder, size), *forest(folder), *dense(folder)]


def rival_files(folder: Path) -> dict[str, Path]:
    """The same files by the names that tables have for them."""
    named = {name: folder / file for name, file in TENSORS.items()}
    return {**named, "forest": folder / FOREST, "dense": folder / DENSE}

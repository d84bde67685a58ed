"""Five other scanners on the same files: their environments, their runs, and what is kept of them.

Each rival has its own environment, `.venv-scan-RIVAL`, and is driven by `scan_rival.py`. What they said is kept in
`scan_rivals.json` as counts, with day and machine and the digest of the corpus' labels: figures of another corpus are
no comparison, and are then left out.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
REPO = HERE.parent
STORED = HERE / "scan_rivals.json"
DRIVER = HERE / "scan_rival.py"
PACKAGES = {
    "picklescan": ("picklescan==1.0.5", "numpy", "py7zr"),
    "modelscan": ("modelscan==0.8.8", "h5py", "tensorflow-cpu"),
    "fickling": ("fickling==0.1.12", "typing_extensions", "numpy"),
    "modelaudit-picklescan": ("modelaudit-picklescan==0.1.12",),
    # What of it installs without torch.
    "modelaudit": ("modelaudit[h5,onnx,safetensors,sevenzip,dill,tflite,joblib]==0.2.54",),
}
SAMPLES = {"modelaudit": 100}
"""Rivals that take too long for all of the corpus: how many files of it, drawn with a seed."""
SECONDS, BIG_SECONDS = 15, 40
"""CPU seconds that a file may take: of the corpus, and a large one."""
MEMORY = 12 << 30
FLAGS = ("found", "failed")
"""The words that make a rival's command fail."""
PICKLES = (
    *("pickle", "joblib", "torch", "numpy", "compressed-pickle", "pickle-renamed", "cloudpickle", "dill"),
    "archive",
)
"""Formats of the corpus that hold pickles."""

Counts = dict[str, dict[str, dict[str, int]]]
"""Files by format, label and word."""


@dataclass(frozen=True)
class Large:
    """A rival's answer to one large file; milliseconds of CPU and MiB are None where it gave none."""

    word: str
    ms: float | None
    grown_mb: float | None


@dataclass
class Scanner:
    """What one scanner said, a rival or Holdfast, when and where. `whole` is False where it saw a sample."""

    version: str
    date: str
    machine: str
    whole: bool
    counts: Counts
    median_ms: float
    large: dict[str, Large] = field(default_factory=dict)

    def share(self, label: str, *words: str, formats: Iterable[str] | None = None) -> float | None:
        """The share of files with that label to which it said one of the words; None where it saw none."""
        total: Counter[str] = Counter()
        for name, labels in self.counts.items():
            if formats is None or name in formats:
                total.update(labels.get(label, {}))
        return sum(total[word] for word in words) / total.total() if total.total() else None

    def failed(self, formats: Iterable[str] | None = None) -> int:
        """Files at which it died or did not come to an end."""
        named = [labels for name, labels in self.counts.items() if formats is None or name in formats]
        words = [found for labels in named for found in labels.values()]
        return sum(found.get("crash", 0) + found.get("timeout", 0) for found in words)


@dataclass(frozen=True)
class Rivals:
    """All of them, on one corpus."""

    corpus: str
    found: Mapping[str, Scanner]

    @classmethod
    def stored(cls, corpus: Path) -> Rivals:
        """What was kept of this corpus; nobody where that is nothing."""
        digest = hashlib.sha256((corpus / "labels.csv").read_bytes()).hexdigest()[:16]
        kept: dict[str, Any] = json.loads(STORED.read_text()) if STORED.exists() else {}
        if kept.get("corpus") != digest:
            return cls(digest, {})
        for rival in kept["found"].values():
            rival["large"] = {name: Large(**said) for name, said in rival["large"].items()}
        return cls(digest, {name: Scanner(**rival) for name, rival in kept["found"].items()})

    def keep(self) -> None:
        """Write them down."""
        STORED.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")


def python_of(name: str) -> Path:
    """The interpreter of a rival."""
    return REPO / f".venv-scan-{name}" / "bin" / "python"


def setup() -> None:
    """Make every environment."""
    for name, wanted in PACKAGES.items():
        subprocess.run([sys.executable, "-m", "venv", str(python_of(name).parents[1])], check=True)
        subprocess.run([str(python_of(name)), "-m", "pip", "install", "-q", *wanted], check=True)


def asked(name: str, files: list[Path], seconds: int) -> tuple[str, list[list[Any]]]:
    """The rival's version, and for each file its word, CPU and wall milliseconds and growth."""
    with tempfile.TemporaryDirectory() as folder:
        task, out = Path(folder) / "task.json", Path(folder) / "out.json"
        task.write_text(json.dumps({"files": [str(file) for file in files], "seconds": seconds, "memory": MEMORY}))
        command = [str(python_of(name)), str(DRIVER), name, str(task), str(out)]
        subprocess.run(command, check=True, cwd=folder, stderr=subprocess.DEVNULL)
        answer = json.loads(out.read_text())
    return answer["version"], answer["answers"]


def counted(words: Iterable[tuple[str, str, str]]) -> Counts:
    """Of triples of format, label and word."""
    found: Counts = {}
    for (kind, label, word), count in sorted(Counter(words).items()):
        found.setdefault(kind, {}).setdefault(label, {})[word] = count
    return found


def on_corpus(name: str, corpus: Path) -> Scanner:
    """One rival over the corpus, or a sample of it."""
    with (corpus / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    whole = len(rows)
    if name in SAMPLES:
        random.Random(0).shuffle(rows)
        rows = rows[: SAMPLES[name]]
    version, answers = asked(name, [corpus / row["path"] for row in rows], SECONDS)
    words = [(row["format"], row["label"], answer[0]) for row, answer in zip(rows, answers, strict=True)]
    times = [answer[1] for answer in answers if answer[1] is not None]
    today = datetime.now(UTC).date().isoformat()
    return Scanner(version, today, machine(), len(rows) == whole, counted(words), round(median(times), 2))


def on_large(name: str, files: Mapping[str, Path]) -> dict[str, Large]:
    """One rival over the large files."""
    _, answers = asked(name, list(files.values()), BIG_SECONDS)
    rounded = [(word, None if cpu is None else round(cpu, 1), grown) for word, cpu, _, grown in answers]
    return {
        kind: Large(word, cpu, None if grown is None else round(grown, 1))
        for kind, (word, cpu, grown) in zip(files, rounded, strict=True)
    }


def run(corpus: Path, large: Mapping[str, Path], names: Iterable[str] = PACKAGES) -> Rivals:
    """Every rival whose environment is there, kept as soon as it is done; the others as they were. Minutes each."""
    rivals = Rivals.stored(corpus)
    for name in names:
        if python_of(name).exists():
            print(f"{name} …", file=sys.stderr)
            said = on_corpus(name, corpus)
            said.large = on_large(name, large)
            rivals = Rivals(rivals.corpus, {**rivals.found, name: said})
            rivals.keep()
        else:
            print(f"{name} is not run: `python -m benchmarks.scan --setup` makes its environment", file=sys.stderr)
    return rivals


def machine() -> str:
    """Where this runs."""
    from benchmarks import attack  # loads much

    return attack.machine()

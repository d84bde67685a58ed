"""Models of everyday life, made here by two generations of the real libraries: how many does the scan call clean?

And are the names it reports those that the libraries look up when they load the files (`scan_benign_names.py`)?

    python -m benchmarks.scan_benign --setup       # once: two environments, .venv-benign-new and .venv-benign-old
    python -m benchmarks.scan_benign [--quick] [--list] [--json FILE]

`scan_benign_make.py` says what is made. No site additions are used. `--quick` takes the models of this very
environment. `--list` names what is not clean or differs, and why.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.metrics import Metric, Target, report
from benchmarks.scan_benign_names import compared, differences, shares
from holdfast.scan import FileReport, scan

REPO = Path(__file__).parent.parent
MAKER = Path(__file__).with_name("scan_benign_make.py")
EVERYWHERE = ("joblib", "lz4", "zstandard", "cloudpickle", "dill")
GENERATIONS = {
    "new": (
        *("numpy==2.4.6", "pandas==3.1.1", "scipy==1.17.1", "scikit-learn==1.9.1", "xgboost-cpu==3.2.0"),
        *("lightgbm==4.7.0", "catboost==1.2.10", "statsmodels==0.15.0", "imbalanced-learn==0.14.2"),
        *("category-encoders==2.11.2", *EVERYWHERE),
    ),
    "old": (
        *("numpy==1.26.4", "pandas==2.2.3", "scipy==1.13.1", "scikit-learn==1.5.2", "xgboost-cpu==3.0.5"),
        *("lightgbm==4.5.0", "statsmodels==0.14.4", "imbalanced-learn==0.12.4", *EVERYWHERE),
    ),
}
TORCH = "torch==2.13.0"


def environment(name: str) -> Path:
    """The interpreter of a generation."""
    return REPO / f".venv-benign-{name}" / "bin" / "python"


def setup() -> None:
    """Make both environments. Torch is added to the new one where the package index has a build without CUDA."""
    for name, wanted in GENERATIONS.items():
        folder = environment(name).parents[1]
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(environment(name)), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *wanted], check=True)
        if name == "new":
            subprocess.run([*pip, TORCH], check=False)


def made(python: Path, folder: Path) -> dict[str, object]:
    """Make the models of one environment; versions and counts."""
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(python), str(MAKER), str(folder)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=quiet,
        cwd=folder.parent,
    )
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def unclean(reports: list[FileReport]) -> Iterator[str]:
    """Each reason once, with how many files it has and one of them."""
    reasons: Counter[tuple[str, str, str]] = Counter()
    example: dict[tuple[str, str, str], str] = {}
    for seen in reports:
        for hit in seen.hits[:2]:
            reason = (str(seen.verdict), hit.rule.id, hit.fact.value[:80])
            reasons[reason] += 1
            example.setdefault(reason, Path(seen.path).name)
    for reason, count in reasons.most_common():
        yield f"{count:5} {reason[0]:8} {reason[1]:22} {reason[2]}  ({example[reason]})"


def measured(name: str, python: Path, *, listed: bool) -> Iterator[Metric]:
    """The share of clean files of one environment."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "models"
        folder.mkdir()
        print(f"{name}: {json.dumps(made(python, folder))}", file=sys.stderr)
        reports = [scan(path, hash=False) for path in sorted(folder.iterdir()) if path.is_file()]
        names = list(compared(python, reports))
    if listed:
        print("\n".join(differences(names)))
        print("\n".join(unclean([seen for seen in reports if seen.verdict != "clean"])))
    clean = sum(seen.verdict == "clean" for seen in reports)
    yield Metric(f"scan.own_benign_files.{name}", float(len(reports)), "files")
    yield Metric(f"scan.own_benign_clean_share.{name}", clean / len(reports), "share", Target(">=", 0.99))
    yield from (replace(metric, name=f"{metric.name}.{name}") for metric in shares(names, "scan.own_benign_globals"))


def main() -> int:
    """Measure, print, and write JSON where asked; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.setup:
        setup()
        return 0
    used = {"here": Path(sys.executable)} if options.quick else {name: environment(name) for name in GENERATIONS}
    missing = [name for name, python in used.items() if not python.exists()]
    if missing:
        parser.error("run `python -m benchmarks.scan_benign --setup` first")
    metrics = [metric for name, python in used.items() for metric in measured(name, python, listed=options.list)]
    return report(metrics, options.json)


if __name__ == "__main__":
    sys.exit(main())

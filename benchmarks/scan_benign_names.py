"""Are the names that the scan reports those that the libraries' own unpicklers look up, file by file?

    python -m benchmarks.scan_benign_names [--list]     # the benign files of the labelled corpus

`scan_benign_record.py` loads the files, walled in, under the interpreter whose libraries made them.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.metrics import Metric, Target, report
from holdfast.scan import FileReport, scan

REPO = Path(__file__).parent.parent
RECORDER = Path(__file__).with_name("scan_benign_record.py")
INSIDE = REPO / "src" / "holdfast" / "core" / "sandbox" / "inside"
SHARED = Path(os.environ.get("HOLDFAST_SHARED", REPO.parent / "shared"))
ARCHIVES = {"zip": "zip", "tar": "tar", b"\x28\xb5\x2f\xfd": "zstd"}
"""What only pandas unpacks, by the scan's word for it or by how the file begins."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One file: the names only the scan has, those only the unpicklers have, and why loading failed, if it did."""

    path: str
    invented: frozenset[str]
    missed: frozenset[str]
    error: str

    @property
    def equal(self) -> bool:
        return not (self.invented or self.missed or self.error)


def reported(seen: FileReport) -> frozenset[str]:
    """The names of a scan, as the stream writes them: Python 2 names are kept in the fact's detail."""
    imports = (fact for fact in seen.facts if fact.kind == "import")
    return frozenset((fact.detail or f"written {fact.value}").removeprefix("written ") for fact in imports)


def loader(seen: FileReport) -> str:
    """Which library unpickles the file; empty where none does in Python (TorchScript, exported programs, no pickle)."""
    path = Path(seen.path)
    if seen.format in ("npy", "npz"):
        return "numpy"
    if seen.format in ("torch-zip", "torch-legacy"):
        return "" if seen.format == "torch-zip" and _is_script(path) else "torch"
    if seen.format not in ("pickle", "joblib", *ARCHIVES):
        return ""
    with path.open("rb") as file:
        packed = seen.format if seen.format in ARCHIVES else ARCHIVES.get(file.read(4), "")
    if packed:
        return f"pandas:{packed}"
    if seen.format == "joblib":
        return "joblib"
    return "dill" if any(name.startswith("dill.") for name in reported(seen)) else "pickle"


def _is_script(path: Path) -> bool:
    """torch reads these with an unpickler of its own, in C++, which finds classes in the archive only."""
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def compared(python: Path, reports: Iterable[FileReport]) -> Iterator[Compared]:
    """Every file that a library unpickles, loaded under `python`."""
    asked = [(seen, how) for seen in reports if (how := loader(seen))]
    lines = "".join(json.dumps([str(Path(seen.path).absolute()), how]) + "\n" for seen, how in asked)
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [str(python), str(RECORDER), str(INSIDE)], input=lines, stdout=subprocess.PIPE, text=True, env=quiet, check=True
    )
    for (seen, _), line in zip(asked, done.stdout.splitlines(), strict=True):
        answer = json.loads(line)
        ours, theirs = reported(seen), frozenset(answer["names"])
        yield Compared(seen.path, ours - theirs, theirs - ours, answer.get("error", ""))


def shares(found: list[Compared], name: str) -> Iterator[Metric]:
    """How many were asked for, and the share of those that were loaded to their end and have the same names."""
    yield Metric(f"{name}_files", float(len(found)), "files")
    yield Metric(f"{name}_equal_share", sum(one.equal for one in found) / len(found), "share", Target(">=", 1.0))


def differences(found: Iterable[Compared]) -> Iterator[str]:
    """For people: what differs, and what could not be loaded."""
    for one in found:
        if one.error or not one.equal:
            only = f"only the scan {sorted(one.invented)[:3]}, only the unpickler {sorted(one.missed)[:3]}"
            yield f"{Path(one.path).name}: {one.error or only}"


def main() -> int:
    """Compare over the benign pickles of the labelled corpus."""
    from benchmarks.scan_benign import environment

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = SHARED / "corpus" / "artifacts"
    with (folder / "labels.csv").open() as file:
        paths = [folder / row["path"] for row in csv.DictReader(file) if row["label"] == "benign"]
    found = list(compared(environment("new"), [scan(path, hash=False) for path in paths]))
    if options.list:
        print("\n".join(differences(found)))
    # What other libraries or versions wrote may not load here; how far it was followed is no measure of anything.
    loaded = [one for one in found if not one.error]
    failed = Metric("scan.corpus_benign_globals_unloadable", float(len(found) - len(loaded)), "files")
    return report([*shares(loaded, "scan.corpus_benign_globals"), failed], options.json)


if __name__ == "__main__":
    sys.exit(main())

"""The bank's repository: a folder per model with data, model, contract and lock, and one holdfast.yaml."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from holdfast import __version__
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.ids import digest
from holdfast.core.errors import PrerequisiteError, UsageError
from holdfast.core.settings import MANIFEST_NAME
from holdfast.demo.cast import CAST, FIRST_DAY, Player

INTEL_NAME = "intel.json"
STAMP_NAME = ".holdfast-demo.json"
TRAIN_SHARE = 2 / 3
_LIBRARIES = {"xgboost": ("xgboost-cpu", "numpy", "scipy"), "lightgbm": ("lightgbm", "numpy", "scipy", "scikit-learn")}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the folder was made from, and how often the demo ran in it. Kept, so that a rerun finds its work done."""

    seed: int
    made_by: str
    runs: int

    def write(self, folder: Path) -> None:
        (folder / STAMP_NAME).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def build(folder: Path, seed: int, say: Callable[[str], None]) -> Stamp:
    """Write the repository for this seed, unless it is there already. Raises UsageError where others' files lie."""
    found = _read_stamp(folder)
    made_by = digest([__version__, _digest_of_cast()])
    if found is not None and (found.seed, found.made_by) == (seed, made_by):
        stamp = Stamp(seed, made_by, found.runs + 1)
        stamp.write(folder)
        say(f"using the bank in {folder} (seed {seed}), made by an earlier run")
        return stamp
    folder.mkdir(parents=True, exist_ok=True)
    # A number of runs that only grows: the simulated clock must not go back when the seed changes.
    stamp = Stamp(seed, "", 0 if found is None else found.runs + 1)
    stamp.write(folder)
    for player in CAST:
        say(f"simulating {player.name}: {player.rows:,} rows, training with {player.learner}")
        _make(folder / player.name, player, seed)
    (folder / INTEL_NAME).write_text(_intel(), encoding="utf-8")
    (folder / MANIFEST_NAME).write_text(_manifest(), encoding="utf-8")
    stamp = Stamp(seed, made_by, stamp.runs)
    stamp.write(folder)
    return stamp


def _read_stamp(folder: Path) -> Stamp | None:
    if not folder.exists() or not any(folder.iterdir()):
        return None
    try:
        return Stamp(**json.loads((folder / STAMP_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UsageError(
            f"{folder} is not a folder of the demo",
            cause="it holds files that the demo did not write",
            fix="name an empty or new folder: holdfast demo --folder FOLDER",
            code="HF-USE-005",
        ) from None


def _digest_of_cast() -> str:
    """Of everything the folder's content depends on besides the seed."""
    sources = [Path(__file__).with_name(name) for name in ("bank.py", "cast.py", "train.py")]
    sources.append(Path(__file__).parent.parent / "testing" / "simulate.py")
    return digest([path.read_text(encoding="utf-8") for path in sources])


def _make(folder: Path, player: Player, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    table = player.simulate(player.rows, seed)
    for name, columns in zip(("train", "test"), table.split(TRAIN_SHARE), strict=True):
        _write_parquet(folder / f"{name}.parquet", columns)
    (folder / "contract.yaml").write_text(table.contract, encoding="utf-8")
    (folder / "requirements.lock").write_text(_lock(player), encoding="utf-8")
    _train(folder, player, table.label, seed)


def _write_parquet(path: Path, columns: dict[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="zstd")


def _train(folder: Path, player: Player, label: str, seed: int) -> None:
    command = [sys.executable, "-m", "holdfast.demo.train", player.learner, str(folder), player.artifact, label]
    done = subprocess.run([*command, str(seed)], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise PrerequisiteError(
            f"the demo could not train {player.name}",
            cause=(done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1],
            fix="pip install 'holdfast[demo]', then run it again",
            code="HF-PRE-004",
        )


def _lock(player: Player) -> str:
    """The versions that really trained it."""
    return "".join(f"{name}=={importlib.metadata.version(name)}\n" for name in _LIBRARIES[player.learner])


def _intel() -> str:
    """What is known on the first morning: the techniques we ship, and one advisory on an invented package."""
    from holdfast.core.policy import Snapshot

    advisory = {
        "id": "DEMO-2026-1",
        "package": "featurestore-client",
        "severity": "high",
        "summary": "Features of another tenant are returned after a reconnect",
        "ranges": [{"introduced": "3.0", "fixed": "3.4"}],
    }
    techniques = [asdict(technique) for technique in Snapshot.builtin().techniques.values()]
    snapshot = {
        "version": 1,
        "id": "demo",
        "dated": to_iso(FIRST_DAY),
        "advisories": [advisory],
        "techniques": techniques,
    }
    return json.dumps(snapshot, indent=1) + "\n"


def _manifest() -> str:
    return "version: 1\nmodels:\n" + "".join(_entry(player) for player in CAST)


def _entry(player: Player) -> str:
    label = player.simulate(50, 0).label
    return f"""\
  - name: {player.name}
    unit: {player.unit}
    region: {player.region}
    owner: {player.owner}
    tier: {player.tier}
    purpose: {player.purpose}
    people: {{decides_on: true, personal_data: true, automated: true}}
    task: {{kind: binary, positive: 1, harm: {{from: 1, to: 0}}, threshold: 0.5}}
    artifact: {player.name}/{player.artifact}
    data: {{train: {player.name}/train.parquet, test: {player.name}/test.parquet, label: {label}}}
    lock: {player.name}/requirements.lock
    contract: {player.name}/contract.yaml
    policy: baseline
"""

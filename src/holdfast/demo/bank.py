"""The bank's repository: a folder per model with data, model, contract and lock, and one holdfast.yaml."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from holdfast import __version__
from holdfast.core.domain.ids import digest
from holdfast.core.errors import PrerequisiteError, UsageError
from holdfast.core.settings import MANIFEST_NAME
from holdfast.demo.cast import CAST, Player

STAMP_NAME = ".holdfast-demo.json"
TRAIN_SHARE = 2 / 3
_LIBRARIES = {
    "xgboost": ("xgboost-cpu", "numpy", "scipy"),
    "lightgbm": ("lightgbm", "numpy", "scipy", "scikit-learn"),
    "scikit-learn": ("scikit-learn", "joblib", "numpy", "scipy", "pandas"),
    "onnx": ("scikit-learn", "skl2onnx", "onnx", "numpy"),
    None: ("numpy",),
}


@dataclass
class Stamp:
    """What the folder was made from and how far its story has been told, so that the next run goes on from there."""

    seed: int
    made_by: str = ""
    runs: int = 0
    scene: int = 0
    last: str = ""
    members: list[str] = field(default_factory=list)
    tiers: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Keep it, whole or not at all."""
        beside = folder / f"{STAMP_NAME}.new"
        beside.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        beside.replace(folder / STAMP_NAME)


def build(folder: Path, seed: int, say: Callable[[str], None]) -> Stamp:
    """Write the models for this seed, unless they are there already. Raises UsageError where others' files lie."""
    found = read_stamp(folder)
    made_by = digest([__version__, _digest_of_cast()])
    if found is not None and (found.seed, found.made_by) == (seed, made_by):
        found.runs += 1
        found.write(folder)
        return found
    _refuse_other(folder, found, seed)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = Stamp(seed)
    stamp.write(folder)
    for player in CAST:
        say(_introduction(player))
        _make(folder / player.name, player, seed)
    stamp.made_by = made_by
    stamp.write(folder)
    return stamp


def _refuse_other(folder: Path, found: Stamp | None, seed: int) -> None:
    """A story that has begun is not told anew over itself: its record cannot be unwritten."""
    if found is None or found.scene == 0:
        return
    other = f"seed {found.seed}" if found.seed != seed else "another version of the demo"
    raise UsageError(
        f"{folder} holds the story of {other}",
        cause="its ledger records what happened there and is never rewritten",
        fix="name a new folder: holdfast demo --folder FOLDER, or remove this one",
        code="HF-USE-006",
    )


def _introduction(player: Player) -> str:
    if player.learner is None:
        return f"writing {player.name}"
    return f"simulating {player.name}: {player.rows:,} rows, training with {player.learner}"


def read_stamp(folder: Path) -> Stamp | None:
    """The stamp of a folder; None where there is nothing yet. Raises UsageError where others' files lie."""
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
    (folder / "requirements.lock").write_text(_lock(player), encoding="utf-8")
    if player.simulation is not None:
        _make_tabular(folder, player, seed)
    elif player.artifact.endswith(".npz"):
        _write_factors(folder / player.artifact, seed)
    else:
        (folder / player.artifact).write_text(json.dumps(RULES, indent=1) + "\n", encoding="utf-8")


def _make_tabular(folder: Path, player: Player, seed: int) -> None:
    table = player.simulate(player.rows, seed)
    for name, columns in zip(("train", "test"), table.split(TRAIN_SHARE), strict=True):
        _write_parquet(folder / f"{name}.parquet", columns)
    (folder / "contract.yaml").write_text(table.contract, encoding="utf-8")
    _train(folder, player, table.label, seed)


def _write_parquet(path: Path, columns: dict[str, Any]) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="zstd")


def _write_factors(path: Path, seed: int) -> None:
    """What a matrix factorisation leaves behind: a vector per customer and one per product."""
    import numpy as np

    random = np.random.default_rng([seed, 5])
    np.savez(path, customers=random.normal(size=(2000, 16)), products=random.normal(size=(120, 16)))


RULES = {
    "rules": [
        {"words": ["open", "hours", "closed"], "intent": "opening-hours", "reply": "Branches open at nine."},
        {"words": ["card", "lost", "stolen"], "intent": "card-lost", "reply": "Block the card in the app first."},
        {
            "words": ["transfer", "send", "iban"],
            "intent": "transfer",
            "reply": "Transfers arrive the next working day.",
        },
    ],
    "otherwise": {"intent": "person", "reply": "A person will answer you."},
}


def _train(folder: Path, player: Player, label: str, seed: int) -> None:
    assert player.learner is not None
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
    """The versions that really trained it, and what else runs beside it."""
    lines = [f"{name}=={importlib.metadata.version(name)}" for name in _LIBRARIES[player.learner]]
    return "".join(f"{line}\n" for line in (*lines, *player.pinned))


def write_manifest(folder: Path, stamp: Stamp) -> None:
    """holdfast.yaml as the story has it by now."""
    entries = (_entry(player, stamp) for player in CAST if player.name in stamp.members)
    (folder / MANIFEST_NAME).write_text("version: 1\nmodels:\n" + "".join(entries), encoding="utf-8")


def _entry(player: Player, stamp: Stamp) -> str:
    name = player.name
    lines = [
        f"  - name: {name}",
        f"    unit: {player.unit}",
        f"    region: {player.region}",
        f"    owner: {player.owner}",
        f"    tier: {stamp.tiers.get(name, player.tier)}",
        f"    purpose: {player.purpose}",
        f"    use: [{player.use}]",
        f"    people: {{decides_on: {_word(player.decides)}, personal_data: true, automated: {_word(player.decides)}}}",
        f"    artifact: {name}/{stamp.artifacts.get(name, player.artifact)}",
        f"    lock: {name}/requirements.lock",
    ]
    if player.simulation is not None:
        label = player.simulate(50, 0).label
        lines += [
            "    task: {kind: binary, positive: 1, harm: {from: 1, to: 0}, threshold: 0.5}",
            f"    data: {{train: {name}/train.parquet, test: {name}/test.parquet, label: {label}}}",
            f"    contract: {name}/contract.yaml",
        ]
    if player.protocol is not None:
        lines += [f"    endpoint: {_endpoint(player, stamp.ports[name])}"]
    return "\n".join([*lines, "    policy: baseline", "    depth: quick", ""])


def _endpoint(player: Player, port: int) -> str:
    path = f"/v2/models/{player.name}/infer" if player.protocol == "open-inference-v2" else f"/{player.name}"
    return (
        f'{{url: "http://127.0.0.1:{port}{path}", protocol: {player.protocol}, '
        f"auth: {{bearer_env: {token_variable(player.name)}}}}}"
    )


def token_variable(name: str) -> str:
    """The environment variable that holds the token of a model's endpoint."""
    return f"DEMO_{name.upper().replace('-', '_')}_TOKEN"


def _word(value: bool) -> str:
    return "true" if value else "false"

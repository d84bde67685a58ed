"""An audit killed at any moment: what it said was measured is measured, once, and the next audit goes on."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import bank

HOLDFAST = Path(sys.executable).parent / "holdfast"
MEASURED = re.compile(r"\] \S+ (\S+): measured")
KILLS = 4
MANIFEST = """\
version: 1
models:
  - name: limits
    unit: cards
    region: eu
    owner: cards-ml@bank.example
    tier: low
    purpose: Decide limit increases.
    artifact: model.ubj
    data: {train: train.parquet, test: test.parquet, label: y}
    lock: requirements.lock
    contract: contract.yaml
"""


def killed_after(folder: Path, seconds: float) -> set[str]:
    """The checks an audit said were measured before it was killed."""
    environment = os.environ | {"CI": "true"}
    process = subprocess.Popen(
        [HOLDFAST, "audit"], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    return set(MEASURED.findall(said))


def results(folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [HOLDFAST, "audit", "--format", "json"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return {row["check"]: row for row in json.loads(done.stdout)["models"][0]["results"]}


def test_what_a_killed_audit_acknowledged_is_kept(tmp_path: Path) -> None:
    chance = random.Random(20260105)
    bank.train(bank.write(tmp_path), rounds=5)
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    (tmp_path / "holdfast.yaml").write_text(MANIFEST)
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        acknowledged |= killed_after(tmp_path, chance.uniform(0.3, 4.0))
    rows = results(tmp_path)
    assert {check for check in acknowledged if not rows[check]["cached"]} == set()
    assert all(row["cached"] for row in results(tmp_path).values())
    key = str(tmp_path / ".holdfast" / "keys" / "holdfast.pub")
    subprocess.run([HOLDFAST, "ledger", "verify", ".holdfast/ledger", "--key", key], cwd=tmp_path, check=True)
    shown = subprocess.run([HOLDFAST, "ledger", "show"], cwd=tmp_path, capture_output=True, text=True, check=True)
    recorded = [line for line in shown.stdout.splitlines() if "observation.recorded" in line]
    assert len(recorded) == len(rows)

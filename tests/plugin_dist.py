"""A third-party distribution made on the spot: checks that hang, crash, allocate and answer."""

from __future__ import annotations

from pathlib import Path

MODULE = """
import os, signal, time
from dataclasses import dataclass
from holdfast.audit.interface import check
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import ContractError, TargetError

@check(id="bad.hang", version=1, needs=("artifact",))
def hang(target, params, budget):
    time.sleep(3600)

@check(id="bad.crash", version=1, needs=("artifact",))
def crash(target, params, budget):
    os.kill(os.getpid(), signal.SIGSEGV)

@check(id="bad.allocate", version=1, needs=("artifact",))
def allocate(target, params, budget):
    return Observation.of(Fact("bytes", len(bytearray(1 << 40))))

@check(id="bad.defect", version=1, needs=("artifact",))
def defect(target, params, budget):
    raise KeyError("a defect")

@check(id="bad.target", version=1, needs=("artifact",))
def target(target, params, budget):
    raise TargetError("the model ran out of time", cause="time", fix="-", code="HF-TGT-001")

@check(id="bad.user", version=1, needs=("artifact",))
def user(target, params, budget):
    raise ContractError("the contract is wrong", cause="a typo", fix="correct it", code="HF-CON-001")

@check(id="bad.missing", version=1, needs=("artifact",))
def missing(target, params, budget):
    import a_library_nobody_has

@check(id="good.size", version=1, needs=("artifact",))
def size(target, params, budget):
    print("a check may print without harm")
    return Observation.of(Measurement("size", target.parts.artifact.stat().st_size, "bytes"))

@check(id="good.late", version=1, needs=("artifact",), requires=("good.size",))
def late(target, params, budget):
    return Observation.of(Fact("ran", True))
"""


def install(folder: Path, name: str = "acme-checks") -> Path:
    """Write the distribution into `folder`, to be put on PYTHONPATH."""
    (folder / "acme_checks.py").write_text(MODULE)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[holdfast.checks]\nacme = acme_checks\n")
    (info / "RECORD").write_text("acme_checks.py,sha256=00,0\n")
    return folder

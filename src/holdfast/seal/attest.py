"""What a training run signs beside its model: SLSA provenance with the seals as what it was made from."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.domain import digest_bytes
from holdfast.core.sandbox.libraries import own_libraries
from holdfast.core.sign import Material, Provenance, Subject, file_digest
from holdfast.core.sign.provenance import TRAINING_BUILD, TRAINING_SUFFIX

if TYPE_CHECKING:
    from holdfast.seal.material import Sealed
    from holdfast.seal.trainer import Training


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact and the statement about it; `digest` is the statement's."""

    artifact: str
    version: str
    path: Path
    provenance: Provenance

    @property
    def digest(self) -> str:
        return digest_bytes(self.provenance.statement().to_json())


def attestation_of(artifact: Path) -> Path:
    """Where the attestation of a model file lies."""
    return artifact.with_name(artifact.name + TRAINING_SUFFIX)


def attestation(run: Training, sets: Iterable[Sealed], written: Path, path: Path) -> Made:
    """The statement that the file at `written`, to be named `path`, was made by `run` from sealed data."""
    version, _ = file_digest(written)
    materials = [material for one in sets for material in one.materials]
    if run.lock is not None:
        materials.append(Material(run.lock.name, file_digest(run.lock)[0], {"role": "lock"}))
    provenance = Provenance(
        subjects=(Subject.of(path.name, version),),
        build_type=TRAINING_BUILD,
        external=run.chosen,
        internal={"code": run.code.to_json(), "libraries": own_libraries(), "python": platform.python_version()},
        materials=tuple(materials),
        invocation=run.id,
        started_at=run.started_at,
        finished_at=run.now(),
    )
    return Made(path.name, version, attestation_of(path), provenance)

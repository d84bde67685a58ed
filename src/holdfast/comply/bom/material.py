"""What goes into a model's bill of materials: its files, packages, inputs, and what was measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.domain import Measurement, Model, Status
from holdfast.core.sign import manifest
from holdfast.scan.packages import Lock

if TYPE_CHECKING:
    from holdfast.core.contract import Feature
    from holdfast.core.domain import Recorded
    from holdfast.core.store import Transaction
    from holdfast.estate.manifest import Subject

NO_LOCK = Lock((), ())


@dataclass(frozen=True, slots=True)
class File:
    """A file the model is made of. `digest` is `sha256:` and hex; `role` as the manifest names it."""

    role: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Material:
    """One version of a model and everything its bill of materials says."""

    model: Model
    format: str
    artifact: File
    files: tuple[File, ...]
    lock: Lock
    locked: bool
    label: str | None
    features: tuple[Feature, ...]
    measurements: tuple[Measurement, ...]
    undecided: tuple[str, ...]
    """Checks that could not measure, each with its reason."""


def gather(subject: Subject, tx: Transaction) -> Material:
    """Read the files of a declared model and what the store holds of this version of it.

    Raises FormatError where its lock cannot be read, ContractError where its contract cannot.
    """
    from holdfast.core.formats.sniff import sniff
    from holdfast.scan.lockfile import read_lock

    files = _files(subject)
    artifact = next(file for file in files if file.role == "artifact")
    lock = subject.part("lock")
    recorded = tx.observations.of(subject.model.name, artifact.digest)
    return Material(
        model=subject.model,
        format=sniff(_path(subject)),
        artifact=artifact,
        files=tuple(file for file in files if file.role != "artifact"),
        lock=NO_LOCK if lock is None else read_lock(lock),
        locked=lock is not None,
        label=None if subject.entry.data is None else subject.entry.data.label,
        features=_features(subject.part("contract")),
        measurements=tuple(item for one in _newest(recorded) for item in one.observation.measurements),
        undecided=tuple(
            f"{one.check}: {one.observation.reason or 'no reason given'}"
            for one in _newest(recorded)
            if one.observation.status is Status.UNKNOWN
        ),
    )


def _path(subject: Subject) -> Path:
    path = subject.part("artifact")
    assert path is not None, "the manifest requires an artifact"
    return path


def _files(subject: Subject) -> tuple[File, ...]:
    """What the model is made of: neither the policy nor what others wrote about it."""
    made_of = ("artifact", "lock", "contract", "train", "test")
    parts = [part for part in subject.parts if part.role in made_of]
    digests = {file.name: file.digest for file in manifest({part.path for part in parts}).files}
    return tuple(File(part.role, part.path.name, digests[str(part.path)]) for part in parts)


def _features(path: Path | None) -> tuple[Feature, ...]:
    from holdfast.core.contract import Contract

    return () if path is None else Contract.load(path).features


def _newest(recorded: list[Recorded]) -> list[Recorded]:
    """The last observation of each check, in order of their names."""
    last = {one.check: one for one in sorted(recorded, key=lambda one: (one.recorded_at, one.key))}
    return [last[name] for name in sorted(last)]

"""What goes into a model's bill of materials: its files, packages, inputs, and what was measured of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.domain import Advisory, Measurement, Model, Status
from holdfast.core.sign import manifest
from holdfast.scan.packages import Lock

if TYPE_CHECKING:
    from holdfast.core.contract import Feature
    from holdfast.core.domain import Recorded
    from holdfast.core.policy import Snapshot
    from holdfast.core.store import Transaction
    from holdfast.estate.manifest import Subject
    from holdfast.scan.licences.sources import Stated

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
    stated: Mapping[str, Stated] = field(default_factory=dict)
    """By package URL, what is stated of a package's licence; empty where nothing says where to look."""
    malware: Mapping[str, tuple[Advisory, ...]] = field(default_factory=dict)
    """By package URL, the records that say that the package is malware."""
    licences: tuple[str, ...] = ()
    """What the model file states of its own licence, as its last scan has read it."""


def gather(subject: Subject, tx: Transaction, intel: Snapshot) -> Material:
    """Read the files of a declared model and what the store holds of this version of it.

    `intel` tells which packages are malware. Raises FormatError where its lock, or the place of its licences, cannot be
    read, ContractError where its contract cannot.
    """
    from holdfast.core.formats.sniff import sniff
    from holdfast.scan.lockfile import read_lock

    files = _files(subject)
    artifact = next(file for file in files if file.role == "artifact")
    lock = subject.part("lock")
    pinned = NO_LOCK if lock is None else read_lock(lock)
    recorded = tx.observations.of(subject.model.name, artifact.digest)
    return Material(
        model=subject.model,
        format=sniff(_path(subject)),
        artifact=artifact,
        files=tuple(file for file in files if file.role != "artifact"),
        lock=pinned,
        locked=lock is not None,
        label=None if subject.entry.data is None else subject.entry.data.label,
        features=_features(subject.part("contract")),
        measurements=tuple(item for one in _newest(recorded) for item in one.observation.measurements),
        undecided=tuple(
            f"{one.check}: {one.observation.reason or 'no reason given'}"
            for one in _newest(recorded)
            if one.observation.status is Status.UNKNOWN
        ),
        stated=_stated(subject, pinned),
        malware=_malware(pinned, intel),
        licences=_own_licences(_newest(recorded)),
    )


def _stated(subject: Subject, lock: Lock) -> dict[str, Stated]:
    from holdfast.core.errors import FormatError
    from holdfast.scan.licences.sources import Licences

    if subject.licences is None or not lock.packages:
        return {}
    try:
        licences = Licences.read(subject.licences)
    except FormatError:
        if subject.entry.licences is not None:
            raise
        return {}  # the runtime's environment was not named for this
    return {package.purl: stated for package, stated in licences.of_lock(lock)}


def _malware(lock: Lock, intel: Snapshot) -> dict[str, tuple[Advisory, ...]]:
    """What hits for certain; the gate is where doubt counts."""
    found: dict[str, tuple[Advisory, ...]] = {}
    for package in lock.packages:
        hits = [hit.advisory for hit in intel.hits(package.purl) or () if hit.certain and hit.advisory.malicious]
        if hits:
            found[package.purl] = tuple(hits)
    return found


def _own_licences(newest: Iterable[Recorded]) -> tuple[str, ...]:
    facts = (fact for one in newest if one.check == "scan.artifact" for fact in one.observation.facts)
    return tuple(sorted({str(fact.value) for fact in facts if fact.kind == "licence" and fact.member is None}))


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

"""Where the licences of a model's packages are stated, as its manifest says, and what is stated there now."""

from __future__ import annotations

from pathlib import Path

from holdfast.audit.target import LicenceParts
from holdfast.core.errors import FormatError
from holdfast.estate.manifest import Subject


def licences(subject: Subject) -> LicenceParts | None:
    """The place under `licences:`, or the environment of `runtime:`; None where neither is named or there is no lock.

    A place under `licences:` that cannot be read has an empty digest, and its check says why.
    """
    if subject.part("lock") is None or subject.licences is None:
        return None
    return _read(subject.licences, named=subject.entry.licences is not None)


def _read(place: Path, *, named: bool) -> LicenceParts | None:
    from holdfast.scan.licences.sources import Licences

    try:
        return LicenceParts(place, Licences.read(place).digest)
    except FormatError:
        return LicenceParts(place, "") if named else None

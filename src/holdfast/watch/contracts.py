"""The contracts of the models that a manifest names, read again only when their files change."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.core.contract import Contract

if TYPE_CHECKING:
    from holdfast.estate.manifest import Manifest

Stamp = tuple[int, int]


@dataclass
class ManifestContracts:
    """Call it with a model's name; None where the manifest names no such model, or no contract for it."""

    manifest: Manifest
    _read: dict[Path, tuple[Stamp, Contract]] = field(default_factory=dict)

    def __call__(self, model: str) -> Contract | None:
        """The model's contract as it is now. Raises ContractError where its file is wrong."""
        subject = next((item for item in self.manifest.subjects if item.model.name == model), None)
        path = None if subject is None else subject.part("contract")
        if path is None or not path.is_file():
            return None
        state = path.stat()
        stamp = (state.st_mtime_ns, state.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = (stamp, Contract.load(path))
        return known[1]

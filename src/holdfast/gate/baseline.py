"""Baseline files: the measurements of accepted versions, kept in a repository to compare new ones with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import msgspec

from holdfast.core.domain import JSONValue, Recorded, digest, from_iso, to_iso
from holdfast.core.errors import PolicyError
from holdfast.core.policy import Baseline
from holdfast.core.sign.strict import parse_object
from holdfast.core.store.files import new_file, settle

VERSION: Final = 1
MAX_BYTES: Final = 64_000_000


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    version: int
    as_of: str
    models: dict[str, dict[str, Any]]
    digest: str


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """Per model, the measurements of one version. `source` is where it was read, or will be written."""

    source: str
    as_of: datetime
    models: Mapping[str, Baseline]

    @classmethod
    def collect(cls, source: str, as_of: datetime, seen: Iterable[tuple[str, str, Iterable[Recorded]]]) -> BaselineFile:
        """From (model, version, observations) of each model."""
        return cls(source, as_of, {model: Baseline.of(source, version, items) for model, version, items in seen})

    @classmethod
    def load(cls, path: Path) -> BaselineFile:
        """Read a file that `save` wrote. Raises PolicyError: unreadable (HF-GAT-001), not a whole one (HF-GAT-002)."""
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as fault:
            raise PolicyError(
                f"cannot read the baseline {path}",
                cause=fault.strerror or str(fault),
                fix="check the path, or write one: holdfast gate --save-baseline FILE",
                code="HF-GAT-001",
            ) from fault
        try:
            return cls._of(str(path), msgspec.convert(parse_object(data, MAX_BYTES), _File))
        except ValueError as fault:  # msgspec's errors are ValueErrors too
            _refuse(path, str(fault), fault)

    @classmethod
    def _of(cls, source: str, file: _File) -> BaselineFile:
        if file.version != VERSION:
            raise ValueError(f"it has version {file.version}; this Holdfast reads version {VERSION}")
        models = {name: Baseline.from_json(source, body) for name, body in file.models.items()}
        read = cls(source, from_iso(file.as_of), models)
        if digest(read._content()) != file.digest:
            raise ValueError("its digest does not match its content: it was cut off or edited")
        return read

    def of(self, model: str) -> Baseline | None:
        """What a model is compared with; None where the file does not have it."""
        return self.models.get(model)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises PolicyError (HF-GAT-001) when that cannot be done."""
        content = self._content()
        text = json.dumps({**content, "digest": digest(content)}, indent=2) + "\n"
        try:
            _write(path, text)
        except OSError as fault:
            raise PolicyError(
                f"cannot write the baseline {path}",
                cause=fault.strerror or str(fault),
                fix="check that the folder exists and may be written to",
                code="HF-GAT-001",
            ) from fault

    def _content(self) -> dict[str, JSONValue]:
        models = {name: item.to_json() for name, item in sorted(self.models.items())}
        return {"version": VERSION, "as_of": to_iso(self.as_of), "models": cast("JSONValue", models)}


def _refuse(path: Path, cause: str, fault: Exception) -> NoReturn:
    raise PolicyError(
        f"{path} is not a whole baseline",
        cause=cause,
        fix="get it again, or write a new one from an accepted version: holdfast gate --save-baseline FILE",
        code="HF-GAT-002",
    ) from fault


def _write(path: Path, text: str) -> None:
    """Beside `path` first, then in its place; readable by all, as it belongs into a repository."""
    with new_file(path.parent) as (file, temporary):
        file.write(text.encode())
        temporary.chmod(0o644)
        settle(file, temporary, path)

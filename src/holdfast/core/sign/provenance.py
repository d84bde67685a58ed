"""SLSA provenance v1 (slsa.dev/spec/v1.0/provenance): what was built, from what, how, when.

Written by training and hardening, read by the check that a gate can require. Our own fields of the run are named
`holdfast_<field>`, as SLSA asks of vendors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from holdfast import __version__
from holdfast.core.domain import from_iso, to_iso
from holdfast.core.errors import SignatureError
from holdfast.core.sign.dsse import Envelope, dsse_sign
from holdfast.core.sign.keys import SigningKey
from holdfast.core.sign.statement import PAYLOAD_TYPE, Statement, Subject

PROVENANCE_TYPE: Final = "https://slsa.dev/provenance/v1"
TRAINING_BUILD: Final = "urn:holdfast:training:v1"
HARDENING_BUILD: Final = "urn:holdfast:harden:v1"
TRAINING_SUFFIX: Final = ".training.json"
HARDENING_SUFFIX: Final = ".provenance.json"
BUILDER: Final = "urn:holdfast"
VENDOR: Final = "holdfast_"
MAX_MATERIALS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Material:
    """Something that went in. `digest` is `sha256:<hex>`; `notes` are annotations and identify nothing."""

    name: str
    digest: str
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Provenance:
    """How `subjects` were made. `external` is what the user chose, `internal` what was there, `said` our own fields."""

    subjects: tuple[Subject, ...]
    build_type: str
    external: Mapping[str, Any]
    internal: Mapping[str, Any]
    materials: tuple[Material, ...]
    invocation: str
    finished_at: datetime
    started_at: datetime | None = None
    said: Mapping[str, Any] = field(default_factory=dict)

    def statement(self) -> Statement:
        """The in-toto statement that says this."""
        started = {} if self.started_at is None else {"startedOn": to_iso(self.started_at)}
        predicate = {
            "buildDefinition": {
                "buildType": self.build_type,
                "externalParameters": dict(self.external),
                "internalParameters": dict(self.internal),
                "resolvedDependencies": [_descriptor(material) for material in self.materials],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"holdfast": __version__}},
                "metadata": {"invocationId": self.invocation, **started, "finishedOn": to_iso(self.finished_at)},
                **{VENDOR + name: value for name, value in self.said.items()},
            },
        }
        return Statement(self.subjects, PROVENANCE_TYPE, predicate)

    def sign(self, *keys: SigningKey) -> Envelope:
        """The signed envelope."""
        return dsse_sign(PAYLOAD_TYPE, self.statement().to_json(), *keys)

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Read a statement back. Raises SignatureError HF-SIG-011 when it is no provenance."""
        try:
            return cls._read(statement)
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise SignatureError(
                "the statement does not say how something was made",
                cause=f"missing or wrong: {str(fault)[:200]}",
                fix="check that this is the file that training or hardening wrote beside the model",
                code="HF-SIG-011",
            ) from fault

    @classmethod
    def _read(cls, statement: Statement) -> Self:
        if statement.predicate_type != PROVENANCE_TYPE:
            raise ValueError(f"predicateType '{statement.predicate_type[:100]}'")
        build, run = statement.predicate["buildDefinition"], statement.predicate["runDetails"]
        listed, times = build["resolvedDependencies"], run["metadata"]
        if not isinstance(listed, list) or len(listed) > MAX_MATERIALS:
            raise ValueError("resolvedDependencies")
        started = times.get("startedOn")
        return cls(
            subjects=statement.subjects,
            build_type=_word(build["buildType"]),
            external=_object(build["externalParameters"]),
            internal=_object(build["internalParameters"]),
            materials=tuple(_material(item) for item in listed),
            invocation=_word(times["invocationId"]),
            finished_at=from_iso(times["finishedOn"]),
            started_at=None if started is None else from_iso(started),
            said={key.removeprefix(VENDOR): value for key, value in run.items() if key.startswith(VENDOR)},
        )


def _descriptor(material: Material) -> dict[str, Any]:
    notes = {"annotations": dict(material.notes)} if material.notes else {}
    return {"name": material.name, "digest": {"sha256": material.digest.removeprefix("sha256:")}, **notes}


def _material(item: Mapping[str, Any]) -> Material:
    return Material(
        _word(item["name"]), f"sha256:{_word(item['digest']['sha256'])}", _object(item.get("annotations", {}))
    )


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a word is needed")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("an object is needed")
    return value

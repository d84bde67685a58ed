"""SLSA verification summary v1 (slsa.dev/spec/v1.0/verification_summary): who verified what, by which policy.

Our own fields are named `holdfast_<field>`, as SLSA asks of vendors, and whoever does not know them may skip them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

from holdfast.core.domain import from_iso, to_iso
from holdfast.core.errors import SignatureError
from holdfast.core.sign.dsse import Envelope, dsse_sign, dsse_verify
from holdfast.core.sign.keys import PublicKey, SigningKey
from holdfast.core.sign.statement import PAYLOAD_TYPE, Statement, Subject

SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"
VENDOR: Final = "holdfast_"


@dataclass(frozen=True, slots=True)
class Reference:
    """Something named by URI and digest: the policy, or an attestation that was used. `digest` is `sha256:<hex>`."""

    uri: str
    digest: str


@dataclass(frozen=True, slots=True)
class VerificationSummary:
    """The answer of a verifier about its subjects. `extra` holds our own fields, without their prefix."""

    subjects: tuple[Subject, ...]
    verifier: str
    verifier_version: str
    verified_at: datetime
    resource_uri: str
    policy: Reference
    passed: bool
    inputs: tuple[Reference, ...] = ()
    levels: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def statement(self) -> Statement:
        """The in-toto statement that says this."""
        predicate = {
            "verifier": {"id": self.verifier, "version": {"holdfast": self.verifier_version}},
            "timeVerified": to_iso(self.verified_at),
            "resourceUri": self.resource_uri,
            "policy": _descriptor(self.policy),
            "inputAttestations": [_descriptor(item) for item in self.inputs],
            "verificationResult": "PASSED" if self.passed else "FAILED",
            "verifiedLevels": list(self.levels) if self.passed else ["FAILED"],
            **{VENDOR + name: value for name, value in self.extra.items()},
        }
        return Statement(self.subjects, SUMMARY_TYPE, predicate)

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Read a statement back. Raises SignatureError when it is no verification summary."""
        try:
            return cls._read(statement)
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise SignatureError(
                "the statement is not a verification summary",
                cause=f"missing or wrong: {fault}",
                fix="check that this is the file `holdfast gate --attest FILE` wrote",
                code="HF-SIG-009",
            ) from fault

    @classmethod
    def _read(cls, statement: Statement) -> Self:
        if statement.predicate_type != SUMMARY_TYPE:
            raise ValueError(f"predicateType '{statement.predicate_type[:200]}'")
        said = statement.predicate
        result = said["verificationResult"]
        if result not in ("PASSED", "FAILED"):
            raise ValueError("verificationResult")
        return cls(
            subjects=statement.subjects,
            verifier=_word(said["verifier"], "id"),
            verifier_version=str(said["verifier"].get("version", {}).get("holdfast", "")),
            verified_at=from_iso(said["timeVerified"]),
            resource_uri=_word(said, "resourceUri"),
            policy=_reference(said["policy"]),
            passed=result == "PASSED",
            inputs=tuple(_reference(item) for item in said.get("inputAttestations", [])),
            levels=tuple(str(level) for level in said["verifiedLevels"]),
            extra={name.removeprefix(VENDOR): value for name, value in said.items() if name.startswith(VENDOR)},
        )

    def sign(self, *keys: SigningKey) -> Envelope:
        """The signed envelope."""
        return dsse_sign(PAYLOAD_TYPE, self.statement().to_json(), *keys)

    @classmethod
    def verify(cls, envelope: Envelope | bytes, *keys: PublicKey) -> Self:
        """The summary, if a trusted key signed it. Raises SignatureError (HF-SIG-005 to -009)."""
        return cls.of(Statement.parse(dsse_verify(envelope, keys, PAYLOAD_TYPE)))


def _descriptor(reference: Reference) -> dict[str, Any]:
    return {"uri": reference.uri, "digest": {"sha256": reference.digest.removeprefix("sha256:")}}


def _reference(value: Mapping[str, Any]) -> Reference:
    digest = value.get("digest", {}).get("sha256")
    return Reference(_word(value, "uri") if "uri" in value else "", "" if digest is None else f"sha256:{digest}")


def _word(value: Mapping[str, Any], key: str) -> str:
    word = value[key]
    if not isinstance(word, str):
        raise TypeError(key)
    return word

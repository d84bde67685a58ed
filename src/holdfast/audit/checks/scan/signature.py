"""Whether somebody trusted signed the bytes of the model file that is audited."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.origin import read_statement
from holdfast.audit.target import SignatureParts, Target
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.domain.observation import Fact, Observation
from holdfast.core.errors import SignatureError
from holdfast.core.sign import SignedSet
from holdfast.core.sign.elliptic import key_from_pem

VALID, INVALID, UNTRUSTED, ABSENT = "valid", "invalid", "untrusted", "absent"


@check(id="scan.signature", version=1, needs=("artifact", "signature"), covers=("AML.T0010.003", "AML.T0018"))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Whether the manifest's signature, in either form, is a trusted key's over this very file."""
    said = target.parts.signature
    if said is None:
        return Observation.of(Fact("artifact.signature", ABSENT, detail="the manifest names no signature"))
    data = read_statement(said.path)
    try:
        signed = SignedSet.parse(data, [key_from_pem(pem.encode()) for pem in said.keys])
    except SignatureError as fault:
        return Observation.of(_standing(INVALID, said, fault.cause))
    if digest_bytes(data) != said.digest:
        return Observation.of(_standing(INVALID, said, "it changed while the audit ran"))
    facts = [_judged(signed, target.parts.artifact, said), Fact("artifact.signature-form", signed.form)]
    if signed.signer is not None:
        facts.append(Fact("artifact.signer", signed.signer.key_id))
    return Observation.of(*facts)


def _judged(signed: SignedSet, artifact: Path, said: SignatureParts) -> Fact:
    """What is wrong is wrong whoever signed it; only what would be right is asked for its signer."""
    spoken_of = [digest for name, digest in signed.files.items() if _names(name, artifact, len(signed.files))]
    if not spoken_of:
        return _standing(INVALID, said, f"it speaks of {len(signed.files):,} files, and not of {artifact.name}")
    if said.artifact.removeprefix("sha256:") not in spoken_of:
        return _standing(INVALID, said, f"{artifact.name} has other bytes than were signed")
    if signed.signer is None:
        return _standing(UNTRUSTED, said, f"signed by {', '.join(signed.claimed[:3])}, which is no trusted key")
    return _standing(VALID, said, f"{artifact.name}, one of {len(signed.files):,} files that were signed")


def _names(name: str, artifact: Path, files: int) -> bool:
    """Whether a signed name can be the artifact's: a file signed alone has any name, one in a folder the same end."""
    parts = PurePosixPath(name).parts
    return files == 1 or artifact.parts[-len(parts) :] == parts


def _standing(value: str, said: SignatureParts, why: str) -> Fact:
    return Fact("artifact.signature", value, detail=f"{said.path.name}: {why}")

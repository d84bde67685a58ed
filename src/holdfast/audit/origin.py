"""What is signed of a model, known before any check runs: how it was made, who vouches for it, whose word counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.audit.target import OriginParts, SignatureParts
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.sign import load_key, trusted_keys
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.core.sign.keys import open_now
from holdfast.core.sign.provenance import HARDENING_SUFFIX, TRAINING_SUFFIX
from holdfast.estate.manifest import Subject


def origin(artifact: Path, home: Path, hashes: Mapping[str, str]) -> OriginParts:
    """The statements beside `artifact`, and the keys that the installation at `home` trusts.

    Without a statement no key matters, and none is read. Raises SignatureError on a trusted key that is none.
    """
    beside = [artifact.with_name(artifact.name + suffix) for suffix in (TRAINING_SUFFIX, HARDENING_SUFFIX)]
    found = tuple((path, statement_digest(path)) for path in beside if path.exists())
    trusted = tuple(key.raw.hex() for key in trusted_keys(home)) if found else ()
    return OriginParts(found, trusted, hashes["artifact"], hashes.get("train"), hashes.get("lock"))


def signature(subject: Subject, home: Path, hashes: Mapping[str, str]) -> SignatureParts | None:
    """The signature that the manifest names. The key named beside it counts, else those the installation trusts.

    Raises SignatureError on a key that is none.
    """
    path, signer = subject.part("signature"), subject.part("signer")
    if path is None:
        return None
    keys = trusted_keys(home) if signer is None else (load_key(signer),)
    return SignatureParts(path, hashes["signature"], tuple(key.pem().decode() for key in keys), hashes["artifact"])


def statement_digest(path: Path) -> str:
    """The digest of a statement's file; of as much as may be read where it is too large to be one."""
    return digest_bytes(read_statement(path))


def read_statement(path: Path) -> bytes:
    """At most one byte more than an envelope may have; nothing where it cannot be read."""
    try:
        with open_now(path) as file:
            return file.read(MAX_ENVELOPE_BYTES + 1) or b""
    except OSError:
        return b""

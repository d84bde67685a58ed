"""What can be known of a model's making before any check runs: statements beside its file, and whose word counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from holdfast.audit.target import OriginParts
from holdfast.core.domain.ids import digest_bytes
from holdfast.core.sign import trusted_keys
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.core.sign.keys import open_now
from holdfast.core.sign.provenance import HARDENING_SUFFIX, TRAINING_SUFFIX


def origin(artifact: Path, home: Path, hashes: Mapping[str, str]) -> OriginParts:
    """The statements beside `artifact`, and the keys that the installation at `home` trusts.

    Without a statement no key matters, and none is read. Raises SignatureError on a trusted key that is none.
    """
    beside = [artifact.with_name(artifact.name + suffix) for suffix in (TRAINING_SUFFIX, HARDENING_SUFFIX)]
    found = tuple((path, statement_digest(path)) for path in beside if path.exists())
    trusted = tuple(key.raw.hex() for key in trusted_keys(home)) if found else ()
    return OriginParts(found, trusted, hashes["artifact"], hashes.get("train"), hashes.get("lock"))


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

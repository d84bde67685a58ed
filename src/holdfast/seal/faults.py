"""The errors of seals that more than one file of the room raises."""

from __future__ import annotations

from pathlib import Path

from holdfast.core.errors import DataError, SignatureError


def no_seal(data: Path, seal: Path) -> DataError:
    """HF-SEA-001."""
    return DataError(
        f"{data} is not sealed",
        cause=f"there is no file {seal}",
        fix=f"look at the data, then seal it: holdfast seal make {data}",
        code="HF-SEA-001",
    )


def no_statement(seal: str, why: str) -> SignatureError:
    """HF-SEA-002."""
    return SignatureError(
        f"{seal} is no seal of a data set",
        cause=why,
        fix="get the file again from the one who sealed the data; `holdfast seal make` writes such files",
        code="HF-SEA-002",
    )


def not_as_sealed(name: str, what: str) -> SignatureError:
    """HF-SEA-003."""
    return SignatureError(
        f"{name} is not what was sealed",
        cause=what,
        fix="get the sealed data back; if the change is meant, look at it with `holdfast seal diff` and seal it again",
        code="HF-SEA-003",
    )


def untrusted(seal: Path, why: str) -> SignatureError:
    """HF-SEA-004."""
    return SignatureError(
        f"the seal {seal} is signed by no trusted key",
        cause=why,
        fix="put the signer's public key, got by another way, into keys/trusted of the state folder, or name it",
        code="HF-SEA-004",
    )

"""Views of signatures over files that the command line and a library user share: plain values for JSON."""

from __future__ import annotations

from typing import Any

from holdfast.core.sign import SignedSet
from holdfast.seal.checking import Checked
from holdfast.seal.signing import SignedFiles


def signature_view(signed: SignedSet) -> dict[str, Any]:
    """Everything a signature says; `signer` is null where no trusted key made it."""
    return {
        "form": signed.form,
        "name": signed.name,
        "statement": signed.digest,
        "signed_at": signed.when,
        "files": [{"name": name, "digest": f"sha256:{digest}"} for name, digest in signed.files.items()],
        "ignored": list(signed.rules.ignored),
        "links": signed.rules.links,
        "signer": None if signed.signer is None else signed.signer.key_id,
        "claimed_signers": list(signed.claimed),
    }


def signed_files_view(made: SignedFiles) -> dict[str, Any]:
    """A signature that was made."""
    return {"path": str(made.path), "bytes": made.files.bytes, **signature_view(made.signed)}


def checked_view(found: Checked) -> dict[str, Any]:
    """Files held against their signature."""
    return {
        "status": str(found.standing),
        "path": str(found.path),
        "problems": list(found.problems),
        "missing": list(found.found.missing),
        "extra": list(found.found.extra),
        "extra_allowed": found.extra_allowed,
        "changed": list(found.found.changed),
        "why": dict(found.found.why),
        "left_out": list(found.found.left_out),
        "key_beside": None if found.beside is None else str(found.beside),
        "signature": signature_view(found.signed),
    }

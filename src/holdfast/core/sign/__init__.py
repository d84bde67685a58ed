"""Keys, signed envelopes, statements, verification summaries, provenance and file manifests."""

from holdfast.core.sign.dsse import Envelope, dsse_sign, dsse_verify, pae
from holdfast.core.sign.keys import PublicKey, SigningKey
from holdfast.core.sign.manifest import FileDigest, Manifest, file_digest, manifest
from holdfast.core.sign.own import own_key, trusted_keys
from holdfast.core.sign.provenance import Material, Provenance
from holdfast.core.sign.statement import PAYLOAD_TYPE, Statement, Subject
from holdfast.core.sign.summary import Reference, VerificationSummary

__all__ = [
    "PAYLOAD_TYPE",
    "Envelope",
    "FileDigest",
    "Manifest",
    "Material",
    "Provenance",
    "PublicKey",
    "Reference",
    "SigningKey",
    "Statement",
    "Subject",
    "VerificationSummary",
    "dsse_sign",
    "dsse_verify",
    "file_digest",
    "manifest",
    "own_key",
    "pae",
    "trusted_keys",
]

"""Keys, signed envelopes, statements, verification summaries, provenance and file manifests."""

from holdfast.core.sign.dsse import Envelope, dsse_sign, dsse_verify, pae
from holdfast.core.sign.elliptic import (
    AnyKey,
    AnySigningKey,
    EllipticKey,
    EllipticSigningKey,
    load_key,
    load_signing_key,
)
from holdfast.core.sign.fileset import FileSet, Rules, hash_set
from holdfast.core.sign.keys import PublicKey, SigningKey
from holdfast.core.sign.manifest import FileDigest, Manifest, file_digest, manifest
from holdfast.core.sign.own import own_key, trusted_keys
from holdfast.core.sign.provenance import Material, Provenance
from holdfast.core.sign.signedset import SetForm, SignedSet, sign_set
from holdfast.core.sign.statement import PAYLOAD_TYPE, Statement, Subject
from holdfast.core.sign.summary import Reference, VerificationSummary

__all__ = [
    "PAYLOAD_TYPE",
    "AnyKey",
    "AnySigningKey",
    "EllipticKey",
    "EllipticSigningKey",
    "Envelope",
    "FileDigest",
    "FileSet",
    "Manifest",
    "Material",
    "Provenance",
    "PublicKey",
    "Reference",
    "Rules",
    "SetForm",
    "SignedSet",
    "SigningKey",
    "Statement",
    "Subject",
    "VerificationSummary",
    "dsse_sign",
    "dsse_verify",
    "file_digest",
    "hash_set",
    "load_key",
    "load_signing_key",
    "manifest",
    "own_key",
    "pae",
    "sign_set",
    "trusted_keys",
]

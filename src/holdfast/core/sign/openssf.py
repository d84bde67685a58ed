"""Signatures as the OpenSSF's model signing v1 writes them: a Sigstore bundle v0.3 around a DSSE envelope.

The statement has one subject, whose SHA-256 is that of all files' digests one after the other, and a predicate that
names the files (`resources`) and how they were listed (`serialization`). Read here: method `files` with `sha256`, which
is what its command line writes and verifies, signed with a key. Certificates in a bundle are not followed: who is
trusted is said outside of it. Source: github.com/sigstore/model-transparency, package model-signing 1.1.1.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any, Final

from holdfast.core.domain import JSONValue, canonical_json
from holdfast.core.sign.dsse import Envelope
from holdfast.core.sign.elliptic import EllipticKey
from holdfast.core.sign.fileset import FileSet, Rules
from holdfast.core.sign.statement import PAYLOAD_TYPE, STATEMENT_TYPE, Statement

BUNDLE_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNATURE_TYPE: Final = "https://model_signing/signature/v1.0"
ONLY_FILE: Final = "."
"""How a single file that is a model of its own is named."""

_HEX: Final = re.compile(r"[0-9a-f]{64}")


def resources_statement(files: FileSet) -> bytes:
    """The statement about a set, as it is signed."""
    listed = [(ONLY_FILE if files.single else file.name, file.digest.removeprefix("sha256:")) for file in files.files]
    ignored: dict[str, JSONValue] = {"ignore_paths": list(files.rules.ignored)} if files.rules.ignored else {}
    value: JSONValue = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": files.name, "digest": {"sha256": _root([digest for _, digest in listed])}}],
        "predicateType": SIGNATURE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": files.rules.links,
                **ignored,
            },
            "resources": [{"name": name, "algorithm": "sha256", "digest": digest} for name, digest in listed],
        },
    }
    return canonical_json(value)


def bundle(payload: bytes, signature: bytes, key: EllipticKey) -> bytes:
    """The bundle's JSON text, with the key named by its hint."""
    value = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": key.hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.standard_b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.standard_b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def read_bundle(value: dict[str, Any]) -> tuple[Envelope, tuple[str, ...]]:
    """The envelope in a bundle, and who it claims to be signed by. Raises ValueError."""
    if value.get("mediaType") != BUNDLE_TYPE:
        raise ValueError(f"its 'mediaType' is not {BUNDLE_TYPE}")
    inner, material = value.get("dsseEnvelope"), value.get("verificationMaterial")
    if not isinstance(inner, dict) or not isinstance(material, dict):
        raise ValueError("'dsseEnvelope' and 'verificationMaterial' must be objects")
    if "messageSignature" in value:
        raise ValueError("it signs a message beside the envelope")
    envelope = Envelope.of(inner)
    if len(envelope.signatures) != 1:
        raise ValueError(f"it has {len(envelope.signatures)} signatures; a bundle has one")
    return envelope, (_claimed(material),)


def read_resources(statement: Statement) -> tuple[dict[str, str], Rules]:
    """The files a statement names, with their digests, and how they were listed. Raises ValueError."""
    if len(statement.subjects) != 1:
        raise ValueError(f"it has {len(statement.subjects)} subjects; there has to be one, the model")
    said, listed = statement.predicate.get("serialization"), statement.predicate.get("resources")
    if not isinstance(said, dict) or not isinstance(listed, list):
        raise ValueError("'serialization' must be an object and 'resources' a list")
    resources = [_resource(item) for item in listed]
    if _root([digest for _, digest in resources]) != statement.subjects[0].sha256:
        raise ValueError("its files' digests together are not the digest of its subject")
    found = dict(resources)
    if len(found) < len(resources):
        raise ValueError("a file is named twice")
    return found, _rules(said)


def texts(value: Any, key: str) -> tuple[str, ...]:
    """A list of texts. Raises ValueError."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"'{key}' must be a list of texts")
    return tuple(value)


def _rules(said: dict[str, Any]) -> Rules:
    """Both ways of naming files are known to the format; blake2b, blake3 and shards are not read here."""
    if said.get("method") != "files" or said.get("hash_type") != "sha256":
        raise ValueError(
            f"its files are listed by method {str(said.get('method'))[:40]!r} and hash"
            f" {str(said.get('hash_type'))[:40]!r}; read are 'files' and 'sha256'"
        )
    links = said.get("allow_symlinks", False)
    if not isinstance(links, bool):
        raise ValueError("'allow_symlinks' must be true or false")
    return Rules(texts(said.get("ignore_paths", []), "ignore_paths"), links)


def _resource(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise ValueError("a resource must be an object")
    name, algorithm, digest = item.get("name"), item.get("algorithm"), item.get("digest")
    if not isinstance(name, str) or not isinstance(digest, str) or algorithm != "sha256":
        raise ValueError("a resource must have a name, the algorithm 'sha256' and a digest")
    if _HEX.fullmatch(digest) is None:
        raise ValueError(f"{digest[:80]!r} is no SHA-256 in hex")
    return name, digest


def _root(digests: list[str]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()


def _claimed(material: dict[str, Any]) -> str:
    """Who a bundle names, which proves nothing: a key by its hint, or somebody with a certificate."""
    key = material.get("publicKey")
    hint = key.get("hint") if isinstance(key, dict) else None
    if isinstance(hint, str) and hint:
        return f"sha256:{hint[:100]}"
    named = {"certificate", "x509CertificateChain"} & material.keys()
    return "the holder of a certificate" if named else "somebody unnamed"

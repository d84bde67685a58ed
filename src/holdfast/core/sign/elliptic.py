"""ECDSA keys on the curves of NIST, as PEM files: those that the OpenSSF's model signing knows.

Each curve has one hash: P-256 SHA-256, P-384 SHA-384, P-521 SHA-512. Everything of our own is signed with Ed25519.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from holdfast.core.sign.keys import PublicKey, SigningKey, not_a_key, read_key

HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_PUBLIC: Final = "an Ed25519 or ECDSA public key"
_PRIVATE: Final = "an Ed25519 or ECDSA private key"


@dataclass(frozen=True, slots=True)
class EllipticKey:
    """What verifies, as the PEM text (SubjectPublicKeyInfo) of a key on one of the three curves."""

    text: bytes

    @classmethod
    def of(cls, key: ec.EllipticCurvePublicKey) -> Self:
        """The key in one spelling."""
        return cls(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def hint(self) -> str:
        """SHA-256 of the PEM text in hex, as OpenSSF bundles name a key."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def key_id(self) -> str:
        """`sha256:` and the hint: a name for people and for look-ups, never a proof."""
        return f"sha256:{self.hint}"

    def pem(self) -> bytes:
        """The key as PEM text, in one spelling."""
        return self.text

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (DER) is this key's over `message`."""
        key = load_pem_public_key(self.text)
        assert isinstance(key, ec.EllipticCurvePublicKey), "made from one"
        try:
            key.verify(signature, message, ec.ECDSA(HASHES[key.curve.name]))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class EllipticSigningKey:
    """What signs. Its secret appears in no representation of it."""

    secret: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def public(self) -> EllipticKey:
        return EllipticKey.of(self.secret.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, DER."""
        return self.secret.sign(message, ec.ECDSA(HASHES[self.secret.curve.name]))


AnyKey = PublicKey | EllipticKey
AnySigningKey = SigningKey | EllipticSigningKey


def load_key(path: Path) -> AnyKey:
    """A PEM public key of either kind. Raises SignatureError HF-SIG-002, -004."""
    return key_from_pem(read_key(path), str(path))


def key_from_pem(pem: bytes, source: str = "the key") -> AnyKey:
    """A public key of either kind from PEM text; `source` names it in messages. Raises SignatureError HF-SIG-004."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise not_a_key(source, _PUBLIC, str(fault)) from fault
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return PublicKey.from_pem(pem, source)
    if key.curve.name not in HASHES:
        raise not_a_key(source, _PUBLIC, f"its curve is {key.curve.name}; known are {', '.join(HASHES)}")
    return EllipticKey.of(key)


def load_signing_key(path: Path) -> AnySigningKey:
    """A PEM private key of either kind. Raises SignatureError HF-SIG-002, -003, -004."""
    pem = read_key(path, private=True)
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as fault:
        raise not_a_key(str(path), _PRIVATE, str(fault)) from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return SigningKey.from_pem(pem, str(path))
    if key.curve.name not in HASHES:
        raise not_a_key(str(path), _PRIVATE, f"its curve is {key.curve.name}; known are {', '.join(HASHES)}")
    return EllipticSigningKey(key)

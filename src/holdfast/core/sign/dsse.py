"""DSSE envelopes, version 1.0.2 (github.com/secure-systems-lab/dsse): what is signed is type and payload together."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from holdfast.core.errors import SignatureError
from holdfast.core.sign.keys import PublicKey, SigningKey
from holdfast.core.sign.strict import parse_object

MAX_ENVELOPE_BYTES = 16_000_000
MAX_SIGNATURES = 32
_FIX = "get the envelope again from the one who signed it"


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class Verifies(Protocol):
    """A public key of any algorithm."""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""


class Signs(Protocol):
    """A private key of any algorithm."""

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`."""


Key = TypeVar("Key", bound=Verifies)


@dataclass(frozen=True, slots=True)
class Signature:
    """`key_id` is a hint that nobody signed; it chooses nothing and proves nothing."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type, and signatures over both. Reading one checks no signature: `dsse_verify` does."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read envelope JSON, bounded. Raises SignatureError when it is malformed."""
        try:
            return cls.of(parse_object(data, MAX_ENVELOPE_BYTES))
        except ValueError as fault:
            raise SignatureError(
                "the signed envelope cannot be read", cause=str(fault), fix=_FIX, code="HF-SIG-005"
            ) from fault

    @classmethod
    def of(cls, value: dict[str, Any]) -> Self:
        """An envelope from JSON that was read already. Raises ValueError when it is malformed."""
        listed = value.get("signatures")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SIGNATURES:
            raise ValueError(f"'signatures' must list 1 to {MAX_SIGNATURES} signatures")
        return cls(
            _word(value, "payloadType"), _base64(_word(value, "payload")), tuple(_signature(item) for item in listed)
        )

    def to_json(self) -> bytes:
        """The envelope as JSON text with a final newline."""
        value = {
            "payload": base64.standard_b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": item.key_id, "sig": base64.standard_b64encode(item.value).decode()}
                for item in self.signatures
            ],
        }
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def dsse_sign(payload_type: str, payload: bytes, *keys: SigningKey) -> Envelope:
    """Sign a payload with every one of `keys`."""
    if not keys:
        raise ValueError("an envelope needs at least one key")
    message = pae(payload_type, payload)
    return Envelope(payload_type, payload, tuple(Signature(key.public.key_id, key.sign(message)) for key in keys))


def dsse_verify(envelope: Envelope | bytes, keys: PublicKey | Sequence[PublicKey], payload_type: str) -> bytes:
    """The payload, if one of the trusted `keys` signed it as `payload_type`.

    Raises SignatureError: malformed (HF-SIG-005), another type (HF-SIG-006), no trusted signature (HF-SIG-007).
    """
    trusted = [keys] if isinstance(keys, PublicKey) else keys
    read = Envelope.parse(envelope) if isinstance(envelope, bytes) else envelope
    if read.payload_type != payload_type:
        raise SignatureError(
            "the envelope holds something else",
            cause=f"its type is '{read.payload_type[:200]}', wanted is '{payload_type}'",
            fix="check that this is the right file",
            code="HF-SIG-006",
        )
    if signer_of(read, trusted) is not None:
        return read.payload
    raise SignatureError(
        "the signature does not verify",
        cause=f"none of {len(read.signatures)} signatures is by a trusted key",
        fix="check that --key names the signer's public key; if it does, the content was changed",
        code="HF-SIG-007",
    )


def signer_of(envelope: Envelope, keys: Sequence[Key]) -> Key | None:
    """The first of the trusted `keys` that signed the payload as what it says it is; None where none did."""
    message = pae(envelope.payload_type, envelope.payload)
    return next((key for key in keys if any(key.verifies(item.value, message) for item in envelope.signatures)), None)


def _signature(item: Any) -> Signature:
    if not isinstance(item, dict):
        raise ValueError("a signature must be an object")
    key_id = item.get("keyid", "")
    if not isinstance(key_id, str):
        raise ValueError("'keyid' must be text")
    return Signature(key_id, _base64(_word(item, "sig")))


def _word(value: dict[str, Any], key: str) -> str:
    word = value.get(key)
    if not isinstance(word, str):
        raise ValueError(f"'{key}' must be text")
    return word


def _base64(text: str) -> bytes:
    """Standard or URL-safe base64, as the protocol allows; one spelling per value, so no byte is idle."""
    plain = text.translate(str.maketrans("-_", "+/"))
    try:
        data = base64.b64decode(plain.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise ValueError(f"a value is not base64: {fault}") from fault
    if base64.standard_b64encode(data).decode() != plain:
        raise ValueError("a value is not canonical base64")
    return data

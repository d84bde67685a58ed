"""Checkpoints: size and root of the tree, as a C2SP tlog-checkpoint in a signed note (Ed25519).

    <origin>\\n<size>\\n<root, base64>\\n
    \\n
    — <origin> <base64 of key id, 4 bytes, and signature, 64 bytes>\\n

The key's name is the origin. There is one signature line and one spelling: any other byte is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from holdfast.core.data.merkle import EMPTY_ROOT
from holdfast.core.errors import LedgerError
from holdfast.core.sign import PublicKey, SigningKey

MAX_CHECKPOINT_BYTES: Final = 4_096
MAX_SIZE: Final = 2**56
_ED25519: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_ORIGIN: Final = re.compile(r"[!-*,-~]{1,200}")
_NOTE: Final = re.compile(
    r"(?P<origin>[!-*,-~]{1,200})\n(?P<size>0|[1-9][0-9]{0,16})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"\n— (?P<name>[!-*,-~]{1,200}) (?P<signature>[A-Za-z0-9+/]{91}=)\n"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head: what the ledger `origin` held when it had `size` leaves. `note` is the signed text, if read."""

    origin: str
    size: int
    root: bytes
    note: bytes = b""

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise ValueError(f"an origin is 1 to 200 visible ASCII letters without '+': {self.origin[:200]!r}")

    @classmethod
    def sign(cls, origin: str, size: int, root: bytes, key: SigningKey) -> Self:
        """A checkpoint with its signed note."""
        text = cls(origin, size, root)._text()
        raw = key_id(origin, key.public) + key.sign(text)
        note = text + f"\n— {origin} ".encode() + base64.standard_b64encode(raw) + b"\n"
        return cls(origin, size, root, note)

    @classmethod
    def parse(cls, note: bytes) -> Self:
        """Read a note without checking its signature. Raises ValueError where one byte is not as it must be."""
        if len(note) > MAX_CHECKPOINT_BYTES:
            raise ValueError(f"the checkpoint is larger than {MAX_CHECKPOINT_BYTES} bytes")
        found = _NOTE.fullmatch(note.decode("utf-8"))
        if found is None or int(found["size"]) > MAX_SIZE or found["name"] != found["origin"]:
            raise ValueError("the checkpoint is malformed")
        if not (_canonical(found["root"]) and _canonical(found["signature"])):
            raise ValueError("the checkpoint holds base64 that is not canonical")
        checkpoint = cls(found["origin"], int(found["size"]), base64.b64decode(found["root"]), note)
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise ValueError("the checkpoint of an empty ledger has a root")
        return checkpoint

    def signed_by(self, key: PublicKey) -> bool:
        """Whether the note carries this key's signature."""
        text, _, line = self.note.partition(b"\n\n")
        raw = base64.b64decode(line.rsplit(b" ", 1)[-1])
        named, signature = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        return named == key_id(self.origin, key) and key.verifies(signature, text + b"\n")

    @classmethod
    def trusted(cls, note: bytes, key: PublicKey, origin: str) -> Self:
        """Read a note of our own. Raises LedgerError when it is malformed, another ledger's, or not by `key`."""
        cause = None
        try:
            checkpoint = cls.parse(note)
            if checkpoint.origin != origin:
                cause = f"it is of the ledger '{checkpoint.origin}', not of '{origin}'"
            elif not checkpoint.signed_by(key):
                cause = f"its signature is not by the key {key.key_id}"
            else:
                return checkpoint
        except ValueError as fault:
            cause = str(fault)
        raise LedgerError(
            "the ledger's checkpoint cannot be trusted",
            cause=cause,
            fix="run holdfast ledger verify, and restore the ledger folder or the signing key",
            code="HF-LED-001",
        )

    def _text(self) -> bytes:
        return f"{self.origin}\n{self.size}\n{base64.standard_b64encode(self.root).decode()}\n".encode()


def key_id(name: str, key: PublicKey) -> bytes:
    """The four bytes by which a signed note names an Ed25519 key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:_KEY_ID_BYTES]


def _canonical(text: str) -> bool:
    return base64.standard_b64encode(base64.b64decode(text)).decode() == text

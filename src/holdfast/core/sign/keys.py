"""Ed25519 keys (RFC 8032) as PEM files: PKCS #8 for the private one, readable by its owner only."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from holdfast.core.errors import SignatureError

MAX_KEY_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies. `raw` is the 32 bytes of the point."""

    raw: bytes

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a PEM public key. Raises SignatureError when the file is none."""
        return cls.from_pem(read_key(path), str(path))

    @classmethod
    def from_pem(cls, pem: bytes, source: str = "the key") -> Self:
        """Read PEM text; `source` names it in messages."""
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise not_a_key(source, "an Ed25519 public key", str(fault)) from fault
        if not isinstance(key, Ed25519PublicKey):
            raise not_a_key(source, "an Ed25519 public key", "it is a key of another algorithm")
        return cls(key.public_bytes_raw())

    @property
    def key_id(self) -> str:
        """`sha256:` and the digest of the raw key: a name for people and for look-ups, never a proof."""
        return "sha256:" + hashlib.sha256(self.raw).hexdigest()

    def pem(self) -> bytes:
        """The key as PEM text (SubjectPublicKeyInfo)."""
        return _point(self.raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def save(self, path: Path) -> None:
        """Write the PEM file."""
        path.write_bytes(self.pem())

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `message`."""
        try:
            _point(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs. Its secret appears in no representation of it."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """A new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a PKCS #8 PEM file. Raises SignatureError when it is none, or when others may read it."""
        return cls.from_pem(read_key(path, private=True), str(path))

    @classmethod
    def from_pem(cls, pem: bytes, source: str = "the key") -> Self:
        """Read PEM text; `source` names it in messages. Raises SignatureError HF-SIG-004."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (TypeError, ValueError, UnsupportedAlgorithm) as fault:
            raise not_a_key(source, "an Ed25519 private key", str(fault)) from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise not_a_key(source, "an Ed25519 private key", "it is a key of another algorithm")
        return cls(key.private_bytes_raw())

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._secret().public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        return self._secret().sign(message)

    def save(self, path: Path) -> None:
        """Write the PEM file, whole and with mode 0600. Raises SignatureError when there is a file already."""
        pem = self._secret().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with NamedTemporaryFile(dir=path.parent, prefix=".key-") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
                os.link(file.name, path)  # unlike a rename, it takes no existing file's place
        except OSError as fault:
            raise SignatureError(
                f"cannot write the key {path}",
                cause=fault.strerror or str(fault),
                fix="keys are never overwritten: move the old one away first, or name another file",
                code="HF-SIG-001",
            ) from fault

    def _secret(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def _point(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


def open_now(path: Path) -> FileIO:
    """Open for unbuffered reading; a pipe that somebody put in place of a file does not make us wait."""
    return FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def read_key(path: Path, *, private: bool = False) -> bytes:
    """The bytes of a key file. Permissions are checked on the open file, so that it cannot be swapped between."""
    try:
        with open_now(path) as file:
            mode = os.fstat(file.fileno()).st_mode
            if private and stat.S_IMODE(mode) & 0o077:
                raise _exposed(path, mode)
            if not stat.S_ISREG(mode):
                raise not_a_key(str(path), "a PEM key", "it is not a regular file")
            return file.read(MAX_KEY_BYTES)
    except OSError as fault:
        raise SignatureError(
            f"cannot read the key {path}",
            cause=fault.strerror or str(fault),
            fix="check the path and its permissions",
            code="HF-SIG-002",
        ) from fault


def _exposed(path: Path, mode: int) -> SignatureError:
    return SignatureError(
        f"the private key {path} is readable by others",
        cause=f"its mode is {stat.S_IMODE(mode):04o}; only its owner may have access",
        fix=f"chmod 600 {path}; if someone may have read it, make a new key",
        code="HF-SIG-003",
    )


def not_a_key(source: str, wanted: str, cause: str) -> SignatureError:
    """HF-SIG-004."""
    return SignatureError(
        f"{source} is not {wanted}",
        cause=cause.splitlines()[0] if cause else "it cannot be parsed",
        fix="give a PEM file; unencrypted PKCS #8 for a private key",
        code="HF-SIG-004",
    )

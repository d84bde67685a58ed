"""Keys: RFC 8032 known answers, files only their owner can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from holdfast.core.errors import SignatureError
from holdfast.core.sign import PublicKey, SigningKey

# RFC 8032 section 7.1, tests 1 and 2.
KNOWN = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
            "d25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
            "387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), KNOWN)
def test_signatures_are_the_standards(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey(bytes.fromhex(seed))
    assert key.public.raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert key.public.verifies(bytes.fromhex(signature), bytes.fromhex(message))
    assert not key.public.verifies(bytes.fromhex(signature), bytes.fromhex(message) + b"x")
    assert not key.public.verifies(b"short", b"")


def test_files_bring_back_the_same_key(tmp_path: Path) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "a" / "k.pem")
    key.public.save(tmp_path / "k.pub")
    assert SigningKey.load(tmp_path / "a" / "k.pem") == key
    assert PublicKey.load(tmp_path / "k.pub") == key.public
    assert PublicKey.from_pem(key.public.pem()).key_id == key.public.key_id


def test_a_private_key_is_written_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SigningKey.generate().save(tmp_path / "k.pem")
    finally:
        os.umask(before)
    assert (tmp_path / "k.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_private_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    SigningKey.generate().save(tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(mode)
    with pytest.raises(SignatureError, match="readable by others") as raised:
        SigningKey.load(tmp_path / "k.pem")
    assert raised.value.code == "HF-SIG-003"
    assert "chmod 600" in raised.value.fix


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "k.pem")
    with pytest.raises(SignatureError) as raised:
        SigningKey.generate().save(tmp_path / "k.pem")
    assert raised.value.code == "HF-SIG-001"
    assert SigningKey.load(tmp_path / "k.pem") == key
    assert [path.name for path in tmp_path.iterdir()] == ["k.pem"]


def test_a_key_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(SignatureError) as raised:
        SigningKey.generate().save(tmp_path / "k.pem")
    assert raised.value.cause == "No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_the_secret_is_in_no_representation() -> None:
    key = SigningKey.generate()
    assert key.seed.hex() not in repr(key)
    assert repr(key.seed) not in repr(key)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_other_files_are_refused_as_keys(tmp_path: Path) -> None:
    key = SigningKey.generate()
    other = ed448.Ed448PrivateKey.generate()
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    for data in (
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        key.public.pem(),
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        locked,
    ):
        with pytest.raises(SignatureError) as raised:
            SigningKey.load(write(tmp_path / "k", data))
        assert raised.value.code == "HF-SIG-004"
    for data in (b"", b"x" * 100_000, other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(SignatureError) as raised:
            PublicKey.load(write(tmp_path / "k", data))
        assert raised.value.code == "HF-SIG-004"


def test_a_missing_key_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SignatureError) as raised:
        PublicKey.load(tmp_path / "none")
    assert raised.value.code == "HF-SIG-002"
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SignatureError) as raised:
        SigningKey.load(tmp_path / "pipe")
    assert raised.value.code == "HF-SIG-004"

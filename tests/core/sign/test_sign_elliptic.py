"""ECDSA keys: what they sign is what the standard library of everybody else verifies, and nothing else passes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from holdfast.core.errors import SignatureError
from holdfast.core.sign import EllipticKey, EllipticSigningKey, PublicKey, SigningKey, load_key, load_signing_key
from holdfast.core.sign.elliptic import key_from_pem

CURVES = [(ec.SECP256R1(), hashes.SHA256()), (ec.SECP384R1(), hashes.SHA384()), (ec.SECP521R1(), hashes.SHA512())]


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, form: PrivateFormat) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("curve", "algorithm"), CURVES, ids=lambda one: getattr(one, "name", ""))
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_each_curve_signs_with_its_hash(
    curve: ec.EllipticCurve, algorithm: hashes.HashAlgorithm, form: PrivateFormat, tmp_path: Path
) -> None:
    secret = ec.generate_private_key(curve)
    key = load_signing_key(write(tmp_path / "k", private_pem(secret, form)))
    signature = key.sign(b"words")
    secret.public_key().verify(signature, b"words", ec.ECDSA(algorithm))
    public = load_key(write(tmp_path / "p", key.public.text if isinstance(key, EllipticSigningKey) else b""))
    assert public == key.public
    assert public.verifies(signature, b"words")
    assert not public.verifies(signature, b"other words")
    assert not public.verifies(b"", b"words")
    assert not public.verifies(signature[:-1], b"words")
    assert isinstance(public, EllipticKey)
    assert public.hint == hashlib.sha256(public.text).hexdigest()
    assert repr(secret.private_numbers().private_value) not in repr(key)


def test_ed25519_keys_are_read_by_the_same_functions(tmp_path: Path) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "k")
    key.public.save(tmp_path / "p")
    assert load_signing_key(tmp_path / "k") == key
    assert load_key(tmp_path / "p") == key.public
    assert isinstance(load_key(tmp_path / "p"), PublicKey)


def test_other_keys_are_refused_with_the_reason(tmp_path: Path) -> None:
    curve, number = ec.generate_private_key(ec.SECP256K1()), rsa.generate_private_key(65537, 2048)
    for secret, word in ((curve, "secp256k1"), (number, "another algorithm")):
        public = secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(SignatureError) as raised:
            key_from_pem(public)
        assert (raised.value.code, word in raised.value.cause) == ("HF-SIG-004", True)
        with pytest.raises(SignatureError) as raised:
            load_signing_key(write(tmp_path / "k", private_pem(secret, PrivateFormat.PKCS8)))
        assert (raised.value.code, word in raised.value.cause) == ("HF-SIG-004", True)
    for data in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"x" * 100_000):
        for load in (load_key, load_signing_key):
            with pytest.raises(SignatureError) as raised:
                load(write(tmp_path / "k", data))
            assert raised.value.code == "HF-SIG-004"


def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "k", private_pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8))
    path.chmod(0o644)
    with pytest.raises(SignatureError) as raised:
        load_signing_key(path)
    assert raised.value.code == "HF-SIG-003"

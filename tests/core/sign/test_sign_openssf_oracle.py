"""The OpenSSF form against the tool it is for: it accepts what we sign, we accept what it signs, both refuse the rest.

Needs `model_signing` 1.1: HOLDFAST_MODEL_SIGNING names it, or `python -m benchmarks.sign --setup` has made its
environment. Skips otherwise.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from holdfast.core.sign import EllipticSigningKey, Rules, SignedSet, SigningKey, hash_set, load_signing_key, sign_set
from holdfast.core.sign.fileset import GIT_PATHS

REPO = Path(__file__).resolve().parents[3]
TOOL = Path(os.environ.get("HOLDFAST_MODEL_SIGNING", REPO / ".venv-model-signing" / "bin" / "model_signing"))
AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
FILES = {
    "weights.bin": b"w" * 3_000_000,
    "a/x": b"1",
    "a-b/x": b"2",
    "a.b": b"3",
    "A/x": b"4",
    "sub/deep/er/empty": b"",
    "sub/größe in kB.txt": b"5",
    ".git/config": b"left out",
    ".gitignore": b"left out",
    "sub/.gitignore": b"not left out",
}


@pytest.fixture(scope="module", autouse=True)
def tool() -> None:
    if not TOOL.is_file():
        pytest.skip(f"no model_signing at {TOOL}; set HOLDFAST_MODEL_SIGNING")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def key_in(folder: Path, curve: ec.EllipticCurve = CURVES[0]) -> EllipticSigningKey:
    """A new key, with its halves as key.pem and key.pub in the folder."""
    secret = ec.generate_private_key(curve)
    (folder / "key.pem").write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "key.pem").chmod(0o600)
    key = load_signing_key(folder / "key.pem")
    assert isinstance(key, EllipticSigningKey)
    (folder / "key.pub").write_bytes(key.public.text)
    return key


def theirs(verb: str, root: Path, signature: Path, *options: str) -> int:
    folder = signature.parent
    key = ["--private_key", f"{folder}/key.pem"] if verb == "sign" else ["--public_key", f"{folder}/key.pub"]
    words = [str(TOOL), verb, "key", str(root), *key, "--signature", str(signature), *options]
    return subprocess.run(words, capture_output=True, check=False, timeout=120).returncode


def statement(signature: Path) -> dict[str, Any]:
    said = json.loads(base64.b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]))
    said["predicate"]["serialization"]["ignore_paths"].sort()
    return said  # type: ignore[no-any-return]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_both_say_the_same_and_accept_each_other(curve: ec.EllipticCurve, model: Path, tmp_path: Path) -> None:
    key = key_in(tmp_path, curve)
    ours, other = tmp_path / "ours.sig", tmp_path / "theirs.sig"
    ours.write_bytes(sign_set(hash_set(model), key, "openssf", AT))
    assert theirs("verify", model, ours) == 0
    assert theirs("sign", model, other) == 0
    assert statement(ours) == statement(other)
    read = SignedSet.parse(other.read_bytes(), (SigningKey.generate().public, key.public))
    assert read.signer == key.public
    assert read.claimed == (key.public.key_id,)
    found = {file.name: file.digest.removeprefix("sha256:") for file in hash_set(model, read.rules).files}
    assert read.files == found


def test_a_single_file(tmp_path: Path) -> None:
    key = key_in(tmp_path)
    (tmp_path / "m.bin").write_bytes(b"a model")
    ours, other = tmp_path / "ours.sig", tmp_path / "theirs.sig"
    ours.write_bytes(sign_set(hash_set(tmp_path / "m.bin"), key, "openssf", AT))
    assert theirs("verify", tmp_path / "m.bin", ours) == 0
    assert theirs("sign", tmp_path / "m.bin", other) == 0
    assert statement(ours)["predicate"]["resources"] == statement(other)["predicate"]["resources"]
    assert SignedSet.parse(other.read_bytes(), (key.public,)).files == SignedSet.parse(ours.read_bytes(), ()).files


def test_what_is_left_out_and_links_are_told_alike(model: Path, tmp_path: Path) -> None:
    key = key_in(tmp_path)
    (model / "logs").mkdir()
    (model / "logs" / "1").write_bytes(b"log")
    (model / "link").symlink_to("a/x")
    ours, other = tmp_path / "ours.sig", tmp_path / "theirs.sig"
    rules = Rules((*GIT_PATHS, "logs"), links=True)
    ours.write_bytes(sign_set(hash_set(model, rules), key, "openssf", AT))
    assert theirs("verify", model, ours) != 0, "it refuses links unless told otherwise, as we do"
    assert theirs("verify", model, ours, "--allow_symlinks") == 0
    assert theirs("sign", model, other, "--allow_symlinks", "--ignore-paths", str(model / "logs")) == 0
    assert statement(ours) == statement(other)
    read = SignedSet.parse(other.read_bytes(), (key.public,))
    assert (read.rules.links, read.rules.leaves_out("logs/1"), read.signer) == (True, True, key.public)


def certificate(folder: Path) -> None:
    """cert.pem beside key.pem: the key's holder, by its own word."""
    secret = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    assert isinstance(secret, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    builder = x509.CertificateBuilder(name, name, secret.public_key(), 7, AT, AT + timedelta(days=3650))
    (folder / "cert.pem").write_bytes(builder.sign(secret, hashes.SHA256()).public_bytes(Encoding.PEM))


def test_a_bundle_with_a_certificate_is_verified_by_the_key_in_it(model: Path, tmp_path: Path) -> None:
    key = key_in(tmp_path)
    certificate(tmp_path)
    words = [str(TOOL), "sign", "certificate", str(model), "--private_key", f"{tmp_path}/key.pem"]
    words += ["--signing_certificate", f"{tmp_path}/cert.pem", "--certificate_chain", f"{tmp_path}/cert.pem"]
    subprocess.run([*words, "--signature", f"{tmp_path}/c.sig"], check=True, capture_output=True, timeout=120)
    read = SignedSet.parse((tmp_path / "c.sig").read_bytes(), (key.public,))
    assert (read.signer, read.claimed) == (key.public, ("the holder of a certificate",))
    assert SignedSet.parse((tmp_path / "c.sig").read_bytes(), ()).signer is None


@pytest.mark.parametrize("what", ["changed", "missing", "extra", "key"])
def test_it_refuses_what_we_refuse(what: str, model: Path, tmp_path: Path) -> None:
    from holdfast.seal.checking import check
    from holdfast.seal.standing import Standing

    key = key_in(tmp_path)
    ours = tmp_path / "ours.sig"
    ours.write_bytes(sign_set(hash_set(model), key, "openssf", AT))
    assert check(model, ours, (key.public,)).standing is Standing.OK
    if what == "changed":
        (model / "a" / "x").write_bytes(b"9")
    elif what == "missing":
        (model / "sub" / "deep" / "er" / "empty").unlink()
    elif what == "extra":
        (model / "sub" / "__init__.py").write_bytes(b"")
    else:
        key = key_in(tmp_path)
    assert theirs("verify", model, ours) != 0
    assert check(model, ours, (key.public,)).standing is (Standing.UNKNOWN if what == "key" else Standing.BROKEN)

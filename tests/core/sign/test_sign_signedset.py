"""Signed sets of files in both forms: what comes back is what was signed; whatever an enemy writes is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import SignatureError
from holdfast.core.sign import (
    AnySigningKey,
    EllipticSigningKey,
    FileDigest,
    FileSet,
    Rules,
    SetForm,
    SignedSet,
    SigningKey,
    hash_set,
    pae,
    sign_set,
)
from holdfast.core.sign.signedset import FILES_TYPE

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ED = SigningKey(bytes(range(32)))
EC = EllipticSigningKey(ec.derive_private_key(1234567, ec.SECP256R1()))
KEYS: dict[SetForm, AnySigningKey] = {"intoto": ED, "openssf": EC}
FORMS: tuple[SetForm, ...] = ("intoto", "openssf")
INTOTO = "application/vnd.in-toto+json"

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def found(tmp_path: Path) -> FileSet:
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    for name in ("weights.bin", "sub/empty", "sub-2"):
        (root / name).write_bytes(name.encode() if name != "sub/empty" else b"")
    return hash_set(root)


def outer(signature: bytes) -> dict[str, Any]:
    value = json.loads(signature)
    return value.get("dsseEnvelope", value)  # type: ignore[no-any-return]


def payload_of(signature: bytes) -> dict[str, Any]:
    return json.loads(base64.b64decode(outer(signature)["payload"]))  # type: ignore[no-any-return]


def signed_again(signature: bytes, payload: bytes, key: AnySigningKey, kind: str = INTOTO) -> bytes:
    """The same file around another payload, signed by the same key: an enemy who holds the key."""
    value = json.loads(signature)
    envelope = value.get("dsseEnvelope", value)
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["payloadType"] = kind
    envelope["signatures"][0]["sig"] = base64.b64encode(key.sign(pae(kind, payload))).decode()
    return json.dumps(value).encode()


def refused(data: bytes, form: SetForm) -> str:
    with pytest.raises(SignatureError) as raised:
        SignedSet.parse(data, (KEYS[form].public,))
    assert raised.value.code == "HF-SIG-013"
    return raised.value.cause


@pytest.mark.parametrize("form", FORMS)
def test_what_was_signed_comes_back(form: SetForm, found: FileSet) -> None:
    data = sign_set(found, KEYS[form], form, AT)
    read = SignedSet.parse(data, (SigningKey.generate().public, KEYS[form].public))
    assert read.signer == KEYS[form].public
    assert read.claimed == (KEYS[form].public.key_id,)
    assert (read.form, read.name, read.rules) == (form, "model", found.rules)
    assert read.files == {file.name: file.digest.removeprefix("sha256:") for file in found.files}
    assert read.when == (AT if form == "intoto" else None)
    assert SignedSet.parse(data, ()).signer is None
    stranger = EllipticSigningKey(ec.generate_private_key(ec.SECP256R1()))
    assert SignedSet.parse(data, (SigningKey.generate().public, stranger.public)).signer is None


def test_the_intoto_form_is_a_statement_whose_subjects_are_the_files(found: FileSet) -> None:
    data = sign_set(found, ED, "intoto", AT)
    envelope, said = json.loads(data), payload_of(data)
    assert set(envelope) == {"payload", "payloadType", "signatures"}
    assert (said["_type"], said["predicateType"]) == ("https://in-toto.io/Statement/v1", FILES_TYPE)
    assert [subject["name"] for subject in said["subject"]] == ["sub/empty", "sub-2", "weights.bin"]
    assert said["subject"][2]["digest"] == {"sha256": hashlib.sha256(b"weights.bin").hexdigest()}
    assert said["predicate"]["ignored"] == [".git", ".gitattributes", ".github", ".gitignore"]
    assert said["predicate"]["links"] is False


def test_the_openssf_form_is_a_bundle_whose_subject_is_the_root_of_all_digests(found: FileSet) -> None:
    """Every field as model-signing 1.1.1 writes it; the oracle holds it against that tool where it is installed."""
    data = sign_set(found, EC, "openssf", AT)
    value, said = json.loads(data), payload_of(data)
    assert value["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    hint = hashlib.sha256(EC.public.text).hexdigest()
    assert value["verificationMaterial"] == {"publicKey": {"hint": hint}, "tlogEntries": []}
    assert value["dsseEnvelope"]["payloadType"] == INTOTO
    assert value["dsseEnvelope"]["signatures"][0]["keyid"] == ""
    assert said["predicateType"] == "https://model_signing/signature/v1.0"
    assert said["predicate"]["serialization"] == {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": [".git", ".gitattributes", ".github", ".gitignore"],
    }
    listed = said["predicate"]["resources"]
    assert [item["name"] for item in listed] == ["sub/empty", "sub-2", "weights.bin"]
    assert {item["algorithm"] for item in listed} == {"sha256"}
    contents = (b"", b"sub-2", b"weights.bin")
    assert [item["digest"] for item in listed] == [hashlib.sha256(one).hexdigest() for one in contents]
    root = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in contents)).hexdigest()
    assert said["subject"] == [{"name": "model", "digest": {"sha256": root}}]


def test_a_single_file_is_a_dot_in_the_openssf_form(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"x")
    data = sign_set(hash_set(tmp_path / "m.bin"), EC, "openssf", AT)
    assert [item["name"] for item in payload_of(data)["predicate"]["resources"]] == ["."]
    assert list(SignedSet.parse(data, (EC.public,)).files) == ["."]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "m.bin").write_bytes(b"x")
    assert list(SignedSet.parse(sign_set(hash_set(tmp_path / "d"), EC, "openssf", AT), ()).files) == ["m.bin"]


def test_an_ecdsa_key_signs_either_form_and_an_ed25519_key_only_ours(found: FileSet) -> None:
    read = SignedSet.parse(sign_set(found, EC, "intoto", AT), (ED.public, EC.public))
    assert read.signer == EC.public
    with pytest.raises(ValueError, match="ECDSA"):
        sign_set(found, ED, "openssf", AT)


def test_a_set_too_large_for_a_statement_is_not_signed() -> None:
    files = tuple(FileDigest(f"{i:05}" + "n" * 3000, "sha256:" + "0" * 64, 1) for i in range(5000))
    for form in FORMS:
        with pytest.raises(ValueError, match="the limit is"):
            sign_set(FileSet("m", files, Rules()), KEYS[form], form, AT)


def resources(value: dict[str, Any]) -> list[dict[str, Any]]:
    return value["predicate"]["resources"]  # type: ignore[no-any-return]


def renamed(name: str) -> Spoil:
    """Another name for the first file, in either form."""

    def spoil(value: dict[str, Any]) -> None:
        listed = value["predicate"].get("resources", value["subject"])
        listed[0]["name"] = name

    return spoil


BOTH: dict[str, Spoil] = {
    "a name that leads out": renamed("../../etc/passwd"),
    "an absolute name": renamed("/etc/passwd"),
    "an empty name": renamed(""),
    "a name with a null": renamed("a\0b"),
    "a name spelt in a second way": renamed("sub//empty"),
    "the name of a folder": renamed("."),
    "a name that is no text": renamed(7),  # type: ignore[arg-type]
    "a name that is left out": renamed(".git/config"),
    "a name that is there twice": renamed("weights.bin"),
    "another predicate": lambda v: v.update(predicateType="https://slsa.dev/provenance/v1"),
    "another type": lambda v: v.update(_type="https://in-toto.io/Statement/v0.1"),
    "no predicate": lambda v: v.update(predicate=[]),
    "nothing": lambda v: v.clear(),
}
INTOTO_ONLY: dict[str, Spoil] = {
    "no files": lambda v: v.update(subject=[]),
    "a path left out that leads out": lambda v: v["predicate"].update(ignored=["../a"]),
    "everything left out": lambda v: v["predicate"].update(ignored=["."]),
    "paths that are no list": lambda v: v["predicate"].update(ignored="a"),
    "paths without end": lambda v: v["predicate"].update(ignored=[f"p{i}" for i in range(2000)]),
    "links that are neither": lambda v: v["predicate"].update(links="no"),
    "a time that is none": lambda v: v["predicate"].update(signedAt="yesterday"),
    "no name": lambda v: v["predicate"].update(name=None),
    "a digest of another kind": lambda v: v["subject"][0].update(digest={"sha1": "00"}),
}
OPENSSF_ONLY: dict[str, Spoil] = {
    "no files": lambda v: v["predicate"].update(resources=[]),
    "two subjects": lambda v: v.update(subject=v["subject"] * 2),
    "another root": lambda v: v["subject"][0]["digest"].update(sha256="0" * 64),
    "a file taken away": lambda v: resources(v).pop(),
    "files in another order": lambda v: resources(v).reverse(),
    "a file whose digest is no text": lambda v: resources(v)[0].update(digest=None),
    "a digest in capitals": lambda v: resources(v)[0].update(digest=resources(v)[0]["digest"].upper()),
    "a short digest": lambda v: resources(v)[0].update(digest="00"),
    "an algorithm of its own": lambda v: resources(v)[0].update(algorithm="md5"),
    "no algorithm": lambda v: resources(v)[0].pop("algorithm"),
    "a resource that is a list": lambda v: resources(v).__setitem__(0, []),
    "another hash": lambda v: v["predicate"]["serialization"].update(hash_type="blake3"),
    "shards": lambda v: v["predicate"]["serialization"].update(method="shards", shard_size=1000),
    "no serialization": lambda v: v["predicate"].pop("serialization"),
    "links that are neither": lambda v: v["predicate"]["serialization"].update(allow_symlinks="no"),
    "a path left out that leads out": lambda v: v["predicate"]["serialization"].update(ignore_paths=["../a"]),
    "everything left out": lambda v: v["predicate"]["serialization"].update(ignore_paths=["."]),
    "paths that are no list": lambda v: v["predicate"]["serialization"].update(ignore_paths={"a": 1}),
    "the predicate of an older release": lambda v: v.update(predicateType="https://model_signing/Digests/v0.1"),
}
CASES = [(form, name, how) for form in FORMS for name, how in BOTH.items()]
CASES += [("intoto", name, how) for name, how in INTOTO_ONLY.items()]
CASES += [("openssf", name, how) for name, how in OPENSSF_ONLY.items()]


@pytest.mark.parametrize(("form", "name", "how"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_nonsense_is_refused_though_the_key_signed_it(form: SetForm, name: str, how: Spoil, found: FileSet) -> None:
    data = sign_set(found, KEYS[form], form, AT)
    value = payload_of(data)
    unspoilt = signed_again(data, json.dumps(value).encode(), KEYS[form])
    assert SignedSet.parse(unspoilt, (KEYS[form].public,)).signer is not None
    how(value)
    refused(signed_again(data, json.dumps(value).encode(), KEYS[form]), form)


OUTSIDE: dict[str, Spoil] = {
    "another media type": lambda v: v.update(mediaType="application/vnd.dev.sigstore.bundle.v0.2+json"),
    "no envelope": lambda v: v.pop("dsseEnvelope"),
    "no material": lambda v: v.update(verificationMaterial=None),
    "a message beside it": lambda v: v.update(messageSignature={"signature": "AA=="}),
    "two signatures": lambda v: v["dsseEnvelope"].update(signatures=v["dsseEnvelope"]["signatures"] * 2),
    "no signature": lambda v: v["dsseEnvelope"].update(signatures=[]),
    "a signature that is no base64": lambda v: v["dsseEnvelope"]["signatures"][0].update(sig="?"),
    "a payload that is no text": lambda v: v["dsseEnvelope"].update(payload=1),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_bundle_that_is_none_is_refused(name: str, found: FileSet) -> None:
    value = json.loads(sign_set(found, EC, "openssf", AT))
    OUTSIDE[name](value)
    refused(json.dumps(value).encode(), "openssf")


@pytest.mark.parametrize("form", FORMS)
def test_another_payload_type_is_refused_though_signed_as_such(form: SetForm, found: FileSet) -> None:
    data = sign_set(found, KEYS[form], form, AT)
    payload = base64.b64decode(outer(data)["payload"])
    assert "text/plain" in refused(signed_again(data, payload, KEYS[form], "text/plain"), form)


@pytest.mark.parametrize("form", FORMS)
def test_size_depth_and_doubled_keys_are_bounded(form: SetForm, found: FileSet) -> None:
    data = sign_set(found, KEYS[form], form, AT)
    assert "limit" in refused(b" " * 17_000_000 + data, form)
    assert "deeper" in refused(data.rstrip()[:-1] + b',"x":' + b"[" * 100 + b"]" * 100 + b"}", form)
    assert "twice" in refused(data.rstrip()[:-1] + b',"payload":1,"payload":2,"mediaType":3}', form)
    payload = base64.b64decode(outer(data)["payload"])
    doubled = payload[:-1] + b',"predicate":{}}'
    assert "twice" in refused(signed_again(data, doubled, KEYS[form]), form)
    for nothing in (b"", b"[]", b"\xff", b"null", b"{}"):
        refused(nothing, form)


def test_the_material_of_a_certificate_is_shown_and_not_believed(found: FileSet) -> None:
    value = json.loads(sign_set(found, EC, "openssf", AT))
    value["verificationMaterial"] = {"x509CertificateChain": {"certificates": [{"rawBytes": "AA=="}]}}
    read = SignedSet.parse(json.dumps(value).encode(), (EC.public,))
    assert (read.claimed, read.signer) == (("the holder of a certificate",), EC.public)
    value["verificationMaterial"] = {"publicKey": {"rawBytes": "AA=="}}
    assert SignedSet.parse(json.dumps(value).encode(), ()).claimed == ("somebody unnamed",)


SMALL = FileSet("m", (FileDigest("a", "sha256:" + "1" * 64, 1), FileDigest("b", "sha256:" + "2" * 64, 1)), Rules())
# Once: an ECDSA signature is another one each time, and of another length.
WHOLE = {form: sign_set(SMALL, KEYS[form], form, AT) for form in FORMS}


def read_or_refused(data: bytes, form: SetForm) -> SignedSet | None:
    try:
        return SignedSet.parse(data, (KEYS[form].public,))
    except SignatureError as fault:
        if fault.code != "HF-SIG-013":
            raise
    return None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), form=st.sampled_from(FORMS))
def test_damage_is_refused_or_invalid_or_changes_nothing(data: st.DataObject, form: SetForm) -> None:
    """Whatever a byte becomes: an error with a code, or no signer, or the very same statement as before."""
    whole = WHOLE[form]
    before = read_or_refused(whole, form)
    assert before is not None
    place = data.draw(st.integers(0, len(whole) - 1))
    spoilt = whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + data.draw(st.integers(0, 3)) :]
    after = read_or_refused(spoilt, form)
    if after is not None and after.signer is not None:
        assert (after.files, after.rules, after.digest) == (before.files, before.rules, before.digest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(FORMS), st.sampled_from(["subject", "predicate", "serialization", "resources", "ignored"]))
def test_any_json_in_any_place_is_read_or_refused(value: Any, form: SetForm, place: str) -> None:
    said = payload_of(WHOLE[form])
    (said if place in ("subject", "predicate") else said["predicate"])[place] = value
    read_or_refused(signed_again(WHOLE[form], json.dumps(said).encode(), KEYS[form]), form)

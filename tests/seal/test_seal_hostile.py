"""Seal files made by an enemy: refused with a code, whatever is in them, and never trusted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import HoldfastError, SignatureError
from holdfast.core.sign import PAYLOAD_TYPE, SigningKey, dsse_sign
from holdfast.seal.files import load, seal_of
from holdfast.seal.making import make

Spoil = Callable[[dict[str, Any]], object]


def statement(data: Path, key: SigningKey) -> dict[str, Any]:
    return json.loads(make(data, key).signed.seal.payload)  # type: ignore[no-any-return]


def write(seal: Path, payload: bytes, key: SigningKey) -> None:
    seal.write_bytes(dsse_sign(PAYLOAD_TYPE, payload, key).to_json())


def code(seal: Path, key: SigningKey) -> str:
    with pytest.raises(SignatureError) as caught:
        load(seal, (key.public,))
    assert str(seal) in caught.value.message
    return caught.value.code


def predicate(value: dict[str, Any]) -> dict[str, Any]:
    return value["predicate"]  # type: ignore[no-any-return]


def table(value: dict[str, Any]) -> dict[str, Any]:
    return predicate(value)["files"][0]["table"]  # type: ignore[no-any-return]


PARENT = {"name": "a", "seal": "sha256:" + "0" * 64, "by": ""}
SPOILED: dict[str, Spoil] = {
    "another predicate": lambda v: v.update(predicateType="urn:other"),
    "no files": lambda v: predicate(v).update(files=[]),
    "a file twice": lambda v: predicate(v)["files"].append(predicate(v)["files"][0]),
    "a name that leads out": lambda v: predicate(v)["files"][0].update(name="../../etc/passwd"),
    "an absolute name": lambda v: predicate(v)["files"][0].update(name="/etc/passwd"),
    "a name with a null": lambda v: predicate(v)["files"][0].update(name="a\0b"),
    "an empty name": lambda v: predicate(v)["files"][0].update(name=""),
    "no digest": lambda v: predicate(v)["files"][0].update(digest="sha256:zz"),
    "another digest than the subject's": lambda v: predicate(v)["files"][0].update(digest="sha256:" + "0" * 64),
    "a negative size": lambda v: predicate(v)["files"][0].update(bytes=-1),
    "a size that is no integer": lambda v: predicate(v)["files"][0].update(bytes=1.5),
    "rows beyond all bounds": lambda v: table(v).update(rows=2**60),
    "rows that are text": lambda v: table(v).update(rows="60"),
    "a column twice": lambda v: table(v)["columns"].append(table(v)["columns"][0]),
    "a column of no kind": lambda v: table(v)["columns"][0].update(kind="object"),
    "a column that is a list": lambda v: table(v)["columns"].__setitem__(0, []),
    "more than a seal says": lambda v: predicate(v).update(trusted=True),
    "no time": lambda v: predicate(v).update(sealedAt="yesterday"),
    "a time without a zone": lambda v: predicate(v).update(sealedAt="2026-01-05T09:00:00"),
    "a commit that is none": lambda v: predicate(v)["code"].update(commit="$(id)"),
    "too many parents": lambda v: predicate(v).update(parents=[PARENT] * 101),
    "words without end": lambda v: predicate(v).update(name="a" * 3000),
    "no statement": lambda v: v.clear(),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_a_signed_seal_that_says_nonsense_is_refused(how: str, data: Path, key: SigningKey) -> None:
    value = statement(data, key)
    SPOILED[how](value)
    write(seal_of(data), json.dumps(value).encode(), key)
    assert code(seal_of(data), key) == "HF-SEA-002"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"payload": "x", "payloadType": "y", "signatures": []}',
        b'{"a": 1, "a": 2}',
        b" " * 17_000_000,
    ],
    ids=["empty", "list", "object", "no text", "deep", "unsigned", "twice", "large"],
)
def test_a_file_that_is_no_envelope_is_refused(content: bytes, data: Path, key: SigningKey) -> None:
    seal_of(data).write_bytes(content)
    assert code(seal_of(data), key) == "HF-SEA-002"


def test_a_payload_that_is_deep_or_of_another_type_is_refused(data: Path, key: SigningKey) -> None:
    seal = seal_of(data)
    write(seal, b'{"predicate": ' + b"[" * 5000 + b"]" * 5000 + b"}", key)
    assert code(seal, key) == "HF-SEA-002"
    seal.write_bytes(dsse_sign("text/plain", b"{}", key).to_json())
    assert code(seal, key) == "HF-SEA-002"


@pytest.mark.parametrize("kind", ["folder", "link to itself"])
def test_a_seal_that_is_no_file_is_refused(kind: str, data: Path, key: SigningKey) -> None:
    seal = seal_of(data)
    seal.mkdir() if kind == "folder" else seal.symlink_to(seal)
    with pytest.raises(HoldfastError):
        load(seal, (key.public,))


def test_any_changed_byte_of_the_envelope_is_refused_or_unsigned(data: Path, key: SigningKey) -> None:
    whole = make(data, key).path.read_bytes()
    seal = seal_of(data)
    for place in range(0, len(whole), 13):
        changed = bytearray(whole)
        changed[place] ^= 1
        seal.write_bytes(changed)
        try:
            signer = load(seal, (key.public,)).signer
        except SignatureError:
            continue
        hint = json.loads(changed)["signatures"][0].get("keyid")
        assert signer is None or hint != key.public.key_id, place


def test_another_statement_under_the_same_signature_is_unsigned(data: Path, key: SigningKey) -> None:
    seal = make(data, key).path
    envelope = json.loads(seal.read_bytes())
    value = json.loads(base64.b64decode(envelope["payload"]))
    value["predicate"]["name"] = "other"
    envelope["payload"] = base64.b64encode(json.dumps(value).encode()).decode()
    seal.write_text(json.dumps(envelope))
    assert load(seal, (key.public,)).signer is None

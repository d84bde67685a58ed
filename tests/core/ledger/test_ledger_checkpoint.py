"""Checkpoints: the signed-note form, and no byte that may differ."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.data.merkle import EMPTY_ROOT
from holdfast.core.errors import LedgerError
from holdfast.core.ledger import Checkpoint
from holdfast.core.ledger.checkpoint import key_id
from holdfast.core.sign import SigningKey

KEY = SigningKey(bytes(range(32)))
ROOT = hashlib.sha256(b"root").digest()
HEAD = Checkpoint.sign("bank.example/eu", 1234067, ROOT, KEY)


def test_the_note_is_as_the_format_says() -> None:
    text, _, line = HEAD.note.decode().partition("\n\n")
    assert text == f"bank.example/eu\n1234067\n{base64.b64encode(ROOT).decode()}"
    dash, name, blob = line.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", "bank.example/eu")
    raw = base64.b64decode(blob)
    wanted = hashlib.sha256(b"bank.example/eu\n\x01" + KEY.public.raw).digest()[:4]
    assert raw[:4] == wanted == key_id("bank.example/eu", KEY.public)
    Ed25519PublicKey.from_public_bytes(KEY.public.raw).verify(raw[4:], (text + "\n").encode())


def test_a_known_key_id() -> None:
    # The example of the signed-note format: PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW
    from holdfast.core.sign import PublicKey

    blob = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert blob[0] == 1
    assert key_id("PeterNeumann", PublicKey(blob[1:])).hex() == "c74f20a3"


@given(st.integers(0, 2**56), st.binary(min_size=32, max_size=32))
def test_what_is_signed_can_be_read_and_trusted(size: int, root: bytes) -> None:
    root = root if size else EMPTY_ROOT
    head = Checkpoint.sign("o", size, root, KEY)
    assert Checkpoint.trusted(head.note, KEY.public, "o") == head
    assert (head.size, head.root) == (size, root)


@given(st.integers(0, len(HEAD.note) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, change: int) -> None:
    note = bytearray(HEAD.note)
    note[place] ^= change
    with pytest.raises(LedgerError) as raised:
        Checkpoint.trusted(bytes(note), KEY.public, "bank.example/eu")
    assert raised.value.code == "HF-LED-001"


@pytest.mark.parametrize("place", [HEAD.note.index(b"=\n\n") - 1, len(HEAD.note) - 3])
def test_the_idle_bits_of_base64_count_too(place: int) -> None:
    for change in range(1, 256):
        note = HEAD.note[:place] + bytes([HEAD.note[place] ^ change]) + HEAD.note[place + 1 :]
        with pytest.raises(LedgerError):
            Checkpoint.trusted(note, KEY.public, "bank.example/eu")


@given(st.integers(0, len(HEAD.note)), st.binary(min_size=1, max_size=4), st.booleans())
def test_bytes_added_or_taken_are_noticed(place: int, extra: bytes, add: bool) -> None:
    note = HEAD.note[:place] + extra + HEAD.note[place:] if add else HEAD.note[:place] + HEAD.note[place + len(extra) :]
    if note == HEAD.note:
        return
    with pytest.raises(LedgerError):
        Checkpoint.trusted(note, KEY.public, "bank.example/eu")


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff\xfe",
        b"x" * 5000,
        HEAD.note + HEAD.note.split(b"\n\n")[1],
        HEAD.note.replace(b"1234067", b"01234067"),
        HEAD.note.replace(b"1234067", b"-1"),
        HEAD.note.replace(b"1234067", "１２３".encode()),
        HEAD.note.replace(b"1234067", b"9" * 17),
        HEAD.note.replace(b"1234067", b"0"),
        HEAD.note.replace(b"\n", b"\r\n"),
    ],
)
def test_malformed_notes_are_refused(note: bytes) -> None:
    with pytest.raises(LedgerError):
        Checkpoint.trusted(note, KEY.public, "bank.example/eu")


def test_another_key_or_ledger_is_not_trusted() -> None:
    with pytest.raises(LedgerError, match="cannot be trusted") as raised:
        Checkpoint.trusted(HEAD.note, SigningKey.generate().public, "bank.example/eu")
    assert "signature" in raised.value.cause
    with pytest.raises(LedgerError) as raised:
        Checkpoint.trusted(HEAD.note, KEY.public, "bank.example/us")
    assert "bank.example/eu" in raised.value.cause


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\n", "ü", "x" * 201])
def test_an_origin_is_one_plain_word(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Checkpoint(origin, 0, EMPTY_ROOT)

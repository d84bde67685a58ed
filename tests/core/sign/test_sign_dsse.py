"""Envelopes: the protocol's own vector, round trips, and what must be refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import SignatureError
from holdfast.core.sign import Envelope, SigningKey, dsse_sign, dsse_verify, pae
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES

KEY = SigningKey(bytes(range(32)))
TYPE = "application/x"


def code(raised: pytest.ExceptionInfo[SignatureError]) -> str:
    return raised.value.code


def test_pae_is_the_protocols_own_example() -> None:
    encoded = pae("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_pae_counts_bytes_of_the_type_not_letters() -> None:
    assert pae("ö", b"") == b"DSSEv1 2 \xc3\xb6 0 "


@given(st.text(max_size=20), st.binary(max_size=60), st.text(max_size=20), st.binary(max_size=60))
def test_pae_gives_two_messages_only_for_the_same_pair(a: str, x: bytes, b: str, y: bytes) -> None:
    assert (pae(a, x) == pae(b, y)) == ((a, x) == (b, y))


@settings(max_examples=50)
@given(st.binary(max_size=500))
def test_what_is_signed_comes_back(payload: bytes) -> None:
    data = dsse_sign(TYPE, payload, KEY).to_json()
    assert dsse_verify(data, KEY.public, TYPE) == payload
    assert Envelope.parse(data).to_json() == data


def test_one_trusted_signature_among_several_is_enough() -> None:
    other = SigningKey.generate()
    envelope = dsse_sign(TYPE, b"x", SigningKey.generate(), KEY)
    assert dsse_verify(envelope, [other.public, KEY.public], TYPE) == b"x"
    with pytest.raises(SignatureError) as raised:
        dsse_verify(envelope, [other.public], TYPE)
    assert code(raised) == "HF-SIG-007"


def test_no_trusted_key_verifies_nothing() -> None:
    with pytest.raises(SignatureError) as raised:
        dsse_verify(dsse_sign(TYPE, b"x", KEY), [], TYPE)
    assert code(raised) == "HF-SIG-007"


def test_a_signature_is_bound_to_its_type() -> None:
    envelope = dsse_sign(TYPE, b"x", KEY)
    with pytest.raises(SignatureError) as raised:
        dsse_verify(envelope, KEY.public, "application/y")
    assert code(raised) == "HF-SIG-006"
    renamed = Envelope("application/y", envelope.payload, envelope.signatures)
    with pytest.raises(SignatureError) as raised:
        dsse_verify(renamed, KEY.public, "application/y")
    assert code(raised) == "HF-SIG-007"


def test_the_key_id_is_not_believed() -> None:
    forged = dsse_sign(TYPE, b"x", SigningKey.generate()).to_json()
    value = json.loads(forged)
    value["signatures"][0]["keyid"] = KEY.public.key_id
    with pytest.raises(SignatureError) as raised:
        dsse_verify(json.dumps(value).encode(), KEY.public, TYPE)
    assert code(raised) == "HF-SIG-007"


@given(st.data())
def test_a_flipped_byte_outside_the_hint_is_found(data: st.DataObject) -> None:
    envelope = bytearray(dsse_sign(TYPE, b"some payload", KEY).to_json())
    hint = envelope.index(KEY.public.key_id.encode())
    places = [i for i in range(len(envelope) - 1) if not hint <= i < hint + len(KEY.public.key_id)]
    place = data.draw(st.sampled_from(places))
    envelope[place] ^= data.draw(st.integers(1, 255))
    try:
        payload = dsse_verify(bytes(envelope), KEY.public, TYPE)
    except SignatureError:
        return
    # A spelling that means the same (the name of the hint, blank space, URL-safe base64) may pass; another payload not.
    assert payload == b"some payload"


def test_url_safe_base64_is_read() -> None:
    envelope = dsse_sign(TYPE, b"\xfb\xff\xfe", KEY)
    value = json.loads(envelope.to_json())
    value["payload"] = base64.urlsafe_b64encode(envelope.payload).decode()
    assert value["payload"] == "-__-"
    assert dsse_verify(json.dumps(value).encode(), KEY.public, TYPE) == envelope.payload


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b"{",
        b'{"payload":"","payloadType":"t","signatures":[]}',
        b'{"payload":"","payloadType":"t","signatures":{}}',
        b'{"payload":"","payloadType":"t","signatures":[1]}',
        b'{"payload":"","payloadType":1,"signatures":[{"sig":""}]}',
        b'{"payload":"A","payloadType":"t","signatures":[{"sig":""}]}',
        b'{"payload":"AB==","payloadType":"t","signatures":[{"sig":""}]}',
        b'{"payload":"\xc3\xa9","payloadType":"t","signatures":[{"sig":""}]}',
        b'{"payload":"","payload":"","payloadType":"t","signatures":[{"sig":""}]}',
        b'{"payload":"","payloadType":"t","signatures":[{"sig":"","keyid":7}]}',
        b'{"payload":"","payloadType":"t","x":NaN,"signatures":[{"sig":""}]}',
        b'{"payload":"","payloadType":"t","x":' + b"1" * 5000 + b',"signatures":[{"sig":""}]}',
        b"[" * 100_000,
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_what_is_no_envelope_is_refused(text: bytes) -> None:
    with pytest.raises(SignatureError) as raised:
        Envelope.parse(text)
    assert code(raised) == "HF-SIG-005"


def test_a_huge_envelope_is_refused_unread() -> None:
    with pytest.raises(SignatureError, match="limit"):
        Envelope.parse(b" " * (MAX_ENVELOPE_BYTES + 1))


def test_too_many_signatures_are_refused() -> None:
    value = json.loads(dsse_sign(TYPE, b"x", KEY).to_json())
    value["signatures"] *= 33
    with pytest.raises(SignatureError, match="32"):
        Envelope.parse(json.dumps(value).encode())

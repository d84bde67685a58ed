"""UBJSON is read as written by the specification's examples and by XGBoost, within bounds."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.core.formats import ubj


def packed(value: object) -> bytes:
    """A plain writer: the oracle's side of a round trip."""
    if value is None:
        return b"Z"
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"S" + length(value.encode()) + value.encode()
    if isinstance(value, list):
        return b"[" + b"".join(map(packed, value)) + b"]"
    assert isinstance(value, dict)
    return b"{" + b"".join(length(k.encode()) + k.encode() + packed(v) for k, v in value.items()) + b"}"


def length(text: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(text))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_round_trip(value: object) -> None:
    assert ubj.parse(packed(value)) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\xff\xff\xff\xfe", -2),
        (b"d\x3f\x80\x00\x00", 1.0),
        (b"Ca", "a"),
        (b"NNZ", None),
        (b"[NTNF]", [True, False]),
        (b"[#i\x02TF", [True, False]),
        (b"{#i\x01i\x01aZ", {"a": None}),
        (b"{Ni\x01aZN}", {"a": None}),
        (b"[$S#i\x02i\x01ai\x00", ["a", ""]),
        (b"[$[#i\x02]T]", [[], [True]]),
    ],
)
def test_what_the_specification_allows(data: bytes, value: object) -> None:
    assert ubj.parse(data) == value


@pytest.mark.parametrize(
    ("marker", "dtype"),
    [("i", "i1"), ("U", "u1"), ("I", ">i2"), ("l", ">i4"), ("L", ">i8"), ("d", ">f4"), ("D", ">f8")],
)
def test_typed_arrays_are_numpy_arrays(marker: str, dtype: str) -> None:
    wanted = np.array([0, 1, 100], dtype)
    found = ubj.parse(b"[$" + marker.encode() + b"#i\x03" + wanted.tobytes())
    assert isinstance(found, np.ndarray)
    assert found.dtype.isnative
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i",
        b"x",
        b"ZZ",
        b"[",
        b"[Z",
        b"{",
        b"{i\x01a",
        b"{i\x01aZi\x01aZ}",
        b"Si\x05ab",
        b"Si\xffab",
        b"Sd\x00\x00\x00\x00",
        b"Si\x01\xff",
        b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[$d#L\x00\xff\xff\xff\xff\xff\xff\xff",
        b"[$d#i\x02\x00\x00\x00\x00",
        b"[$Z#L\x00\x00\x00\x00\xff\xff\xff\xff",
        b"[$T#i\x02",
        b"[$di\x01",
        b"{$i#i\x01i\x01a\x01",
        b"Hi\x011",
    ],
)
def test_broken_data_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as fault:
        ubj.parse(data)
    assert fault.value.code == "HF-FMT-010"


def test_nesting_and_values_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ubj.parse(b"[" * ubj.MAX_DEPTH + b"]" * ubj.MAX_DEPTH) is not None
    with pytest.raises(FormatError) as fault:
        ubj.parse(b"[" * 100_000)
    assert fault.value.code == "HF-FMT-012"
    monkeypatch.setattr(ubj, "MAX_VALUES", 100)
    with pytest.raises(FormatError) as fault:
        ubj.parse(b"[" + b"Z" * 101 + b"]")
    assert fault.value.code == "HF-FMT-012"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        ubj.parse(data)

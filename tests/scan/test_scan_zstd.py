"""Zstandard: measured by its own headers, unpacked where a decoder is, unknown where none is."""

from __future__ import annotations

import contextlib
import pickle
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zstd import decompress, frame_size
from holdfast.scan import Budget, scan

arrow = pytest.importorskip("pyarrow", reason="zstd is packed and unpacked by pyarrow")
HARM = b"cos\nsystem\n(S'x'\ntR."


def packed(data: bytes) -> bytes:
    return bytes(arrow.Codec("zstd").compress(data).to_pybytes())


def look(tmp_path, data: bytes, budget: Budget | None = None):
    path = tmp_path / "file"
    path.write_bytes(data)
    report = scan(path, budget=budget)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
    return report


def test_what_comes_out_is_judged(tmp_path):
    assert look(tmp_path, packed(pickle.dumps([1.5] * 100))).verdict == "clean"
    assert look(tmp_path, packed(HARM)).verdict == "blocked"
    assert look(tmp_path, packed(b"text\n") + packed(HARM)).verdict == "unknown"


def test_bytes_behind_the_stream_are_unread(tmp_path):
    found = look(tmp_path, packed(b"words of a text\n") + b"more")
    assert (found.verdict, found.coverage.unread) == ("unknown", 4)


def test_cut_and_broken_streams_are_unknown(tmp_path):
    data = packed(bytes(range(256)) * 40)
    for broken in (data[:-3], data[:4], data[:9] + b"\xff" * 8 + data[17:]):
        assert look(tmp_path, broken).verdict == "unknown"


def test_bombs_and_budgets(tmp_path):
    assert look(tmp_path, packed(bytes(80 << 20))).verdict == "blocked"
    assert look(tmp_path, packed(bytes(3 << 20)), Budget(unpacked_bytes=1 << 20)).verdict == "unknown"


def test_without_a_decoder_it_is_unknown_and_says_why(tmp_path, monkeypatch):
    data = packed(b"words of a text\n")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = look(tmp_path, data)
    assert found.verdict == "unknown"
    assert "pyarrow" in str(found.facts[0].value)


@settings(max_examples=50)
@given(st.binary(max_size=5000))
def test_frames_are_as_long_as_their_headers_say(content):
    data = packed(content)
    out = bytearray()
    assert frame_size(Window.whole(data + b"more"), 0) == len(data)
    assert decompress(Window.whole(data + b"more"), 0, 1 << 20, out) == len(data)
    assert bytes(out) == content


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_no_headers_make_it_fail(noise):
    with contextlib.suppress(Fault):
        assert frame_size(Window.whole(b"\x28\xb5\x2f\xfd" + noise), 0) <= 4 + len(noise)

"""Answers are hostile input: whatever the bytes, they are what was asked for or a TargetError."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import SandboxError, TargetError
from holdfast.core.sandbox import answer
from holdfast.core.sandbox.ending import Ending, told_error
from holdfast.core.sandbox.faults import printable, sandbox_error, target_error
from holdfast.core.sandbox.limits import Limits

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON | st.integers(0, 4) | st.just([]) | st.just([24]) | st.just(True)
        for name in ("ok", "blobs", "rows", "width", "classes", "type", "text", "at", "errno", "word", "missing")
    },
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | HEADERS.map(lambda header: json.dumps(header).encode()))
def test_any_header_is_read_or_refused(text: bytes) -> None:
    with contextlib.suppress(TargetError):
        header = answer.read_header(text)
        assert header["size"] >= 0
        if header["ok"]:
            assert answer.expected_size(header, 3) == header["size"] == 3 * header["width"] * 8
            labels = answer.classes_of(header, header["width"])
            assert len(labels) in (0, 2, header["width"])
        else:
            assert told_error(header).reason in TargetError.REASONS.values()


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=4, max_size=4) | st.just(b"HFB1"), st.integers(0, 2**32 - 1) | st.integers(0, 400_000))
def test_any_start_is_read_or_refused(magic: bytes, size: int) -> None:
    good = magic == b"HFB1" and size <= answer.MAX_HEADER
    with contextlib.nullcontext() if good else pytest.raises(TargetError):
        assert answer.header_size(magic + struct.pack("<I", size)) == size


def test_a_good_answer_is_read() -> None:
    text = json.dumps({"ok": True, "rows": 3, "width": 1, "classes": ["no", "yes"], "blobs": [24]}).encode()
    assert answer.header_size(struct.pack("<4sI", b"HFB1", len(text))) == len(text)
    header = answer.read_header(text)
    assert answer.expected_size(header, 3) == 24
    assert answer.scores_of(np.arange(3.0).tobytes(), 3).tolist() == [[0.0], [1.0], [2.0]]
    assert answer.classes_of(header, 1) == ("no", "yes")


@pytest.mark.parametrize(
    ("report", "ended_by_us", "reason"),
    [
        ({"violation": {"word": "network", "detail": "socket()"}, "signal": 9}, False, "network"),
        ({"signal": 24, "cpu_s": 0.1}, False, "time"),
        ({"signal": 9, "cpu_s": 700.0}, False, "time"),
        ({"signal": 9, "cpu_s": 1.0}, False, "memory"),
        ({"signal": 9, "cpu_s": 1.0}, True, "output"),
        ({"signal": 6, "cpu_s": 1.0, "peak_bytes": 4 * 2**30}, False, "memory"),
        ({"signal": 11, "cpu_s": 1.0, "peak_bytes": 2**20}, False, "crash"),
        ({"code": 0, "cpu_s": 1.0}, False, "crash"),
        ({}, False, "crash"),
    ],
)
def test_endings(report: dict[str, object], ended_by_us: bool, reason: str) -> None:
    fault = Ending(report, "last words", ended_by_us).error(Limits())
    assert fault.reason == reason
    assert fault.fix


def test_every_word_has_an_error() -> None:
    for reason in TargetError.REASONS.values():
        assert target_error(reason, "why").reason == reason
    for reason in SandboxError.REASONS.values():
        assert sandbox_error(reason, "what", "why", "do").reason == reason


@given(st.text())
def test_words_become_one_printable_line(text: str) -> None:
    found = printable(text)
    assert found.isprintable()
    assert len(found) <= 600

"""R objects: data is clean, what runs is not, and every byte is accounted for."""

from __future__ import annotations

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Window
from holdfast.scan import scan
from holdfast.scan.inspect import Inspector


def number(*values: int) -> bytes:
    return struct.pack(f">{len(values)}i", *values)


def text(value: str) -> bytes:
    return number(0x40009, len(value)) + value.encode()


def symbol(name: str) -> bytes:
    return number(1) + text(name)


NULL = number(254)
REALS = number(14, 2) + struct.pack(">2d", 1.0, 2.0)
NAMED = (
    number(0x20E, 2) + struct.pack(">2d", 1.0, 2.0) + number(0x402) + symbol("names") + number(16, 1) + text("a") + NULL
)
CALL = number(6) + symbol("lm") + NULL
GLOBAL = number(253)


def stream(item: bytes, version: int = 3) -> bytes:
    head = b"X\n" + number(version, 0x40301, 0x30500)
    return head + (number(5) + b"UTF-8" if version == 3 else b"") + item


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        (REALS, "clean"),
        (NAMED, "clean"),
        (number(19, 2) + REALS + NAMED, "clean"),
        (number(19, 2) + symbol("x") + number(0x1FF), "clean"),
        (number(238) + number(2) + symbol("compact_intseq") + NULL + REALS + NULL, "clean"),
        (number(238) + number(2) + symbol("mmap_real") + NULL + REALS + NULL, "blocked"),
        (CALL, "review"),
        (number(19, 1) + number(5) + GLOBAL + CALL, "blocked"),
        (number(5) + GLOBAL + CALL, "blocked"),
        (number(3) + GLOBAL + NULL, "blocked"),
        (number(4, 0) + NULL * 4, "blocked"),
        (number(21, 1), "blocked"),
        (number(22) + NULL * 2, "blocked"),
        (number(249, 0, 1) + text("stats"), "review"),
        (number(99), "unknown"),
        (REALS + b"x", "unknown"),
        (number(14, 1000), "unknown"),
        (number(14, -2), "unknown"),
        (number(14, -1, 1, 0), "unknown"),
        (number(19, 2) + REALS, "unknown"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_items(tmp_path, item, wanted, pack):
    data = pack(stream(item))
    path = tmp_path / "m.rds"
    path.write_bytes(data)
    report = scan(path)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
    assert report.verdict == wanted


def test_both_versions_are_read():
    for version in (2, 3):
        seen = Inspector().inspect(Window.whole(stream(REALS, version)))
        assert (seen.format, seen.facts, seen.unread) == ("rds", [], 0)


@given(st.binary(max_size=60), st.integers(0, 80))
def test_no_bytes_make_the_walk_fail(noise, at):
    data = stream(number(19, 2) + NAMED + CALL)
    data = data[:at] + noise + data[at + len(noise) :]
    assert Inspector().inspect(Window.whole(data), kind="rds").size == len(data)

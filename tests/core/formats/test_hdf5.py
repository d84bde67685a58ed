"""HDF5 files put together by hand: followed to their end, or refused with a reason."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.hdf5 import Hdf5, read_hdf5
from holdfast.scan.inspect import Inspector

NOWHERE = (1 << 64) - 1


def header(*messages: tuple[int, bytes]) -> bytes:
    """An object header of version 1."""
    body = b"".join(struct.pack("<HHB3x", kind, len(content), 0) + content for kind, content in messages)
    return struct.pack("<BxHLL4x", 1, len(messages), 1, len(body)) + body


def pad(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)


def attribute(name: str, text: str) -> tuple[int, bytes]:
    kind = struct.pack("<B3xL", 0x13, len(text))
    space = struct.pack("<BB6x", 1, 0)
    raw = name.encode() + b"\0"
    head = struct.pack("<BxHHH", 1, len(raw), len(kind), len(space))
    return 12, pad(head + pad(raw) + pad(kind) + pad(space) + text.encode())


def space(*shape: int) -> tuple[int, bytes]:
    return 1, struct.pack("<BB6x", 1, len(shape)) + b"".join(struct.pack("<Q", size) for size in shape)


FLOAT = (3, struct.pack("<B3xL", 0x11, 4) + bytes(12) + bytes(4))


def layout(at: int, size: int) -> tuple[int, bytes]:
    return 8, pad(struct.pack("<BBQQ", 3, 1, at, size))


def filtered(number: int) -> tuple[int, bytes]:
    return 11, pad(struct.pack("<BB6xHHHH", 1, 1, number, 0, 0, 0))


def external(target: str) -> tuple[int, bytes]:
    value = b"\0" + target.encode() + b"\0/x\0"
    return 6, pad(struct.pack("<BBBB1s", 1, 0x08, 64, 1, b"n") + struct.pack("<H", len(value)) + value)


def hard(at: int) -> tuple[int, bytes]:
    return 6, pad(struct.pack("<BBB1sQ", 1, 0, 1, b"n", at))


def file(root: bytes, rest: bytes = b"", *, end: int | None = None) -> bytes:
    """A superblock of version 2, the root right behind it, then whatever the test puts there."""
    size = 48 + len(root) + len(rest)
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBxQQQQ", 2, 8, 8, 0, NOWHERE, end or size, 48)
    return head.ljust(48, b"\0") + root + rest


def follow(data: bytes) -> Hdf5:
    found = Hdf5()
    read_hdf5(Window.whole(data), found)
    return found


def look(data: bytes):
    from holdfast.scan.rules import judge, verdict_of

    seen = Inspector().inspect(Window.whole(data))
    assert seen.format == "hdf5"
    assert seen.size == len(data)
    verdict = str(verdict_of(judge(seen.facts)))
    assert verdict != "clean" or not seen.unread
    return verdict, seen


def with_array(*messages: tuple[int, bytes], shape: tuple[int, ...] = (4,), size: int = 16, data: bytes = b"\1" * 16):
    """A root that links one dataset, whose bytes come last."""
    root = header(hard(0))
    at = 48 + len(root)
    array = header(space(*shape), FLOAT, layout(0, size), *messages)
    array = header(space(*shape), FLOAT, layout(at + len(array), size), *messages)
    return file(header(hard(at)), array + data)


def test_attributes_are_read():
    found = follow(file(header(attribute("keras_version", "3.4.0"))))
    assert [text[:2] for text in found.texts] == [("keras_version", "3.4.0")]


def test_arrays_are_skipped_by_their_size():
    verdict, seen = look(with_array())
    assert (verdict, seen.skipped, seen.unread) == ("clean", 16, 0)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (file(header(attribute("model_config", '{"class_name": "Dense", "config": {}}'))), "clean"),
        (file(header(attribute("model_config", '{"class_name": "Lambda", "config": {}}'))), "blocked"),
        (file(header(attribute("training_config", '{"loss": {"class_name": "__lambda__"}}'))), "blocked"),
        (file(header(external("/etc/passwd"))), "blocked"),
        (with_array((7, bytes(24))), "blocked"),
        (with_array(filtered(1)), "clean"),
        (with_array(filtered(32004)), "unknown"),
        (with_array(shape=(1 << 20, 1 << 20)), "blocked"),
        (with_array(data=b"\1" * 16 + b"hidden"), "unknown"),
        (with_array(data=b"\1" * 16 + bytes(8)), "clean"),
        (with_array(data=b"\1" * 8), "unknown"),
        (file(header(hard(48))), "clean"),
        (file(header((21, struct.pack("<BBQQ", 0, 0, 64, 64)))), "unknown"),
        (file(header(), end=4096), "unknown"),
        (file(header()) + b"x", "unknown"),
    ],
)
def test_what_a_file_says(data, wanted):
    assert look(data)[0] == wanted


def test_what_was_found_before_a_fault_is_kept():
    config = attribute("model_config", '{"class_name": "Lambda"}')
    assert look(file(header(config, hard(1 << 40))))[0] == "blocked"


def test_circles_end():
    tree = b"TREE\0\1" + struct.pack("<HQQ", 1, NOWHERE, NOWHERE)
    root = header((17, struct.pack("<QQ", 0, 0)))
    heap_at = 48 + len(root)
    heap = b"HEAP" + bytes(4) + struct.pack("<QQQ", 8, 0, heap_at + 32) + bytes(8)
    tree_at = heap_at + len(heap)
    data = file(header((17, struct.pack("<QQ", tree_at, heap_at))), heap + tree + struct.pack("<QQQ", 0, tree_at, 0))
    with pytest.raises(Fault, match="circles"):
        follow(data)


SOUND = with_array(attribute("model_config", '{"class_name": "Dense"}'), filtered(1))


@given(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=12))
def test_no_change_makes_the_reader_fail(at, noise):
    data = SOUND[:at] + noise + SOUND[at + len(noise) :]
    seen = Inspector().inspect(Window.whole(data), kind="hdf5")
    assert seen.size == len(data)


@given(st.integers(0, len(SOUND) - 1))
def test_a_cut_file_is_never_whole(size):
    with pytest.raises(Fault):
        follow(SOUND[:size])

"""HDF5 files of the newer kind: many links, many attributes and chunks, written by hand and by h5py."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.hdf5 import Hdf5, read_hdf5
from holdfast.scan.inspect import Inspector
from holdfast.scan.rules import judge, verdict_of

NOWHERE = (1 << 64) - 1
ROOT = 48
FIRST = 512
"""Bytes of the heap's only block."""
LAMBDA = '{"class_name": "Lambda", "config": {}}'


def file(root: list[tuple[int, bytes]], rest: bytes) -> bytes:
    """A superblock, a root with these messages in 256 bytes, and what its messages point to, from byte 304 on."""
    body = b"".join(struct.pack("<BHB", kind, len(content), 0) + content for kind, content in root)
    header = (b"OHDR\2\0" + bytes([252 - 7]) + body.ljust(252 - 7, b"\0")).ljust(256, b"\0")
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBxQQQQ", 2, 8, 8, 0, NOWHERE, 304 + len(rest), ROOT)
    return head.ljust(48, b"\0") + header + rest


def tree(kind: int, at: int, rows: list[bytes], node_size: int = 512) -> bytes:
    """A B-tree of one leaf, at `at`."""
    leaf = b"BTLF\0" + bytes([kind]) + b"".join(rows) + b"sums"
    root = (at + 38, len(rows), len(rows)) if rows else (NOWHERE, 0, 0)
    size = len(rows[0]) if rows else 17
    head = b"BTHD\0" + bytes([kind]) + struct.pack("<LHHBBQHQ", node_size, size, 0, 100, 40, *root) + b"sums"
    return head + leaf.ljust(node_size, b"\0")


def deep_tree(kind: int, at: int, rows: list[bytes], node_size: int) -> bytes:
    """The same in two levels: an inner node with the middle record, and two leaves."""
    middle = len(rows) // 2
    nodes = [b"BTLF\0" + bytes([kind]) + b"".join(part) + b"sums" for part in (rows[:middle], rows[middle + 1 :])]
    places = [at + 38 + node_size * number for number in (1, 2)]
    pointers = b"".join(
        struct.pack("<QB", place, count) for place, count in zip(places, (middle, len(rows) - middle - 1), strict=True)
    )
    nodes.insert(0, b"BTIN\0" + bytes([kind]) + rows[middle] + pointers + b"sums")
    head = (
        b"BTHD\0" + bytes([kind]) + struct.pack("<LHHBBQHQ", node_size, len(rows[0]), 1, 100, 40, at + 38, 1, len(rows))
    )
    return head + b"sums" + b"".join(node.ljust(node_size, b"\0") for node in nodes)


def heap(at: int, objects: list[bytes], bits: int, id_size: int) -> tuple[bytes, list[bytes]]:
    """A heap of one direct block, at `at`, and the ids of its objects."""
    wide = bits // 8
    block, ids = b"FHDB\0" + struct.pack("<Q", at) + bytes(wide) + b"sums", []
    for content in objects:
        ids.append(
            (b"\0" + len(block).to_bytes(wide, "little") + struct.pack("<H", len(content))).ljust(id_size, b"\0")
        )
        block += content
    head = b"FRHP\0" + struct.pack("<HHBLQQQQ", id_size, 0, 2, 4096, 0, NOWHERE, 0, NOWHERE) + bytes(64)
    head += struct.pack("<HQQHHQH", 4, FIRST, 65536, bits, 1, at + 146, 0) + b"sums"
    return head + block.ljust(FIRST, b"\0"), ids


def attribute(name: str, text: str) -> bytes:
    raw, kind, space = name.encode() + b"\0", struct.pack("<B3xL", 0x13, len(text)), struct.pack("<BBBB", 2, 0, 0, 0)
    return struct.pack("<BBHHHB", 3, 0, len(raw), len(kind), len(space), 0) + raw + kind + space + text.encode()


def external(target: str) -> bytes:
    value = b"\0" + target.encode() + b"\0/x\0"
    return struct.pack("<BBBB1s", 1, 0x08, 64, 1, b"n") + struct.pack("<H", len(value)) + value


def dense(kind: int, objects: list[bytes], grow: Callable[..., bytes] = tree, **more: Any) -> bytes:
    """A root whose attributes (21) or links (2) lie in a heap, named by a B-tree behind it."""
    bits, id_size = (40, 8) if kind == 21 else (32, 7)
    content, ids = heap(304, objects, bits, id_size)
    at = 304 + len(content)
    rows = [one + b"\0\0\0\0\0hash" if kind == 21 else b"hash" + one for one in ids]
    root = (kind, struct.pack("<BBQQ", 0, 0, 304, at))
    return file([root], content + grow(8 if kind == 21 else 5, at, rows, **more))


def verdict(data: bytes) -> str:
    seen = Inspector().inspect(Window.whole(data))
    assert (seen.format, seen.size) == ("hdf5", len(data))
    return str(verdict_of(judge(seen.facts)))


NAMES = [attribute(f"n{number}", f"value {number}") for number in range(9)]


def test_attributes_in_a_heap_are_read() -> None:
    found = Hdf5()
    read_hdf5(Window.whole(dense(21, NAMES)), found)
    assert sorted(text[:2] for text in found.texts) == [(f"n{number}", f"value {number}") for number in range(9)]
    assert verdict(dense(21, NAMES)) == "clean"


@pytest.mark.parametrize("grow", [{}, {"grow": deep_tree, "node_size": 128}], ids=["flat", "deep"])
def test_what_lies_in_a_heap_counts(grow: dict[str, Any]) -> None:
    assert verdict(dense(21, NAMES, **grow)) == "clean"
    assert verdict(dense(21, [*NAMES[:4], attribute("model_config", LAMBDA)], **grow)) == "blocked"
    assert verdict(dense(2, [external("/etc/passwd")] * 3, **grow)) == "blocked"


def test_objects_that_nothing_names_are_not_clean() -> None:
    content, ids = heap(304, NAMES, 40, 8)
    at = 304 + len(content)
    rows = [one + bytes(5) + b"hash" for one in ids[:-1]]
    data = file([(21, struct.pack("<BBQQ", 0, 0, 304, at))], content + tree(8, at, rows))
    assert verdict(data) == "unknown"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"FRHP\0", b"FRHQ\0"),
        (b"FHDB\0", b"FHDB\1"),
        (b"BTHD\0", b"BTHX\0"),
        (b"BTLF\0\x08", b"BTLF\0\x05"),
        (struct.pack("<HQQ", 4, FIRST, 65536), struct.pack("<HQQ", 4, FIRST, 65535)),
        (struct.pack("<HQQ", 4, FIRST, 65536), struct.pack("<HQQ", 4, 0, 65536)),
        (struct.pack("<QHQ", 304 + 146 + FIRST + 38, 9, 9), struct.pack("<QHQ", 304 + 146 + FIRST + 38, 9, 10)),
        (struct.pack("<QHQ", 304 + 146 + FIRST + 38, 9, 9), struct.pack("<QHQ", 304, 9, 9)),
    ],
)
def test_broken_heaps_and_trees_are_unknown(old: bytes, new: bytes) -> None:
    data = dense(21, NAMES)
    assert data.count(old) == 1
    assert verdict(data.replace(old, new)) == "unknown"


def test_a_heap_serves_one_object() -> None:
    message = (21, struct.pack("<BBQQ", 0, 0, 304, 304 + 146 + FIRST))
    data = dense(21, NAMES)
    assert verdict(file([message, message], data[304:])) == "unknown"


def chunked(kind: bytes, index: bytes, shape: tuple[int, ...] = (4,)) -> bytes:
    """A root that is an array of float32 in chunks of 2, by an index at 304."""
    space = struct.pack("<BBBB", 2, len(shape), 0, 1) + b"".join(struct.pack("<Q", size) for size in shape)
    layout = struct.pack("<BBBBBBB", 4, 2, 0, 2, 1, 2, 4) + kind + struct.pack("<Q", 304)
    return file([(8, layout), (1, space), (3, struct.pack("<B3xL", 0x11, 4) + bytes(12))], index)


def test_chunks_of_a_fixed_array() -> None:
    head = b"FAHD\0\0" + struct.pack("<BBQQ", 8, 10, 2, 304 + 28) + b"sums"
    block = b"FADB\0\0" + struct.pack("<QQQ", 304, 304 + 28 + 34, 304 + 28 + 42) + b"sums"
    data = chunked(b"\3\x0a", head + block + b"\1" * 16)
    found = Hdf5()
    read_hdf5(Window.whole(data), found)
    assert sorted(found.arrays) == [(366, 374), (374, 382)]
    assert verdict(data) == "clean"
    assert verdict(chunked(b"\3\x0a", head + block + b"\1" * 24)) == "unknown"
    assert verdict(data.replace(b"FADB", b"FADC")) == "unknown"
    assert verdict(data.replace(struct.pack("<BBQ", 8, 10, 2), struct.pack("<BBQ", 8, 10, 1 << 40))) == "unknown"


def test_chunks_without_an_index_and_alone() -> None:
    assert verdict(chunked(b"\2", b"\1" * 16)) == "clean"
    assert verdict(chunked(b"\2", b"\1" * 24)) == "unknown"
    assert verdict(chunked(b"\1", b"\1" * 8, (2,))) == "clean"
    assert verdict(chunked(b"\1", b"\1" * 4, (2,))) == "unknown"
    assert verdict(chunked(b"\6", b"\1" * 8, (2,))) == "unknown"


@given(st.data())
def test_no_change_makes_the_reader_fail(data: st.DataObject) -> None:
    content = bytearray(dense(21, NAMES))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(48, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = Hdf5()
    try:
        read_hdf5(Window.whole(bytes(content)), found)
        fault = ""
    except Fault as caught:
        fault = caught.kind
    except (ValueError, IndexError, struct.error):
        fault = "stumbled"
    assert fault in {"", "malformed", "truncated", "unsupported", "budget", "stumbled"}
    seen = Inspector().inspect(Window.whole(bytes(content)))
    assert seen.size == len(content)


def make(h5: Any, path: Path, what: str) -> None:
    """One file by the library itself, in its newest form."""
    rng = np.random.default_rng(2)
    with h5.File(path, "w", libver="latest", track_order=what == "order") as out:
        if what in ("links", "order"):
            for number in range(700):
                out.create_group(f"group {number}")
        elif what == "attributes":
            for number in range(60):
                out.attrs[f"n{number}"] = np.bytes_("v" * (number * 200 + 1))
        elif what == "compressed":
            out.create_dataset("x", data=rng.normal(size=(40, 30)), chunks=(7, 9), compression="gzip", shuffle=True)
        else:
            shape: tuple[int, ...] = (50, 40) if what == "tree" else (3000,)
            most = shape if what == "paged" else (None,) * len(shape)
            out.create_dataset("x", data=rng.normal(size=shape), chunks=(1,) * len(shape), maxshape=most)


@pytest.mark.parametrize("what", ["links", "order", "attributes", "compressed", "growing", "paged", "tree"])
def test_what_h5py_writes_is_followed_to_its_end(tmp_path: Path, what: str) -> None:
    h5 = pytest.importorskip("h5py")
    path = tmp_path / "x.h5"
    make(h5, path, what)
    found = Hdf5()
    read_hdf5(Window.whole(path.read_bytes()), found)
    assert verdict(path.read_bytes()) == "clean"
    with h5.File(path) as out:
        assert sorted(text[0] for text in found.texts) == sorted(out.attrs)
        if "x" in out:
            told = [out["x"].id.get_chunk_info(number) for number in range(out["x"].id.get_num_chunks())]
            assert sorted(found.arrays) == sorted((one.byte_offset, one.byte_offset + one.size) for one in told)

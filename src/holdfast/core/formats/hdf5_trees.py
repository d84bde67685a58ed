"""Version 2 B-trees of HDF5: records of one size, in leaves and in the nodes above them.

Source: HDF5 File Format Specification 3.0, III.A.2. Widths of counts follow from the node size, as in the library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from holdfast.core.formats.buffers import Fault
from holdfast.core.formats.hdf5_source import UNDEFINED, Source, width_of

MAX_DEPTH: Final = 16
MAX_NODE: Final = 1 << 24
_HEAD, _FRAME = 38, 10
"""Bytes of the header, and of a node's signature, version, type and checksum together."""


def records(source: Source, at: int, kinds: tuple[int, ...]) -> Iterator[bytes]:
    """Every record of the tree, in no order. Raises Fault where it is no tree of one of these kinds."""
    head = source.take(at, _HEAD)
    node_size, size, depth = struct.unpack_from("<LHH", head, 6)
    root, count, total = struct.unpack_from("<QHQ", head, 16)
    if head[:5] != b"BTHD\0" or head[5] not in kinds:
        raise Fault("malformed", "no B-tree of its kind", at)
    if not size or not _FRAME + size <= node_size <= MAX_NODE or depth > MAX_DEPTH:
        raise Fault("malformed", "a B-tree of impossible measures", at)
    pointers = _pointers(node_size, size, depth)
    waiting, seen = [(root, count, depth)] if root != UNDEFINED else [], set[int]()
    while waiting:
        node, count, level = waiting.pop()
        if node in seen:
            raise Fault("malformed", "a B-tree that runs in circles", node)
        seen.add(node)
        used = _FRAME + count * size + ((count + 1) * pointers[level] if level else 0)
        if used > node_size:
            raise Fault("malformed", "a B-tree node that holds more than it can", node)
        raw = source.take(node, used)
        if raw[:5] != (b"BTIN\0" if level else b"BTLF\0") or raw[5] != head[5]:
            raise Fault("malformed", "no B-tree node of its kind", node)
        end = 6 + count * size
        total -= count
        yield from (raw[pos : pos + size] for pos in range(6, end, size))
        for pos in range(end, used - 4, pointers[level]) if level else ():
            inside = int.from_bytes(raw[pos + 8 : pos + 8 + width_of((node_size - _FRAME) // size)], "little")
            waiting.append((int.from_bytes(raw[pos : pos + 8], "little"), inside, level - 1))
    if total:
        raise Fault("malformed", "a B-tree that does not hold what it says", at)


def _pointers(node_size: int, size: int, depth: int) -> list[int]:
    """Bytes of a pointer to a child, by the level of the node that holds it: address, records in it, records below."""
    most = (node_size - _FRAME) // size
    narrow, below, found = width_of(most), most, [0]
    for level in range(1, depth + 1):
        found.append(8 + narrow + (width_of(below) if level > 1 else 0))
        inside = max(0, (node_size - _FRAME - found[-1]) // (size + found[-1]))
        below = (inside + 1) * below + inside
    return found

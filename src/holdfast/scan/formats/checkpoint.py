"""TensorFlow checkpoints: an index of tensors, and data files that hold nothing but their bytes.

Source: tensor_bundle.proto (BundleHeaderProto, BundleEntryProto), types.proto, fingerprint.proto. The index of a
checkpoint called `variables` is `variables.index`; its tensors lie in `variables.data-00000-of-00001` and so on.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.protobuf import BYTES, VARINT, Field, fields
from holdfast.core.formats.sstable import entries
from holdfast.scan.formats.signs import MAX_TEXT, read_signs
from holdfast.scan.inspect import Inspector, Seen

MAX_SHARDS: Final = 100_000
MAX_BITS: Final = 1 << 66
_TEXT: Final = 7
_BITS: Final = {
    **dict.fromkeys((4, 6, 10, 11, 12, 24, 25, 26, 27, 28), 8),
    **dict.fromkeys((5, 14, 15, 16, 17, 19), 16),
    **dict.fromkeys((1, 3, 13, 22), 32),
    **dict.fromkeys((2, 8, 9, 23), 64),
    18: 128,
}
"""Bits of an element, by DataType. Resources and variants (20, 21) have none."""


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """The header says how many data files there are; every other entry is a tensor in one of them."""
    shards = 0
    for number, (key, value) in enumerate(entries(window)):
        inspector.enter()
        found = {field.number: field for field in fields(value)}
        if (number == 0) != (key == b""):
            raise Fault("malformed", "a checkpoint that does not begin with its header", 0)
        if number == 0:
            shards = found[1].value if 1 in found else 0
            if shards > MAX_SHARDS:
                raise Fault("budget", f"{shards:,} data files", 0)
        else:
            _tensor(value, found, shards, seen, value.start - window.start)
    if not shards:
        raise Fault("malformed", "a checkpoint without data files", 0)
    seen.parsed = len(window)


def _tensor(entry: Window, found: dict[int, Field], shards: int, seen: Seen, at: int) -> None:
    """BundleEntryProto: dtype (1), shape (2), shard (3), offset (4), size (5); slices (7) have entries of their own."""
    kind, shard, offset, size = (found[number].value if number in found else 0 for number in (1, 3, 4, 5))
    if shard >= shards:
        raise Fault("malformed", "a tensor in a data file that does not exist", at)
    sized = _size(entry, found, kind)
    if kind != _TEXT and sized is not None and size != sized and 7 not in found:
        raise Fault("malformed", "a tensor whose bytes are not those of its shape", at)
    known = kind == _TEXT or sized is not None
    place = f".data-{shard:05d}-of-{shards:05d}"
    if seen.claims.add(place, offset, size if known else None, appended=True):
        seen.add("external-file", f"*{place}", at)


def _size(entry: Window, found: dict[int, Field], kind: int) -> int | None:
    """Bytes of a tensor by its shape, TensorShapeProto: dim (2) with its size (1)."""
    bits = _BITS.get(kind)
    if bits is None:
        return None
    shape = entry.part(found[2].offset, found[2].size) if 2 in found else entry.part(0, 0)
    for field in fields(shape):
        if field.number == 2 and field.wire == BYTES:
            sizes = [inner.value for inner in fields(shape.part(field.offset, field.size)) if inner.number == 1]
            bits *= sizes[-1] if sizes else 0
            if bits > MAX_BITS:
                return None
    return -(-bits // 8)


def read_fingerprint(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """fingerprint.pb, which TensorFlow writes beside a SavedModel: numbers, and the version that wrote them."""
    for field in fields(window):
        if field.wire not in (VARINT, BYTES):
            raise Fault("malformed", "a fingerprint that is none", 0)
    read_signs(window.read(0, MAX_TEXT).decode("latin-1"), seen)
    seen.parsed = len(window)

"""What a file is, by its bytes alone: a name or an extension is a claim of whoever wrote the file.

Format ids are stable. A file that is several things at once is named after what a loader would most readily run;
the scan room reports the rest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from holdfast.core.formats.buffers import Fault, Window, open_buffer
from holdfast.core.formats.containers import COMPRESSIONS, peek
from holdfast.core.formats.containers_zip import find_end, read_zip
from holdfast.core.formats.pickle.opcodes import CODES, READERS, Op
from holdfast.core.formats.protobuf import BYTES, VARINT, fields
from holdfast.core.formats.sstable import is_sstable

MAX_HEADER: Final = 100_000_000
"""Largest safetensors header; the reference implementation's own limit."""
_HEAD: Final = 4096
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x93NUMPY", "npy"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"GGUF", "gguf"),
    (b"CBM1", "catboost-cbm"),
    (b"binf", "xgboost-binary"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\7", "rar"),
    (b"MSCF\0\0\0\0", "cab"),
    (b"\x7fELF", "executable"),
    (b"MZ", "executable"),
    (b"\xfe\xed\xfa\xcf", "executable"),
    (b"\xcf\xfa\xed\xfe", "executable"),
    (b"\xca\xfe\xba\xbe", "executable"),
    (b"\xfe\xed\xfa\xce", "executable"),
    (b"\xce\xfa\xed\xfe", "executable"),
    (b"\0asm", "executable"),
    (b"dex\n03", "executable"),
    (b"\x1bLua", "executable"),
    (b"BC\xc0\xde", "executable"),
    (b"!<arch>\n", "executable"),
    (b"\x50\xed\x55\xba", "executable"),
    (b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F", "executable"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"SQLite format 3\0", "sqlite"),
    (b"X\n\0\0\0", "rds"),
    (b"B\n\2\0\0\0", "rds"),
    (b"B\n\3\0\0\0", "rds"),
    (b"RDX", "rds"),
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\x89PNG\r\n\x1a\n", "other"),
    (b"\xff\xd8\xff", "other"),
    (b"GIF8", "other"),
    (b"%PDF-", "other"),
)
_TORCH_MAGIC: Final = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of torch's oldest file layout, behind its PROTO."""
_ACTS: Final = frozenset((Op.REDUCE, Op.BUILD, Op.INST, Op.OBJ, Op.NEWOBJ, Op.NEWOBJ_EX, Op.STOP))
_MLMODEL: Final = re.compile(rb"^flavors:\s*$", re.MULTILINE)
_FINGERPRINT: Final = {(number, VARINT) for number in (1, 2, 3, 4)}
"""Four checksums, of which a checkpoint's (5) is left out where there is none; a version and an id may follow."""
_NAME: Final = re.compile(r"[\w.<>]+", re.ASCII)


def sniff(source: Path | bytes) -> str:
    """The format id of a file, or of bytes taken as a whole file.

    Raises FormatError HF-FMT-001 where the file cannot be opened.
    """
    if isinstance(source, bytes):
        return sniff_window(Window.whole(source))
    with open_buffer(source) as data:
        return sniff_window(Window.whole(data))


def sniff_window(window: Window) -> str:
    """The format id of the bytes in a window."""
    head = window.read(0, _HEAD)
    if not head:
        return "empty"
    found = _binary(window, head) or _texts(window, head) or _protobuf(window) or _loose(window, head)
    return found or ("other" if _is_text(window) else "binary")


def _binary(window: Window, head: bytes) -> str | None:
    if head[0] == Op.PROTO and len(head) > 1 and head[1] <= 16:
        return _pickle_kind(window, head)
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return _zip_kind(window)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return _compressed_kind(window, name) if name in COMPRESSIONS else name
    return _further_in(window, head)


def _further_in(window: Window, head: bytes) -> str | None:
    """Formats whose sign is not their first bytes."""
    if _is_bytecode(head):
        return "executable"
    if head[257:262] == b"ustar":
        return "tar"
    if head[4:8] == b"TFL3":
        return "tflite"
    if head[4:8] == b"\2\0\0\0" and head[64:68] == b"\xef\xbe\xad\xde":
        return "coreml-weights"
    if len(window) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= MAX_HEADER:
        return "safetensors"
    return None


def _is_bytecode(head: bytes) -> bool:
    """A compiled Python module: a number of version 3, flags, and marshalled code behind sixteen bytes."""
    return (
        head[2:4] == b"\r\n" and 0x0B <= head[1] <= 0x0F and head[5:8] == b"\0\0\0" and head[16:17] in (b"c", b"\xe3")
    )


def _texts(window: Window, head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"{" and start[1:2] in b"iUIlL" and start[1:2]:
        return "xgboost-ubj" if b"learner" in head or b"version" in head else "ubj"
    if start.startswith(b"tree\n") and b"version=" in head[:64]:
        return "lightgbm-text"
    if start[:1] in (b"{", b"["):
        return _json_kind(window, head)
    if start[:1] == b"<":
        return _xml_kind(head)
    return "mlmodel" if _MLMODEL.search(head) and _is_text(window) else None


def _pickle_kind(window: Window, head: bytes) -> str:
    if head[2:].startswith(_TORCH_MAGIC):
        return "torch-legacy"
    return "joblib" if window.find(b"NumpyArrayWrapper", 0, 4 << 20) >= 0 else "pickle"


def _zip_kind(window: Window) -> str:
    """What a zip is by the names in it. For routing only: every member is judged by its own bytes."""
    try:
        names = [entry.name for entry in read_zip(window).entries]
    except Fault:
        return "zip"
    tops = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in tops and any(name.endswith(("/version", "/byteorder", "/data.pkl")) for name in names):
        return "torch-zip"
    if "archive_format" in tops and any(name.endswith("/archive_version") for name in names):
        return "pt2"
    if "schema.json" in names:
        return "skops"
    if {"config.json", "metadata.json"} <= set(names):
        return "keras-zip"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "zip"


def _compressed_kind(window: Window, kind: str) -> str:
    """joblib compresses whole pickles, without a sign outside that it did."""
    inside = peek(window, kind)
    return "joblib" if inside and _is_pickle(Window.whole(inside), inside) else kind


def compression_of(window: Window) -> str | None:
    """The compression of a stream, also where `sniff` already looked through it and said joblib."""
    head = window.read(0, 8)
    for magic, name in _MAGIC:
        if name in COMPRESSIONS and head.startswith(magic):
            return name
    return next((name for name in ("zlib", "lzma") if _loosely(window, head, name)), None)


def _loosely(window: Window, head: bytes, kind: str) -> bool:
    """zlib and lzma streams have no magic, only headers that rarely occur otherwise, and must decompress."""
    if kind == "zlib":
        fits = len(head) > 2 and head[0] & 0x0F == 8 and head[0] >> 4 <= 7 and int.from_bytes(head[:2], "big") % 31 == 0
    else:
        fits = head[:3] == b"]\0\0"
    return fits and bool(peek(window, kind, 16))


def _json_kind(window: Window, head: bytes) -> str | None:
    if not _is_text(window, limit=1 << 16):
        return None
    if b'"learner"' in head:
        return "xgboost-json"
    early = window.read(0, 1 << 20)
    if b'"model_info"' in early and (b'"oblivious_trees"' in early or b'"features_info"' in early):
        return "catboost-json"
    if b'"nbformat"' in early or b'"nbformat"' in window.read(len(window) - _HEAD, _HEAD):
        return "notebook"
    return "json" if _is_json(window, early) else None


def _is_json(window: Window, early: bytes) -> bool:
    if len(early) < len(window):
        return True
    try:
        json.loads(early)
    except (ValueError, RecursionError):
        return False
    return True


def _xml_kind(head: bytes) -> str | None:
    lowered = head.lower()
    if b"<pmml" in lowered:
        return "pmml"
    if b"<net" in lowered and b"<layer" in lowered:
        return "openvino"
    return "xml" if lowered.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<!doctype")) else None


def _protobuf(window: Window) -> str | None:
    """ONNX and SavedModel have no magic: they are what their top-level fields say, to the last byte."""
    seen: dict[tuple[int, int], int] = {}
    try:
        for count, field in enumerate(fields(window)):
            seen[field.number, field.wire] = seen.get((field.number, field.wire), 0) + 1
            if count > 10_000:
                return None
    except Fault:
        return None
    if _FINGERPRINT <= set(seen) <= _FINGERPRINT | {(5, VARINT), (6, BYTES), (7, BYTES)} and len(window) <= _HEAD:
        return "savedmodel-fingerprint"
    numbers = {number for number, _ in seen}
    if (7, BYTES) in seen and (1, VARINT) in seen and numbers <= {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}:
        return "onnx"
    if set(seen) == {(1, VARINT), (2, BYTES)}:
        return "savedmodel"
    return _coreml(seen) or _graph(window, seen)


def _coreml(seen: dict[tuple[int, int], int]) -> str | None:
    """A version, a description, and one model of the kinds that are numbered from 200 on."""
    kinds = [number for number, wire in seen if number >= 200 and wire == BYTES]
    frame = {(1, VARINT), (2, BYTES), (10, VARINT)}
    rest = {key for key in seen if key[0] < 200}
    return "coreml" if len(kinds) == 1 and (1, VARINT) in seen and rest <= frame and kinds[0] <= 3000 else None


def _graph(window: Window, seen: dict[tuple[int, int], int]) -> str | None:
    """A bare TensorFlow graph, or what Keras 2 writes beside a SavedModel: both lists of nodes, told by the first."""
    if (1, BYTES) not in seen or not set(seen) <= {(1, BYTES), (2, BYTES), (3, VARINT), (4, BYTES), (5, BYTES)}:
        return None
    first = next(field for field in fields(window) if field.number == 1)
    try:
        inner = {(field.number, field.wire) for field in fields(window.part(first.offset, first.size))}
    except Fault:
        return None
    if set(seen) == {(1, BYTES)} and {(2, VARINT), (5, BYTES)} <= inner:
        return "keras-metadata"
    numbers = {number for number, _ in inner}
    return "graphdef" if {(1, BYTES), (2, BYTES)} <= inner and numbers <= set(range(1, 9)) else None


def _loose(window: Window, head: bytes) -> str | None:
    """Formats without a signature: text pickles, zlib streams, archives behind other bytes."""
    if _is_pickle(window, head):
        return _pickle_kind(window, head)
    for kind in ("zlib", "lzma"):
        if _loosely(window, head, kind):
            return _compressed_kind(window, kind)
    if find_end(window) >= 0:
        return _zip_kind(window)
    return "checkpoint-index" if is_sstable(window) else None


def _is_pickle(window: Window, head: bytes) -> bool:
    """Whether the bytes run as a pickle: they decode, and import and do something or come to a STOP."""
    if head[0] == Op.PROTO:
        return len(head) > 1 and head[1] <= 16
    named, pos = False, window.start
    for count in range(_HEAD):
        if pos >= window.end or window.data[pos] not in CODES:
            return False
        op = Op(window.data[pos])
        argument: Any = None
        try:
            argument, pos = READERS[op](window.data, pos + 1, window.end) if op in READERS else (None, pos + 1)
        except Fault:
            return False
        if op in (Op.GLOBAL, Op.INST):
            if not all(_NAME.fullmatch(part) for part in argument):
                return False
            named = True
        named = named or op in (Op.STACK_GLOBAL, Op.EXT1, Op.EXT2, Op.EXT4)
        if op in _ACTS and (named or (op is Op.STOP and count > 0)):
            return True
    return True


def _is_text(window: Window, limit: int = 16 << 20) -> bool:
    """Whether the bytes are UTF-8 without control characters."""
    for pos in range(0, min(len(window), limit), 1 << 20):
        chunk = window.read(pos, (1 << 20) + 4)
        text = chunk.decode("utf-8", "ignore")
        if len(text.encode()) < len(chunk) - 4 or any(ord(char) < 9 or 13 < ord(char) < 27 for char in set(text)):
            return False
    return True

"""Frames between the caller and the worker: a JSON header and raw blobs whose lengths it names."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from typing import Any

MAGIC = b"HFB1"
_HEAD = struct.Struct("<4sI")


def encode(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """One frame, without the blobs' bytes, which follow it."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}, allow_nan=False).encode()
    return _HEAD.pack(MAGIC, len(text)) + text


def read(fd: int) -> tuple[dict[str, Any], list[bytes]] | None:
    """The caller's next frame; None when it hung up."""
    head = _exactly(fd, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    header = json.loads(bytes(_exactly(fd, _HEAD.unpack(head)[1])))
    return header, [_exactly(fd, size) for size in header["blobs"]]


def write(fd: int, data: bytes) -> None:
    """All of `data`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _exactly(fd: int, size: int) -> Any:
    """Up to `size` bytes, fewer only at the end; filled in place, since an artifact may be a gigabyte."""
    buffer = bytearray(size)
    view, done = memoryview(buffer), 0
    while done < size:
        count = os.readv(fd, [view[done:]])
        if count == 0:
            return bytes(buffer[:done])
        done += count
    return buffer

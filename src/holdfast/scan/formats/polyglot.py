"""Files that are two formats at once: one that readers look for at the end or elsewhere, behind another at the start.

Zip readers look at the end, tar readers at a checksum in the first block, HDF5 readers at every power of two from 512.
Formats that skip their numbers would never see them.
"""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.containers_zip import find_end
from holdfast.scan.inspect import Seen

ZIPS: Final = frozenset(("zip", "npz", "torch-zip", "pt2", "skops", "keras-zip", "tflite"))
"""Kinds whose own reader follows the directory at the end."""
HOLDERS: Final = ZIPS | {"tar", "hdf5"}
"""Kinds that may hold a whole HDF5 file as it is, where it is inspected as a member."""
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_BLOCK: Final = 512


def read_polyglot(window: Window, seen: Seen) -> None:
    """State what else the bytes are. Text and images say so themselves."""
    if any(fact.kind == "polyglot" for fact in seen.facts) or len(window) < 22:
        return
    if seen.format not in ZIPS and is_zip(window) and last_record(window) not in seen.archives:
        seen.add("polyglot", "an archive that ends where the file ends", find_end(window))
    if seen.format != "tar" and is_tar(window):
        seen.add("polyglot", "a tar archive too", 0)
    if seen.format not in HOLDERS:
        at = _later_hdf5(window)
        if at:
            seen.add("polyglot", "an HDF5 file behind other content", at)


def is_zip(window: Window) -> bool:
    """Whether a zip reader would find its directory, counted from the start of the file or from what is before it."""
    end, record = find_end(window), last_record(window)
    if len(record) < 22:
        return False
    size, offset = (int.from_bytes(record[at : at + 4], "little") for at in (12, 16))
    return any(window.read(at, 4) == b"PK\1\2" for at in (offset, end - size) if 0 <= at < end)


def last_record(window: Window) -> bytes:
    """The record that an archive ends with, without its comment; empty where there is none."""
    end = find_end(window)
    return window.read(end, 22) if end >= 0 else b""


def is_tar(window: Window) -> bool:
    """Whether the first block adds up to the checksum that it states, which is all that old tar files have."""
    head = window.read(0, _BLOCK)
    stated = head[148:156].strip(b" \0")
    if len(head) < _BLOCK or not stated or not head[0] or set(stated) - set(b"01234567"):
        return False
    return int(stated, 8) == sum(head) - sum(head[148:156]) + 8 * 32


def _later_hdf5(window: Window) -> int:
    at = _BLOCK
    while at < len(window):
        if window.read(at, len(_HDF5)) == _HDF5:
            return at
        at *= 2
    return 0

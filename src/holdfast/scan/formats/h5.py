"""HDF5 files as Keras writes them: configurations in attributes, links, and arrays that are skipped by their size."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.containers import BOMB_BYTES, BOMB_RATIO
from holdfast.core.formats.hdf5 import Dataset, Hdf5, read_hdf5
from holdfast.scan.formats.kerasconfig import read_config_text
from holdfast.scan.formats.signs import read_signs
from holdfast.scan.inspect import Inspector, Seen

KNOWN_FILTERS: Final = frozenset((1, 2, 3, 4, 5, 6, 32000))
"""deflate, shuffle, fletcher32, szip, nbit, scaleoffset, and the lzf that comes with h5py."""
_WITHIN: Final = "soft"
_CONFIGS: Final = frozenset(("model_config", "training_config", "layer_config"))


def read(inspector: Inspector, window: Window, seen: Seen, depth: int) -> None:  # noqa: ARG001
    """What the file says, also where it cannot be followed to its end."""
    found = Hdf5()
    try:
        read_hdf5(window, found)
    finally:
        inspector.enter(len(found.datasets) + len(found.texts))
        for name, text, at in found.texts:
            _text(name, text, at, seen)
        for kind, target, at in found.links:
            if kind == "user-defined":
                seen.add("unsupported", f"a link of somebody's own kind to {target[:120]}", at)
            elif kind != _WITHIN:
                seen.add("external-data", f"{kind} {target[:120]}".strip(), at)
        for dataset in found.datasets:
            _dataset(dataset, seen)
    _cover(window, found, seen)


def _text(name: str, text: str, at: int, seen: Seen) -> None:
    if name in _CONFIGS or text.lstrip()[:1] == "{":
        read_config_text(text, seen, offset=at)
    else:
        read_signs(text, seen)


def _dataset(dataset: Dataset, seen: Seen) -> None:
    for number in sorted(set(dataset.filters) - KNOWN_FILTERS):
        seen.add("unsupported", f"filter {number} needs a plug-in", dataset.offset)
    size = dataset.elements * dataset.itemsize
    if size > BOMB_BYTES and size > BOMB_RATIO * max(1, dataset.stored):
        seen.add("bomb", f"{size:,} bytes declared in {dataset.stored:,}", dataset.offset)


def _cover(window: Window, found: Hdf5, seen: Seen) -> None:
    """Structures are parsed, arrays skipped; between them lie zeros, or something that the format does not name."""
    reached = 0
    ranges = [(*span, False) for span in found.structures] + [(*span, True) for span in found.arrays]
    clash = False
    array_end = 0
    for start, end, is_array in sorted(ranges):
        clash = clash or (start < array_end and end > start)
        _gap(window, reached, start, seen)
        size = max(0, end - max(start, reached))
        seen.skipped += size if is_array else 0
        seen.parsed += 0 if is_array else size
        clash = clash or (is_array and size < end - start)
        reached = max(reached, end)
        array_end = max(array_end, end) if is_array else array_end
    _gap(window, reached, len(window), seen)
    if clash:
        seen.add("malformed", "arrays lie over other parts of the file", 0)


def _gap(window: Window, start: int, end: int, seen: Seen) -> None:
    for at in range(start, end, 1 << 20):
        part = window.read(at, min(1 << 20, end - at))
        if part.strip(b"\0"):
            seen.add(
                "zip-gap", f"{end - start:,} bytes that nothing names, starting {part.lstrip(bytes(1))[:16]!r}", at
            )
            seen.unread += end - at
            return
        seen.parsed += len(part)

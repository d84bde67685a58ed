"""Which event ids are already kept: sorted hashes to find candidates, the ids themselves to be sure.

An entry is one 64-bit word: the top 40 bits are a hash of event id and model, the low 24 the segment's sequence. A
bitmap answers "certainly new" without a search; what it lets through is looked up in sorted runs; what is found there
is compared with the ids in the segment that it names. So a repeat is exact, and a hash that collides costs a reading.
Memory: 8 bytes per event and the bitmap, for the newest `horizon` events; older ones are no longer noticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Words = NDArray[np.uint64]

SEQUENCE_BITS: Final = 24
_LOW: Final = np.uint64((1 << SEQUENCE_BITS) - 1)
_BITS_PER_EVENT: Final = 8
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT: Final = np.uint64(29)


def hashes(ids: pa.Array, model: str, salt: int) -> Words:
    """One hash per id, of the id, the model and a salt that nobody outside knows."""
    n = len(ids)
    if n == 0:
        return np.empty(0, np.uint64)
    offsets = np.frombuffer(ids.buffers()[1], np.int32, n + 1, offset=4 * ids.offset).astype(np.int64)
    data = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
    lengths = np.diff(offsets)
    start = np.uint64((salt ^ _of_text(model)) & (2**64 - 1))
    found = np.empty(n, np.uint64)
    for length in np.unique(lengths):
        rows = np.nonzero(lengths == length)[0]
        found[rows] = _of_equal_length(data, offsets[rows], int(length), start)
    return found


def _of_equal_length(data: NDArray[np.uint8], begins: NDArray[np.int64], length: int, start: np.uint64) -> Words:
    words = max(1, -(-length // 8))
    padded = np.zeros((len(begins), 8 * words), np.uint8)
    if length:
        padded[:, :length] = data[begins[:, None] + np.arange(length)]
    columns = padded.view(np.uint64)
    state = np.full(len(begins), start, np.uint64) ^ np.uint64(length)
    for position in range(words):
        state = (state ^ columns[:, position]) * _MIX
        state ^= state >> _SHIFT
        state *= _MIX2
        state ^= state >> np.uint64(32)
    return state


def _of_text(text: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


@dataclass
class Repeats:
    """The newest entries, oldest run first. Not for several threads at once."""

    horizon: int
    runs: list[Words] = field(default_factory=list)
    _bitmap: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        bits = 1 << max(16, int(self.horizon * _BITS_PER_EVENT - 1).bit_length())
        self._mask = np.uint64(bits - 1)
        self._bitmap = np.zeros(bits >> 3, np.uint8)

    @property
    def events(self) -> int:
        """How many events are remembered."""
        return sum(map(len, self.runs))

    def candidates(self, wanted: Words) -> NDArray[np.int64]:
        """The positions in `wanted` that may be known; all others are new."""
        first, second = self._places(wanted)
        return np.nonzero(self._set(first) & self._set(second))[0]

    def lookup(self, wanted: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of a position in `wanted` and the low bits of a segment's sequence in which its hash occurs."""
        order = np.argsort(wanted)
        ordered = wanted[order]
        rows, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for run in self.runs:
            left = np.searchsorted(run, ordered & ~_LOW, "left")
            counts = np.searchsorted(run, ordered | _LOW, "right") - left
            if counts.any():
                ends = np.cumsum(counts)
                within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
                rows.append(np.repeat(order, counts))
                places.append((run[np.repeat(left, counts) + within] & _LOW).astype(np.int64))
        return np.concatenate(rows), np.concatenate(places)

    def add(self, kept: Words, sequence: int) -> None:
        """Remember the hashes of a segment."""
        if not len(kept):
            return
        self._mark(kept)
        low = np.uint64(sequence & int(_LOW))
        self.runs.append(np.sort((kept & ~_LOW) | low))
        self._merge()
        if self.events > self.horizon and len(self.runs) > 1:
            del self.runs[0]
            self._bitmap[:] = 0
            for run in self.runs:
                self._mark(run)

    def _merge(self) -> None:
        """Join runs of like size, so that there are few; none grows beyond an eighth of the horizon."""
        largest = max(1, self.horizon // 8)
        while len(self.runs) > 1:
            older, newer = self.runs[-2:]
            if len(older) > 2 * len(newer) or len(older) + len(newer) > largest:
                return
            merged = np.concatenate([older, newer])
            merged.sort(kind="stable")  # the one that is linear where two sorted runs meet
            self.runs[-2:] = [merged]

    def _places(self, keys: Words) -> tuple[Words, Words]:
        """Two places in the bitmap for each key; only the bits that entries keep may count."""
        high = keys >> np.uint64(SEQUENCE_BITS)
        return (high * _MIX) >> np.uint64(20) & self._mask, (high * _MIX2) >> np.uint64(17) & self._mask

    def _set(self, places: Words) -> NDArray[np.bool_]:
        bits = np.left_shift(1, (places & np.uint64(7)).astype(np.uint8), dtype=np.uint8)
        return np.asarray((self._bitmap[places >> np.uint64(3)] & bits) != 0)

    def _mark(self, keys: Words) -> None:
        for places in self._places(keys):
            bits = np.left_shift(1, (places & np.uint64(7)).astype(np.uint8), dtype=np.uint8)
            np.bitwise_or.at(self._bitmap, (places >> np.uint64(3)).astype(np.int64), bits)


def first_of_each(ids: pa.Array) -> NDArray[np.int64] | None:
    """The positions of the first appearance of every id; None where no id comes twice."""
    encoded: Any = ids.dictionary_encode()
    if len(encoded.dictionary) == len(ids):
        return None
    return np.sort(np.unique(encoded.indices.to_numpy(zero_copy_only=False), return_index=True)[1])

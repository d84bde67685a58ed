"""The hash by which CatBoost knows a category, for texts short enough to be numbers.

Source: CityHash 1.0 (HashLen0to16), of which CatBoost keeps the low 32 bits. A binary model holds hashes only; whole
numbers are found again by hashing a range of them, which covers coded categories. Several numbers may share a hash:
to CatBoost they are the same category.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

RANGE = range(-1_000, 100_001)
_MASK = 2**64 - 1
_K2, _K3, _MULTIPLIER = 0x9AE16A3B2F90404F, 0xC949D7C7509E6557, 0x9DDFEA08EB382D69


def hash_of(text: str) -> int:
    """The unsigned 32-bit hash of a text of at most 8 bytes."""
    raw = text.encode()
    size = len(raw)
    assert size <= 8, "longer texts are hashed by other rules"
    if size >= 4:
        first, last = (int.from_bytes(part, "little") for part in (raw[:4], raw[-4:]))
        return _of_pair((size + (first << 3)) & _MASK, last) & 0xFFFFFFFF
    if not size:
        return _K2 & 0xFFFFFFFF
    low, high = raw[0] + (raw[size >> 1] << 8), size + (raw[-1] << 2)
    mixed = (low * _K2 ^ high * _K3) & _MASK
    return (_shift(mixed) * _K2) & 0xFFFFFFFF


def numbers_of(hashes: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The whole numbers of RANGE whose texts have each hash; a hash that none has is left out."""
    known = _numbers()
    return {code: known[code] for code in hashes if code in known}


@cache
def _numbers() -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for number in RANGE:
        code = hash_of(str(number))
        found[code] = (*found.get(code, ()), number)
    return found


def _shift(value: int) -> int:
    return value ^ (value >> 47)


def _of_pair(low: int, high: int) -> int:
    first = _shift(((low ^ high) * _MULTIPLIER) & _MASK)
    return (_shift(((high ^ first) * _MULTIPLIER) & _MASK) * _MULTIPLIER) & _MASK

"""Merkle trees as in RFC 6962 section 2.1: hashes, inclusion and consistency proofs, and their verification.

The tree over n leaves splits at the largest power of two below n; leaves and nodes are hashed with different
first bytes, so that neither can pass for the other. Hashes are 32 bytes (SHA-256).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""The hash over leaves `start` to `stop` (exclusive), where that is a power of two of leaves, aligned to itself."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes that are all at hand."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) - len(level) % 2 :]
    return level[0]


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees of falling size, left to right."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def tree_hash(start: int, stop: int, subtree: Subtree) -> bytes:
    """The hash over leaves `start` to `stop`; `start` must be a multiple of a power of two not below their number."""
    peaks = []
    while start < stop:
        span = 1 << ((stop - start).bit_length() - 1)
        peaks.append(subtree(start, start + span))
        start += span
    return fold(peaks)


def inclusion_path(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """What shows that leaf `index` is in the tree of `size` leaves, from the leaf up (RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path, start, stop = [], 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(tree_hash(middle, stop, subtree))
            stop = middle
        else:
            path.append(tree_hash(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """What shows that the tree of `old` leaves is the beginning of the one of `new` (RFC 6962 section 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"there is no path from a tree of {old} to one of {new}")
    path, start, stop, whole = [], 0, new, True
    while old - start < stop - start:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(tree_hash(middle, stop, subtree))
            stop = middle
        else:
            path.append(tree_hash(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        path.append(tree_hash(start, stop, subtree))
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion path leads to (RFC 9162 section 2.1.3.2); None where the path has a wrong length."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(step, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, step)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the old tree is the beginning of the new one (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    early = late = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            early, late = node_hash(step, early), node_hash(step, late)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            late = node_hash(late, step)
        node, last = node >> 1, last >> 1
    return last == 0 and early == old_root and late == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)

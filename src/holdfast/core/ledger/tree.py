"""The tree as the store keeps it: the hashes of every tile level, read a tile at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.core.data.merkle import consistency_path, inclusion_path, root_of, tree_hash
from holdfast.core.ledger.tiles import HEIGHT, MAX_LEVEL, WIDTH, count

ReadHashes = Callable[[int, int, int], list[bytes]]
"""Tile level, start and stop (exclusive) within the level: the hashes there."""


class Tree:
    """A tree of `size` leaves over `read`. Tiles are remembered, so keep it no longer than one transaction."""

    def __init__(self, size: int, read: ReadHashes) -> None:
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def hashes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Hashes of one tile level that lie in one tile."""
        position = start // WIDTH
        tile = self._tiles.get((level, position))
        if tile is None:
            last = min((position + 1) * WIDTH, count(level, self.size))
            tile = self._tiles[level, position] = self._read(level, position * WIDTH, last)
        return tile[start - position * WIDTH : stop - position * WIDTH]

    def subtree(self, start: int, stop: int) -> bytes:
        """The hash over a power of two of leaves, aligned to itself."""
        level = ((stop - start).bit_length() - 1) // HEIGHT
        return root_of(self.hashes(level, start >> (HEIGHT * level), stop >> (HEIGHT * level)))

    def root(self, size: int | None = None) -> bytes:
        """The root now, or when the tree had `size` leaves."""
        return tree_hash(0, self.size if size is None else size, self.subtree)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """See `inclusion_path`."""
        return inclusion_path(index, size, self.subtree)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """See `consistency_path`."""
        return consistency_path(old, new, self.subtree)


def grown(size: int, leaves: Sequence[bytes], read: ReadHashes) -> list[tuple[int, int, bytes]]:
    """The rows (level, position, hash) that `leaves` add to a tree of `size`: themselves, and full tiles above."""
    rows: list[tuple[int, int, bytes]] = []
    start, fresh = size, list(leaves)
    for level in range(MAX_LEVEL + 1):
        if not fresh:
            break
        rows.extend((level, start + step, hashed) for step, hashed in enumerate(fresh))
        begun = start // WIDTH * WIDTH
        known = (read(level, begun, start) if start > begun else []) + fresh
        fresh = [root_of(known[i : i + WIDTH]) for i in range(0, len(known) - WIDTH + 1, WIDTH)]
        start //= WIDTH
    return rows

"""A tree model in the language of the contract: raw columns cut into bins, tests that speak of bins.

Inside a bin no test of any tree tells two values apart, so a search over rows is a search over bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Forest(NamedTuple):
    """T trees, N nodes, K outputs; W = K for vector leaves else 1."""

    nodes: NDArray[np.int32]
    """(N, 4) column (-1 at leaves), cut (-1 - offset into `mask` for masked tests), left, right."""
    default_left: NDArray[np.bool_]
    """(N,) where bin `size` goes at a cut."""
    mask: NDArray[np.uint64]
    """Masks of the bins that go left, 64 to a word."""
    leaf: NDArray[np.float64]
    """(N, W)"""
    roots: NDArray[np.int32]
    output: NDArray[np.int32]
    """(T,) output a tree adds to, -1 for vector leaves."""
    base: NDArray[np.float64]
    """(K,)"""

    @property
    def depth(self) -> int:
        """The longest path, in nodes."""
        front, levels = self.roots, 0
        while front.size:
            inner = front[self.nodes[front, 0] >= 0]
            front = np.concatenate([self.nodes[inner, 2], self.nodes[inner, 3]])
            levels += 1
        return levels


class Grid(NamedTuple):
    """The bins of each column; column c has slots start[c] .. start[c] + size[c], the last for missing values."""

    start: NDArray[np.int64]
    size: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """Per slot: the least and the greatest float64 inside the bin."""
    masked: NDArray[np.bool_]
    word: NDArray[np.int64]
    """(d + 1,) first of the mask words of each column's bins."""

"""Bytes of an HDF5 file's structures: taken within bounds, within a budget, and accounted for."""

from __future__ import annotations

from typing import Final

from holdfast.core.formats.buffers import Fault, Window

UNDEFINED: Final = (1 << 64) - 1
"""The address of what is not in the file."""
MAX_STEPS: Final = 2_000_000
MAX_TIMES: Final = 8
"""How often the bytes of a file may be taken, all structures together. Sound files stay below two."""
SLACK: Final = 1 << 20


class Source:
    """Reads structures of a file; `structures` gathers the ranges that were taken."""

    def __init__(self, window: Window, structures: list[tuple[int, int]]) -> None:
        self.window, self.structures = window, structures
        self._steps = 0
        self._left = MAX_TIMES * len(window) + SLACK

    def take(self, at: int, size: int) -> bytes:
        """Bytes of a structure, which are thereby accounted for. Raises Fault where they are not in the file."""
        self.step(at)
        if at < 0 or size < 0 or at + size > len(self.window):
            raise Fault("truncated", f"{size:,} bytes at {at:,} reach outside of the file", min(at, len(self.window)))
        self.spend(at, size)
        self.structures.append((at, at + size))
        return self.window.read(at, size)

    def spend(self, at: int, size: int) -> None:
        """Count bytes that are read, whoever accounts for them. Raises Fault where they were read too often."""
        self._left -= size
        if self._left < 0:
            raise Fault("budget", "structures that lie over each other", at)

    def step(self, at: int) -> None:
        """Spend one step of the budget."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise Fault("budget", "too many structures", at)


def width_of(most: int) -> int:
    """Bytes that HDF5 stores a number in that is at most `most`."""
    return (max(1, most).bit_length() - 1) // 8 + 1

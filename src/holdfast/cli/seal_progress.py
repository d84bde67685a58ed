"""Progress of hashing files: one line that moves on a terminal, and nothing elsewhere."""

from __future__ import annotations

import time

from holdfast.cli.moving_line import MovingLine
from holdfast.cli.terminal import Terminal

EVERY_S = 0.2


class FilesLine(MovingLine):
    """Hears of files and bytes hashed. What is done within the first moment is never drawn."""

    def __init__(self, terminal: Terminal) -> None:
        self._moving = terminal.animated
        self._last = time.monotonic()

    def __call__(self, files: int, all_files: int, size: int, all_size: int) -> None:
        """Take note of one step."""
        now = time.monotonic()
        if self._moving and now - self._last >= EVERY_S:
            self._last = now
            self._draw(f"{files:,} of {all_files:,} files, {size / 1e9:.2f} of {all_size / 1e9:.2f} GB …")

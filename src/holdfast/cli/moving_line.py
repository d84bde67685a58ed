"""A line on stderr that is drawn over itself, and is gone when it is left."""

from __future__ import annotations

import shutil
import sys
from types import TracebackType
from typing import Self


class MovingLine:
    """What the lines of progress share. Whoever draws makes sure that stderr is a person's terminal."""

    _drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def _draw(self, text: str) -> None:
        """Put `text` in place of what was drawn, cut to the terminal: a line that wraps could not be drawn over."""
        sys.stderr.write(f"\r\033[K{text[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()
        self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._drawn = False

"""Progress of a scan on stderr: one line that moves on a terminal, a word now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from holdfast.cli.moving_line import MovingLine
from holdfast.cli.terminal import Terminal
from holdfast.core.report.escape import visible
from holdfast.core.report.words import counted, size

if TYPE_CHECKING:
    from holdfast.scan import FileReport

QUIET_S: Final = 0.5
"""A scan that takes less says nothing about its progress."""
DRAW_EVERY_S: Final = 0.1
SAY_EVERY_S: Final = 10.0


class ScanLine(MovingLine):
    """Told of each file as it is opened and hashed. What it drew is gone when it is left, also by Ctrl-C."""

    def __init__(self, terminal: Terminal, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal, self._clock = terminal, clock
        self._next = clock() + (QUIET_S if terminal.animated else SAY_EVERY_S)
        self._files = self._bytes = 0
        self._verdicts: dict[str, int] = {}

    def noted(self, reports: Iterable[FileReport]) -> Iterator[FileReport]:
        """The same reports, noting their verdicts."""
        for report in reports:
            self._verdicts[report.verdict] = self._verdicts.get(report.verdict, 0) + 1
            yield report

    def __call__(self, path: Path, done: int, total: int) -> None:
        """A file is opened (nothing done), or so many of its bytes are hashed."""
        if not done:
            self._files, self._bytes = self._files + 1, self._bytes + total
        now = self._clock()
        if now < self._next:
            return
        if self._terminal.animated:
            self._next = now + DRAW_EVERY_S
            self._draw(self._at(path, done, total))
        else:
            self._next = now + SAY_EVERY_S
            self._terminal.log(self.so_far())

    def so_far(self) -> str:
        """Files opened, their bytes, and the verdicts that are not clean."""
        found = "".join(
            f", {self._verdicts[word]:,} {word}"
            for word in ("blocked", "unknown", "review")
            if self._verdicts.get(word)
        )
        return f"{counted(self._files, 'file')} looked into ({size(self._bytes)}){found}"

    def _at(self, path: Path, done: int, total: int) -> str:
        hashed = f" hashing {100 * done // max(1, total)} %" if 0 < done < total else ""
        return f"{self.so_far()}: {visible(path.name, 200)}{hashed} …"

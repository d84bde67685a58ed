"""Where words go: results to stdout, everything else to stderr, colour only where it is wanted."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import IO

COLORS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}


@dataclass
class Terminal:
    """The two streams and how much to say on them. `verbosity`: -1 quiet, 0 normal, 1 verbose, 2 with tracebacks."""

    verbosity: int = 0
    color: str = "auto"
    _closed: set[str] = field(default_factory=set)

    def out(self, text: str) -> None:
        """Write a result to stdout, with exactly one newline at its end."""
        self._write(sys.stdout, text if text.endswith("\n") else text + "\n")

    def log(self, text: str, *, level: int = 0) -> None:
        """Say something on stderr, unless it is more than was asked for."""
        if self.verbosity >= level:
            self._write(sys.stderr, text + "\n")

    def error(self, text: str) -> None:
        """Say on stderr what went wrong; not even `--quiet` hides it."""
        self._write(sys.stderr, text + "\n")

    def paint(self, text: str, color: str, *, stream: IO[str] | None = None) -> str:
        """`text` in a colour, or as it is where colour is unwanted. Meaning never rests on it."""
        return f"\033[{COLORS[color]}m{text}\033[0m" if self.colored(stream or sys.stdout) else text

    def colored(self, stream: IO[str]) -> bool:
        """--color, then NO_COLOR, then FORCE_COLOR, then whether the stream is a terminal."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()

    @property
    def animated(self) -> bool:
        """Whether progress may move: on a person's terminal only."""
        return self.verbosity >= 0 and sys.stderr.isatty() and not os.environ.get("CI")

    def flush(self) -> None:
        """Write out what is buffered; a reader that went away is no error."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:
                self._silence(stream)

    def _write(self, stream: IO[str], text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            self._silence(stream)
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode())

    def _silence(self, stream: IO[str]) -> None:
        """The verdict's exit code must survive `| head`, so later writes go nowhere instead of failing."""
        if stream.name not in self._closed:
            self._closed.add(stream.name)
            void = os.open(os.devnull, os.O_WRONLY)
            os.dup2(void, stream.fileno())
            os.close(void)

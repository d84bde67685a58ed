"""A training process as its parent sees it: answers come out line by line until it ends.

A library that has started its threads must not be forked, and the audit forks; so training has a process of its own.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from holdfast.core.threads import ONE_THREAD

LOG = "training.log"
MAX_LINE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_SAYS_WHAT = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception)\b")


class TrainingProcess:
    """`python -m module PARENT FOLDER`. A context manager: leaving it ends the process."""

    def __init__(self, module: str, folder: Path) -> None:
        self.folder = folder
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", module, str(os.getpid()), str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **ONE_THREAD},
            )

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def lines(self) -> Iterator[bytes]:
        """Answers without their line ends, up to the end of the process; then `fault` says how it ended."""
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline(MAX_LINE_BYTES)).endswith(b"\n"):
            yield line[:-1]

    def fault(self) -> str | None:
        """Why the process ended before its work was done; None where it was done."""
        code = self._process.wait()
        if code == 0:
            return None
        said = (self.folder / LOG).read_text("utf-8", "replace").strip().splitlines()
        how = f"it was ended by signal {signal.Signals(-code).name}" if code < 0 else f"it ended with code {code}"
        if code < 0 or not said:
            return how
        # A library's own trace may follow the line that says what was wrong.
        return next((line for line in reversed(said) if _SAYS_WHAT.match(line)), said[-1])[:500]


def bind_to_parent(*, without: Sequence[str] = ()) -> tuple[Path, IO[bytes]] | None:
    """In the process: die with the parent, keep the answer channel clear of prints. None where the parent is gone.

    Modules named in `without` count as not installed: libraries import companions for faces that training on matrices
    never shows, and that is most of a start.
    """
    parent, folder = int(sys.argv[1]), Path(sys.argv[2])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return None
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.modules.update(dict.fromkeys(without))  # type: ignore[arg-type]
    return folder, answers

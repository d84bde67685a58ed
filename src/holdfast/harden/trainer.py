"""The training process as its parent sees it: candidates come out one by one, until done or out of time."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.core.errors import PrerequisiteError, TargetError
from holdfast.harden.worker import Answer, Job, Made, write_job

Floats = NDArray[np.float64]
LOG = "training.log"
MAX_LINE_BYTES = 1 << 20


class Trainer:
    """One training process in one private folder. A context manager: leaving it ends the process."""

    def __init__(
        self, folder: Path, job: Job, X: Floats, labels: Floats, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder = folder
        self._tell = tell
        self.complete = False
        write_job(folder, job, X, labels)
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "holdfast.harden.worker", str(os.getpid()), str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            )
        self._received = bytearray()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def candidates(self, deadline: float | None) -> Iterator[Made]:
        """What is trained before `deadline` (monotonic seconds). `complete` says afterwards whether that was all.

        Raises PrerequisiteError where the library is missing (HF-HRD-005), TargetError where training failed (-006).
        """
        while (line := self._line(deadline)) is not None:
            answer = msgspec.json.decode(line, type=Answer)
            if answer.made is not None:
                yield answer.made
            else:
                self._tell(answer.words)
        if deadline is not None and self._process.poll() is None and time.monotonic() >= deadline:
            return
        if self._process.wait() != 0:
            raise self._failure()
        self.complete = True

    def _line(self, deadline: float | None) -> bytes | None:
        """The next answer; None at the end of answers or of time."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._received:
                left = None if deadline is None else deadline - time.monotonic()
                if (left is not None and left <= 0) or not ready.select(left):
                    return None
                piece = os.read(self._process.stdout.fileno(), 65_536)
                if not piece or len(self._received) > MAX_LINE_BYTES:
                    return None
                self._received += piece
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def _failure(self) -> PrerequisiteError | TargetError:
        said = (self.folder / LOG).read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        if said[-1].startswith("ModuleNotFoundError"):
            return PrerequisiteError(
                "the library that trains this model is not installed here",
                cause=said[-1],
                fix="pip install 'holdfast[demo]', or xgboost or lightgbm alone, beside Holdfast",
                code="HF-HRD-005",
            )
        return TargetError(
            "training a candidate failed",
            cause=said[-1][:500],
            fix="run it again with -vv; if it stays, report what it prints",
            code="HF-HRD-006",
        )

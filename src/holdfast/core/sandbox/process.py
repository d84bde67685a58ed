"""One sandboxed process from the caller's side: start it, ask it, and know why it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from holdfast.core.sandbox.answer import header_size, lying, read_header
from holdfast.core.sandbox.ending import Ending
from holdfast.core.sandbox.faults import sandbox_error, target_error
from holdfast.core.sandbox.limits import Limits

MAX_LOG = 16 * 2**20
"""Bytes a model may print before that counts as flooding."""
_LOG_TAIL = 4096
_CHUNK = 1 << 20
_GRACE_S = 5.0

_INSIDE = Path(__file__).with_name("inside")
_BOOT = (
    "import sys, types; inside = types.ModuleType('holdfast_inside'); inside.__path__ = [sys.argv.pop(1)]; "
    "sys.modules['holdfast_inside'] = inside; from holdfast_inside.warden import main; main()"
)
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"),
    **dict.fromkeys(("HOME", "TMPDIR"), "/nonexistent"),
    "PATH": "",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "JOBLIB_MULTIPROCESSING": "0",
    "CUDA_VISIBLE_DEVICES": "",
    # Newer builds of ONNX Runtime report usage from a thread of their own; it would count as the model's attempt.
    "ORT_DISABLE_TELEMETRY": "1",
}


class Process:
    """A warden and its worker. Not safe to share between threads. Close it, or use it as a context manager."""

    def __init__(self, interpreter: Path, limits: Limits, readable: Sequence[str], skip: Sequence[str]) -> None:
        self.limits = limits
        self.steps: dict[str, str] = {}
        self._ended: dict[str, Any] | None = None
        self._log = bytearray()
        self._logged = 0
        self._status_text = bytearray()
        self._folder = tempfile.mkdtemp(prefix="holdfast-")
        ours, theirs = _pipes()
        self._request, self._answer, self._lifeline, self._status, self._output = ours
        try:
            self._popen = self._start(interpreter, theirs, readable, skip)
        except OSError as fault:
            self._close_files()
            raise sandbox_error(
                "interpreter",
                f"the interpreter {interpreter} does not start",
                fault.strerror or str(fault),
                "name an existing Python under `runtime:` in holdfast.yaml",
            ) from fault
        finally:
            for fd in theirs:
                os.close(fd)
        for fd in ours:
            os.set_blocking(fd, False)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self,
        parts: Sequence[bytes | memoryview],
        size_of: Callable[[dict[str, Any]], int] = lambda _: 0,
        wall_s: float | None = None,
    ) -> tuple[dict[str, Any], bytes]:
        """Send a frame, give back the header and the blob of its answer, within `wall_s` or the usual limit.

        `size_of` judges the header of a good answer and says how long the blob must be. Raises TargetError, after
        which the process is dead.
        """
        if self._popen.returncode is not None:
            raise sandbox_error(
                "request", "the model is no longer loaded", "its session is over", "open another session"
            )
        try:
            return _Exchange(self, parts, size_of).run(wall_s or self.limits.wall_s)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it now, and leave nothing behind. Safe to call twice."""
        if self._popen.returncode is None:
            self._hang_up()
            try:
                self._popen.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._close_files()

    def ending(self) -> Ending:
        """How the worker ended, by the warden's word; waits for that word, not for the worker's."""
        ended_by_us = self._hang_up_after_end()
        deadline = time.monotonic() + _GRACE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._status, selectors.EVENT_READ)
            selector.register(self._output, selectors.EVENT_READ)
            while self._ended is None and selector.get_map() and time.monotonic() < deadline:
                for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                    if not (self.read_status() if key.fd == self._status else self.read_log()):
                        selector.unregister(key.fd)
        return Ending(self._ended or {}, bytes(self._log).decode("utf-8", "replace"), ended_by_us)

    def read_status(self) -> bool:
        """Take in what the warden (and, before it is confined, the worker) reports; False at its end."""
        data = _read(self._status)
        self._status_text += data or b""
        *lines, rest = self._status_text.split(b"\n")
        self._status_text = bytearray(rest)
        for line in lines:
            told = json.loads(line)
            self.steps = told.get("steps", self.steps)
            self._ended = told.get("ended", self._ended)
            self._remove_folder()
        return data != b""

    def read_log(self) -> bool:
        """Take in what was printed, keeping its end; False at its end. Raises TargetError when it floods."""
        data = _read(self._output)
        self._log = (self._log + (data or b""))[-_LOG_TAIL:]
        self._logged += len(data or b"")
        if self._logged > MAX_LOG:
            raise target_error("output", f"it printed more than {MAX_LOG:,} bytes")
        return data != b""

    def _start(
        self, interpreter: Path, theirs: Sequence[int], readable: Sequence[str], skip: Sequence[str]
    ) -> subprocess.Popen[bytes]:
        request, answer, lifeline, status, output = theirs
        config = {
            "request": request,
            "answer": answer,
            "lifeline": lifeline,
            "status": status,
            "root": self._folder,
            "readable": list(readable),
            "skip": list(skip),
            "limits": dataclasses.asdict(self.limits),
        }
        return subprocess.Popen(  # noqa: S603 - the interpreter the manifest names, with arguments of ours
            [interpreter, "-I", "-S", "-B", "-c", _BOOT, str(_INSIDE), json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(request, answer, lifeline, status),
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
            umask=0o077,
        )

    def _hang_up(self) -> None:
        """Say it: closing our end is not enough where a child that another thread forked holds a copy of it."""
        with contextlib.suppress(OSError):
            os.write(self._lifeline, b"k")

    def _hang_up_after_end(self) -> bool:
        """The worker closed its answer: give it a moment to be seen dying of its own, else end it (True)."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._status, selectors.EVENT_READ)
            alive = not selector.select(1.0)
        if alive:
            self._hang_up()
        return alive

    def _close_files(self) -> None:
        for name in ("_request", "_answer", "_lifeline", "_status", "_output"):
            fd = getattr(self, name)
            if fd >= 0:
                os.close(fd)
                setattr(self, name, -1)
        self._remove_folder()

    def _remove_folder(self) -> None:
        """It is only a place to mount on: as soon as the process has its own root nobody needs it."""
        with contextlib.suppress(OSError):
            Path(self._folder).rmdir()


class _Exchange:
    """One question and its answer, while everything else the process says is taken in too."""

    def __init__(
        self, process: Process, parts: Sequence[bytes | memoryview], size_of: Callable[[dict[str, Any]], int]
    ) -> None:
        self.process, self.size_of = process, size_of
        self.outgoing = [memoryview(part).cast("B") for part in parts if len(part)]
        self.incoming = bytearray()
        self.header: dict[str, Any] | None = None
        self.head_size = self.size = 0

    def run(self, wall_s: float) -> tuple[dict[str, Any], bytes]:
        process, deadline = self.process, time.monotonic() + wall_s
        if _read(process._answer):
            raise lying("it answered before it was asked")
        with selectors.DefaultSelector() as selector:
            selector.register(process._answer, selectors.EVENT_READ, self._receive)
            selector.register(process._status, selectors.EVENT_READ, process.read_status)
            selector.register(process._output, selectors.EVENT_READ, process.read_log)
            selector.register(process._request, selectors.EVENT_WRITE, self._send)
            while not self._complete():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise target_error("time", f"no answer after {wall_s:g} seconds")
                for key, _ in selector.select(left):
                    if not key.data():
                        selector.unregister(key.fd)
                        if key.fd == process._answer and not self._complete():
                            raise process.ending().error(process.limits)
        assert self.header is not None
        return self.header, bytes(self.incoming[self.head_size :])

    def _complete(self) -> bool:
        return self.header is not None and len(self.incoming) == self.head_size + self.size

    def _send(self) -> bool:
        """Write what the pipe takes; False when all is sent, or when nobody reads any more."""
        try:
            while self.outgoing:
                count = os.write(self.process._request, self.outgoing[0][:_CHUNK])
                self.outgoing[0] = self.outgoing[0][count:]
                if not self.outgoing[0]:
                    self.outgoing.pop(0)
        except BlockingIOError:
            return True
        except BrokenPipeError:
            pass
        return False

    def _receive(self) -> bool:
        data = _read(self.process._answer)
        self.incoming += data or b""
        if self.header is None:
            self._read_head()
        if self.header is not None and len(self.incoming) > self.head_size + self.size:
            raise lying("more bytes follow than it announced")
        return data != b""

    def _read_head(self) -> None:
        if len(self.incoming) < 8:
            return
        end = 8 + header_size(bytes(self.incoming[:8]))
        if len(self.incoming) < end:
            return
        header = read_header(bytes(self.incoming[8:end]))
        if header["ok"]:
            self.size = self.size_of(header)
            if self.size > self.process.limits.output_bytes:
                raise lying(f"{self.size:,} bytes are more than an answer may have")
        elif header["size"]:
            raise lying("bytes follow where none should")
        self.header, self.head_size = header, end


def _pipes() -> tuple[list[int], list[int]]:
    """Our and their ends of: request, answer, lifeline, status, output."""
    request, answer, lifeline, status, output = (os.pipe() for _ in range(5))
    ours = [request[1], answer[0], lifeline[1], status[0], output[0]]
    return ours, [request[0], answer[1], lifeline[0], status[1], output[1]]


def _read(fd: int) -> bytes | None:
    """What is there; None when nothing is yet, empty at the end."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None

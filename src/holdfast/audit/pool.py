"""A pool of worker processes: takes jobs, kills what overruns its time, and reports how each job ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from holdfast.audit.worker import Answer, Failure, Job, encode_hook, path_hooks
from holdfast.core.threads import ONE_THREAD

MAX_ANSWER_BYTES = 64 * 2**20
_STDERR_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Done:
    """How a job ended: its answer, or a failure, and how long it took."""

    ticket: str
    answer: Answer
    elapsed_s: float


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    ticket: str | None = None
    started: float = 0.0
    received: bytearray = field(default_factory=bytearray)


class Pool:
    """Up to `size` workers, started when there is work. Use as a context manager: leaving it kills them."""

    def __init__(
        self, size: int, *, timeout_s: float, memory_bytes: int, log_folder: Path, plugins: Sequence[str] = ()
    ) -> None:
        self._size, self._timeout_s, self._memory_bytes = size, timeout_s, memory_bytes
        self._log_folder, self._plugins = log_folder, plugins
        self._waiting: deque[tuple[str, Job]] = deque()
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._decoder = msgspec.json.Decoder(Answer, dec_hook=path_hooks)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    def submit(self, ticket: str, job: Job) -> None:
        """Queue a job. Its `Done` carries the ticket."""
        self._waiting.append((ticket, job))

    @property
    def running(self) -> tuple[str, ...]:
        """The tickets being worked on now."""
        return tuple(worker.ticket for worker in self._workers if worker.ticket is not None)

    @property
    def idle(self) -> bool:
        return not self._waiting and not self.running

    def step(self, wait_s: float) -> Iterator[Done]:
        """Hand out jobs, then wait up to `wait_s` and give what ended meanwhile."""
        self._hand_out()
        for key, _ in self._selector.select(wait_s):
            done = self._receive(key.data)
            if done is not None:
                yield done
        yield from self._overdue()

    def _hand_out(self) -> None:
        while self._waiting:
            worker = self._idle_worker()
            if worker is None:
                if len(self._workers) >= self._size:
                    return
                worker = self._start()
            worker.ticket, job = self._waiting.popleft()
            worker.started = time.monotonic()
            assert worker.process.stdin is not None
            # A worker that dies just now is found by its closed output in the next step.
            with contextlib.suppress(BrokenPipeError):
                worker.process.stdin.write(msgspec.json.encode(job, enc_hook=encode_hook) + b"\n")
                worker.process.stdin.flush()

    def _idle_worker(self) -> _Worker | None:
        """A living worker without a ticket; one that died while idle is buried on the way."""
        for worker in [worker for worker in self._workers if worker.ticket is None]:
            if worker.process.poll() is None:
                return worker
            self._end(worker)
        return None

    def _start(self) -> _Worker:
        log = (self._log_folder / f"worker-{os.getpid()}-{time.monotonic_ns()}.log").open("w+b")
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "holdfast.audit.worker", str(os.getpid()), str(self._memory_bytes), *self._plugins],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **ONE_THREAD},
        )
        worker = _Worker(process, log)
        self._workers.append(worker)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def _receive(self, worker: _Worker) -> Done | None:
        assert worker.process.stdout is not None
        chunk: bytes | None = worker.process.stdout.read()
        if chunk is None:
            return None
        if not chunk:
            return self._lost(worker, "crash", self._death(worker))
        worker.received += chunk
        if len(worker.received) > MAX_ANSWER_BYTES:
            return self._lost(worker, "output", f"it answered more than {MAX_ANSWER_BYTES:,} bytes")
        if not worker.received.endswith(b"\n"):
            return None
        return self._answered(worker)

    def _answered(self, worker: _Worker) -> Done:
        assert worker.ticket is not None
        answer = self._decoder.decode(bytes(worker.received))
        done = Done(worker.ticket, answer, time.monotonic() - worker.started)
        worker.ticket = None
        worker.received.clear()
        return done

    def _overdue(self) -> Iterator[Done]:
        for worker in list(self._workers):
            if worker.ticket is not None and time.monotonic() - worker.started > self._timeout_s:
                done = self._lost(worker, "time", f"it ran longer than {self._timeout_s:g} s and was killed")
                if done is not None:
                    yield done

    def _lost(self, worker: _Worker, error: str, cause: str) -> Done | None:
        ticket, elapsed = worker.ticket, time.monotonic() - worker.started
        self._end(worker)
        if ticket is None:
            return None
        fix = "run again with -vv; raise HOLDFAST_CHECK_TIMEOUT_S or HOLDFAST_WORKER_MEMORY_MB if the model needs it"
        failure = Failure(error, "the check's worker process ended without an answer", cause, fix, "HF-AUD-001")
        return Done(ticket, Answer(failure=failure), elapsed)

    def _death(self, worker: _Worker) -> str:
        try:
            code = worker.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its answer channel"
        worker.log.seek(0)
        tail = worker.log.read()[-_STDERR_KEPT:].decode(errors="replace").strip().splitlines()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{how}{'; ' + tail[-1] if tail else ''}"

    def _end(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.process.stdout)
        # The worker leads its own session: its sandboxed children go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        for stream in (worker.process.stdin, worker.process.stdout, worker.log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        Path(worker.log.name).unlink(missing_ok=True)
        self._workers.remove(worker)

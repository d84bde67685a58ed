"""The pool against real worker processes and a real third-party plug-in that behaves badly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.audit.interface import Budget
from holdfast.audit.pool import Done, Pool
from holdfast.audit.target import Parts
from holdfast.audit.worker import Job, encode_hook
from holdfast.core.domain.model import Model, Task
from holdfast.core.domain.severity import Tier
from plugin_dist import install

MODEL = Model("m", "u", "eu", "o", Tier.HIGH, "p", Task("binary"))


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    artifact = tmp_path / "model.bin"
    artifact.write_bytes(b"x" * 17)
    return Parts(MODEL, artifact, "other")


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(install(folder)))
    with Pool(2, timeout_s=4.0, memory_bytes=2 << 30, log_folder=tmp_path, plugins=["acme-checks"]) as opened:
        yield opened


def drain(pool: Pool, jobs: dict[str, Job]) -> dict[str, Done]:
    for ticket, job in jobs.items():
        pool.submit(ticket, job)
    ended: dict[str, Done] = {}
    until = time.monotonic() + 60
    while not pool.idle and time.monotonic() < until:
        ended |= {done.ticket: done for done in pool.step(0.1)}
    return ended


def job(check: str, parts: Parts) -> Job:
    return Job(check, {}, parts, Budget())


def test_every_way_a_check_can_end_is_told_apart(pool: Pool, parts: Parts) -> None:
    names = [
        "bad.crash",
        "bad.allocate",
        "bad.defect",
        "bad.target",
        "bad.user",
        "bad.missing",
        "good.size",
        "bad.hang",
    ]
    ended = drain(pool, {name: job(name, parts) for name in names})
    failures = {name: done.answer.failure for name, done in ended.items() if done.answer.failure is not None}
    assert set(ended) == set(names)
    assert {name: failure.error for name, failure in failures.items()} == {
        "bad.crash": "crash",
        "bad.allocate": "MemoryError",
        "bad.defect": "KeyError",
        "bad.target": "TargetError",
        "bad.user": "ContractError",
        "bad.missing": "PrerequisiteError",
        "bad.hang": "time",
    }
    assert "SIGSEGV" in failures["bad.crash"].cause
    observation = ended["good.size"].answer.observation
    assert observation is not None
    assert observation.measurements[0].value == 17


def test_workers_die_with_the_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: Parts) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(install(folder)))
    with Pool(1, timeout_s=60, memory_bytes=2 << 30, log_folder=tmp_path, plugins=["acme-checks"]) as pool:
        pool.submit("t", job("bad.hang", parts))
        list(pool.step(0.5))
        pids = [worker.process.pid for worker in pool._workers]
        assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not list(tmp_path.glob("worker-*.log"))


def test_libraries_in_a_worker_keep_to_one_core(pool: Pool, parts: Parts) -> None:
    drain(pool, {"a": job("good.size", parts)})
    environment = Path(f"/proc/{pool._workers[0].process.pid}/environ").read_bytes().split(b"\0")
    assert {b"OMP_NUM_THREADS=1", b"OMP_WAIT_POLICY=PASSIVE"} <= set(environment)


def test_a_killed_worker_is_replaced(pool: Pool, parts: Parts) -> None:
    assert drain(pool, {"a": job("good.size", parts)})["a"].answer.observation is not None
    os.kill(pool._workers[0].process.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert drain(pool, {"b": job("good.size", parts)})["b"].answer.observation is not None


def test_a_worker_that_starts_after_its_parent_died_does_nothing(tmp_path: Path, parts: Parts) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    command = [sys.executable, "-m", "holdfast.audit.worker", str(dead.pid), str(2 << 30)]
    work = msgspec.json.encode(job("scan.artifact", parts), enc_hook=encode_hook) + b"\n"
    done = subprocess.run(command, input=work, capture_output=True, timeout=60, check=True)
    assert done.stdout == b""

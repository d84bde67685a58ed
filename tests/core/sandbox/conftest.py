"""Sandboxes with small limits, and the proof that the machine is as it was."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.core.sandbox.limits import Isolation, Limits
from holdfast.core.sandbox.sandbox import Sandbox


@pytest.fixture
def box() -> Callable[..., Sandbox]:
    """Makes a sandbox without the steps named, and with some limits changed."""

    def make(*skip: str, **limits: float) -> Sandbox:
        small = {"wall_s": 20.0, "cpu_s": 30, "memory_bytes": 2**30, "processes": 16, "output_bytes": 2**20}
        return Sandbox(limits=Limits(**{**small, **limits}), minimum=Isolation.NONE, skip=skip)

    return make


@pytest.fixture(autouse=True)
def unharmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process, no file, no thread left over; no process had too much memory; this one as free as before."""
    if sys.platform != "linux":
        pytest.skip("the walls are Linux's")
    folder = tmp_path / "boxes"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = (_restrictions(), _open_files(), _threads())
    yield
    assert not _running(str(folder)), "a sandboxed process is still there"
    assert list(folder.iterdir()) == [], "a sandbox's folder is still there"
    assert (_restrictions(), _open_files(), _threads()) == before
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < 4 * 2**30


def _threads() -> int:
    """Threads that Python code started. The test runner's own come and go, and are known by name only as dummies."""
    return sum(not isinstance(thread, threading._DummyThread) for thread in threading.enumerate())


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _restrictions() -> list[str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(("NoNewPrivs", "Seccomp", "CapEff", "Uid"))]


def _running(marker: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if marker in command:
                found.append(entry.name)
    return found

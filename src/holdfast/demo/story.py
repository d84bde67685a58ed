"""The story: its clock, its folder, and what every scene may do. A scene that was told is not told again."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from holdfast.core.domain.clock import from_iso, to_iso
from holdfast.core.errors import PrerequisiteError
from holdfast.core.settings import MANIFEST_NAME, Settings
from holdfast.demo import advisories
from holdfast.demo.bank import Stamp, token_variable, write_manifest
from holdfast.demo.cast import FIRST_DAY

if TYPE_CHECKING:
    from holdfast.app import Holdfast, Judged
    from holdfast.audit.reconcile import Watcher

BETWEEN_RUNS = timedelta(minutes=1)
"""Simulated time between two runs: longer than any lease, so that a killed run holds nothing up."""
START_S = 120.0


class StoryClock:
    """Time runs as fast as ours, from where the story stands; a scene may move it on, never back."""

    def __init__(self, start: datetime) -> None:
        self._start, self._origin = start, monotonic()

    def __call__(self) -> datetime:
        return self._start + timedelta(seconds=monotonic() - self._origin)

    def move_to(self, moment: datetime) -> None:
        """Go on from `moment`, unless it is already later."""
        now = self()
        self._start, self._origin = max(now, moment), monotonic()


@dataclass
class Story:
    """What scenes share. Each scene opens Holdfast anew, as a pipeline would."""

    folder: Path
    stamp: Stamp
    settings: Settings
    say: Callable[[str], None]
    watch: Watcher
    clock: StoryClock
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, stamp: Stamp, *, settings: Settings, say: Callable[[str], None], watch: Watcher) -> Story:
        """The story where its stamp says it stands."""
        update = {"config": folder / MANIFEST_NAME, "home": None, "intel": None, "database": None}
        start = from_iso(stamp.last) + BETWEEN_RUNS if stamp.last else FIRST_DAY
        return cls(folder, stamp, settings.model_copy(update=update), say, watch, StoryClock(start))

    @property
    def seed(self) -> int:
        return self.stamp.seed

    def begin(self, day: int, hour: int = 9) -> None:
        """The scene takes place on this day of the story, counted from 0."""
        self.clock.move_to(FIRST_DAY.replace(hour=hour) + timedelta(days=day))

    def told(self, number: int) -> None:
        """Scene `number` is over; the next run begins after it."""
        self.stamp.scene = max(number, self.stamp.scene)
        self.keep()

    def keep(self) -> None:
        """Note how far the clock went, so that it never goes back."""
        self.stamp.last = to_iso(self.clock())
        self.stamp.write(self.folder)

    def join(self, *names: str) -> None:
        """Models join the manifest."""
        self.stamp.members = sorted({*self.stamp.members, *names})
        self.declare()

    def declare(self) -> None:
        """Write the manifest as the stamp has it."""
        self.stamp.write(self.folder)
        write_manifest(self.folder, self.stamp)

    @contextmanager
    def open(self) -> Iterator[Holdfast]:
        """Holdfast at the story's time."""
        from holdfast.app import Holdfast

        with Holdfast.open(self.settings, clock=self.clock) as holdfast:
            yield holdfast
            holdfast.settle()

    def audit(self, *names: str) -> Judged:
        """Register, audit and judge these models as they are declared now."""
        with self.open() as holdfast:
            return holdfast.audit(names, seed=self.seed, watch=self.watch)

    def deploy(self, *names: str) -> None:
        """The declared versions of these models go into service."""
        with self.open() as holdfast:
            versions = holdfast.register(names)
            with holdfast.store.transaction() as tx:
                for version in versions:
                    if tx.models.deployed(version.model) != version.digest:
                        tx.models.deploy(version.model, version.digest)

    def receive(self) -> None:
        """Read the bank's advisory feed, and let follow from it what follows."""
        from holdfast.core.domain.claim import Ceiling
        from holdfast.core.domain.intelligence import Feed, Tlp
        from holdfast.intel.importer import run_import

        place = str(self.folder / advisories.FOLDER_NAME)
        feed = Feed(advisories.FEED, "osv", place, 90, Ceiling.BLOCK_NEW, Tlp.GREEN, timedelta(days=1))
        with self.open() as holdfast:
            with holdfast.store.transaction() as tx:
                tx.intel.put_feed(feed)
            run_import(holdfast.store, feed.id)

    @contextmanager
    def endpoints(self, *names: str, **environment: str) -> Iterator[None]:
        """Run the endpoints of these models as server processes of their own."""
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(self._endpoint(name, environment))
            yield

    @contextmanager
    def _endpoint(self, name: str, environment: dict[str, str]) -> Iterator[None]:
        port = self.stamp.ports[name]
        command = [sys.executable, "-m", "holdfast.demo.endpoint", str(self.folder / name), name, str(port)]
        if name in self.stamp.artifacts:
            command += ["--artifact", self.stamp.artifacts[name]]
        process = subprocess.Popen(  # noqa: S603
            command,
            env={**os.environ, **environment, "DEMO_NOW": to_iso(self.clock())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await_answer(name, port, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def open_ports(self, *names: str) -> None:
        """Choose where endpoints listen, and a token for each; a port of an earlier run is kept while it is free."""
        for name in names:
            self.stamp.ports[name] = _free_port(self.stamp.ports.get(name, 0))
            self.tokens[name] = secrets.token_urlsafe(24)
            os.environ[token_variable(name)] = self.tokens[name]


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise AssertionError("the system gives a port to who asks for any")


def _await_answer(name: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline and process.poll() is None:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise PrerequisiteError(
        f"the endpoint of {name} does not answer",
        cause=f"its process ended with code {process.poll()}" if process.poll() is not None else "it is too slow",
        fix="pip install 'holdfast[demo]', then run the demo again: it goes on where it stopped",
        code="HF-PRE-005",
    )

"""Batches on disk while the server is away: whole files, oldest first, bounded in bytes."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

SUFFIX: Final = ".ndjson"
_ORDER: Final = re.compile(r"(\d{20})-.*\.ndjson")


class Spill:
    """A folder of batches. Several processes may share it: a file is taken by renaming it."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._give_back_left()

    def held(self) -> int:
        """The bytes that lie there."""
        return sum(path.stat().st_size for path in self.folder.glob(f"*{SUFFIX}"))

    def put(self, body: bytes, moment_us: int, name: str) -> bool:
        """Keep a batch; False where there is no room. Raises OSError."""
        if self.held() + len(body) > self.limit_bytes:
            return False
        # Not by the store's helper: that would bring SQL into the process of a model.
        handle, staged = tempfile.mkstemp(dir=self.folder, suffix=".new")
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(staged).rename(self.folder / f"{moment_us:020}-{name}{SUFFIX}")
        return True

    def take(self) -> Path | None:
        """The oldest batch, now ours: `done` or `give_back` it."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if _ORDER.fullmatch(path.name):
                ours = path.with_suffix(f".taken-{os.getpid()}")
                try:
                    path.rename(ours)
                except FileNotFoundError:
                    continue
                return ours
        return None

    def done(self, path: Path) -> None:
        """The batch is on the server."""
        path.unlink(missing_ok=True)

    def give_back(self, path: Path) -> None:
        """The batch is not on the server yet."""
        path.rename(path.with_suffix(SUFFIX))

    def _give_back_left(self) -> None:
        """What a process took and did not finish before it ended is to be sent again: ids make that safe."""
        for path in self.folder.glob("*.taken-*"):
            pid = path.suffix.removeprefix(".taken-")
            if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
                try:
                    self.give_back(path)
                except FileNotFoundError:
                    continue

"""Which code is at work: the commit of the repository around a folder, and whether its files are as committed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 20
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks")
"""Nothing that the repository's own settings name is started."""


@dataclass(frozen=True, slots=True)
class Code:
    """`commit` is None outside a repository; `dirty` names what differs from the commit, empty where nothing does."""

    commit: str | None
    dirty: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """none, dirty or clean."""
        if self.commit is None:
            return "none"
        return "dirty" if self.dirty else "clean"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"commit": self.commit, "state": self.state, "dirty": list(self.dirty)}


NO_CODE: Final = Code(None)


def code_at(folder: Path, script: Path | None = None) -> Code:
    """The commit of the work tree that holds `folder`; a `script`, wherever it lies, has to be part of a commit."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Code(None)
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    dirty = [line[3:] for line in changed.splitlines()[:20]]
    if script is not None and _git(script.parent, "ls-files", "--error-unmatch", "--", script.name) is None:
        dirty.append(f"{script.name} (not committed)")
    return Code(commit.strip(), tuple(dirty))


def _git(folder: Path, *words: str) -> str | None:
    """What git says, None where it refuses or is not there."""
    # A repository named by the environment would not be the one around the folder.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603  (fixed words and a folder)
            ["git", *_QUIET, "-C", str(folder), *words],  # noqa: S607  (the user's own git)
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            env=clean,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None

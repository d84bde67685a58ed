"""A model file as an attacker would plant it: it looks like a model and runs a command when it is loaded."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

MARK = "payload-ran"
"""The file that the payload would leave behind. It never appears, because nothing here loads the model."""


class _Payload:
    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def plant(path: Path) -> None:
    """Write the file. Pickling only describes the call; unpickling would make it."""
    command = f"touch '{path.parent.absolute() / MARK}'"
    path.write_bytes(pickle.dumps({"model": _Payload(command), "classes": [0, 1]}, protocol=4))


def ran(folder: Path) -> bool:
    """Whether anybody has loaded it."""
    return (folder / MARK).exists()

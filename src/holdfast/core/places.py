"""Names that an installation is found by. Apart from the settings, since reading those takes longer than most looks."""

from __future__ import annotations

from pathlib import Path

MANIFEST_NAME = "holdfast.yaml"
STATE_NAME = ".holdfast"


def find_manifest(start: Path) -> Path | None:
    """The nearest holdfast.yaml in `start` or above it."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / MANIFEST_NAME).is_file():
            return folder / MANIFEST_NAME
    return None

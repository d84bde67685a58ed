"""What the tests of the response share: a scene on each engine, and settings of nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerted import Scene


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No HOLDFAST_* from outside."""
    for name in [name for name in os.environ if name.startswith("HOLDFAST_RESPOND")]:
        monkeypatch.delenv(name)


@pytest.fixture
def scene(tmp_path: Path, database: str | None) -> Iterator[Scene]:
    """A store on each engine, with nothing in it."""
    scene = Scene(tmp_path / "home", database)
    yield scene
    scene.store.close()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Scene]:
    """A store on SQLite only, where the engine does not matter."""
    scene = Scene(tmp_path / "home")
    yield scene
    scene.store.close()

"""The desk on each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from intel_desk import Desk


@pytest.fixture
def desk(database: str | None, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(database, tmp_path)
    with made.store:
        yield made

"""What every test may ask for: shared reference data, PostgreSQL, and the right to fail when CI demands them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


def demanded(service: str) -> bool:
    """Whether HOLDFAST_REQUIRE turns a missing service from a skip into a failure."""
    return service in os.environ.get("HOLDFAST_REQUIRE", "").split(",")


def missing(service: str, why: str) -> None:
    """Skip, or fail where the service is demanded."""
    if demanded(service):
        pytest.fail(f"{service} is demanded by HOLDFAST_REQUIRE, but {why}")
    pytest.skip(why)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data folder (read only)."""
    folder = Path(os.environ.get("HOLDFAST_SHARED", REPO.parent / "shared"))
    if not (folder / "data").is_dir():
        missing("shared", f"no reference data at {folder}; set HOLDFAST_SHARED")
    return folder


POSTGRES_URL = os.environ.get("HOLDFAST_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")

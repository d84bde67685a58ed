"""What every test may ask for: shared reference data, PostgreSQL, and the right to fail when CI demands them."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent

# Checks of a minute have tests of their own; everything else asks models for what takes seconds.
os.environ.setdefault("HOLDFAST_DEPTH", "quick")

# Helpers that several folders use (bank, plugin_dist) are modules beside this file.
sys.path.insert(0, str(Path(__file__).parent))


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


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """A database of the test's own, once on each engine: what `Store.open` takes as its first argument."""
    if request.param == "sqlite":
        yield None
    else:
        with postgres_schema() as url:
            yield url


@contextmanager
def postgres_schema() -> Iterator[str]:
    """The URL of an empty PostgreSQL schema that goes away afterwards."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = POSTGRES_URL.replace("postgresql+psycopg://", "postgresql://")
    name = f"test_{uuid.uuid4().hex}"
    try:
        connection = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as fault:
        missing("postgres", f"there is no PostgreSQL at {POSTGRES_URL}: {str(fault).splitlines()[0]}")
    with connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{POSTGRES_URL}?options=-csearch_path%3D{name}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")

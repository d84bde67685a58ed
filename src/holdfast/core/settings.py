"""Where Holdfast keeps its state and how it runs: environment over defaults, flags over both."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from holdfast.core.domain.depth import Depth
from holdfast.core.places import MANIFEST_NAME, STATE_NAME, find_manifest

__all__ = ["MANIFEST_NAME", "STATE_NAME", "Settings", "find_manifest"]


class Settings(BaseSettings):
    """Each field is also `HOLDFAST_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_", extra="ignore", frozen=True)

    home: Path | None = Field(None, description="State folder; default: .holdfast beside the manifest.")
    config: Path | None = Field(None, description="Manifest; default: the nearest holdfast.yaml upward.")
    database: str | None = Field(None, description="SQLAlchemy URL; default: SQLite in the state folder.")
    intel: Path | None = Field(None, description="Intelligence snapshot; default: the one that ships inside.")
    names: Path | None = Field(None, description="Signed list of names; default: the one that ships inside.")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256, description="Audit processes.")
    check_timeout_s: float = Field(600.0, gt=0, description="Wall time after which a check is killed.")
    worker_memory_mb: int = Field(8192, ge=256, description="Address space of an audit worker.")
    depth: Depth | None = Field(None, description="quick or full; default: what the manifest says of each model.")
    plugins: tuple[str, ...] = Field((), description="Distributions whose plug-ins may run.")

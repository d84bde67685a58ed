"""How events are taken in and how long they are kept: `HOLDFAST_WATCH_<NAME>` over defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20


class WatchSettings(BaseSettings):
    """Each field is also `HOLDFAST_WATCH_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="HOLDFAST_WATCH_", extra="ignore", frozen=True)

    max_rows: int = Field(100_000, ge=1, le=1_000_000, description="Events in one request.")
    max_body_bytes: int = Field(32 * MIB, ge=1024, description="Bytes of one request as sent.")
    max_unpacked_bytes: int = Field(128 * MIB, ge=1024, description="Bytes of one request when unpacked.")
    max_ratio: float = Field(200.0, ge=1, description="Unpacked bytes per byte sent.")
    max_features: int = Field(2000, ge=1, le=20_000, description="Features of one model.")
    max_text_bytes: int = Field(256, ge=16, le=4096, description="Bytes of one text value.")
    skew_s: float = Field(300.0, ge=0, description="How far in the future an event may claim to be.")
    unknown_model: Literal["refuse", "quarantine"] = Field(
        "refuse", description="Events of models that are not registered: refused, or kept apart unwatched."
    )
    queue_bytes: int = Field(256 * MIB, ge=MIB, description="Memory for requests that wait; beyond it, 503.")
    group_rows: int = Field(100_000, ge=1, description="Events that share one write to disk.")
    group_wait_ms: float = Field(2.0, ge=0, le=1000, description="How long a small request waits for company.")
    pack_bytes: int = Field(128 * MIB, ge=MIB, description="Size at which a pack file is closed and the next begun.")
    repeat_horizon: int = Field(
        16_000_000, ge=1000, le=1_000_000_000, description="Newest events among which a repeated id is noticed."
    )
    seal_segments: int = Field(256, ge=1, le=5000, description="Segments that one ledger entry speaks of, at most.")
    seal_s: float = Field(60.0, gt=0, description="Seconds after which the ledger speaks of new segments.")
    max_producers: int = Field(100_000, ge=1, description="Producers and epochs whose numbering is followed.")
    retention_days: float = Field(90.0, gt=0, description="Days after which segments are deleted as a whole.")

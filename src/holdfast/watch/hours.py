"""A batch's events counted by the hour."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from holdfast.core.store.traffic import SCORE_BINS, TrafficHour
from holdfast.watch.batch import Batch
from holdfast.watch.interface import Context

HOUR_US = 3_600_000_000
MAX_HOURS = 200
"""Hours that one batch adds to; a batch that claims more has its rarest counted in its most frequent one."""


def hours_of(batch: Batch, context: Context) -> list[TrafficHour]:
    """The events of each hour, by time."""
    number = batch.time // HOUR_US
    found, counts = np.unique(number, return_counts=True)
    if len(found) > MAX_HOURS:
        kept = found[np.argsort(-counts, kind="stable")[:MAX_HOURS]]
        number = np.where(np.isin(number, kept), number, kept[0])
        found = np.unique(number)
    return [_hour(batch, np.flatnonzero(number == hour), int(hour), context) for hour in found]


def _hour(batch: Batch, rows: np.ndarray[tuple[int], np.dtype[np.int64]], number: int, context: Context) -> TrafficHour:
    scores = batch.score[rows]
    known = scores[np.isfinite(scores)]
    place = np.clip((known * SCORE_BINS).astype(np.int64), 0, SCORE_BINS - 1)
    return TrafficHour(
        model=batch.model,
        hour=datetime.fromtimestamp(number * 3600, UTC),
        events=len(rows),
        flagged=int((~context.accepted(known)).sum()),
        unscored=len(rows) - len(known),
        scores=tuple(np.bincount(place, minlength=SCORE_BINS).tolist()),
        clients=len(np.unique(batch.client[rows])),
    )

"""From marked rows of a batch to signals: one per entity and batch, with the first event's moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from holdfast.core.domain.alert import Signal
from holdfast.core.domain.ids import JSONValue
from holdfast.watch.batch import Batch, Floats

MAX_EVENTS = 20
MAX_CLIENTS = 20
NEWCOMERS = "newcomers"
"""The entity of clients of few events, taken together."""

Rows = NDArray[np.int64]


def signal(
    detector: str,
    technique: str,
    batch: Batch,
    rows: Rows,
    entity: str,
    strength: float,
    *,
    columns: Iterable[str] = (),
    detail: Mapping[str, JSONValue] | None = None,
) -> Signal:
    """A signal about `rows` (not none, in order)."""
    clients = dict.fromkeys(batch.client_name(int(row)) for row in rows[: 50 * MAX_CLIENTS])
    return Signal(
        detector=detector,
        model=batch.model,
        technique=technique,
        entity=entity,
        strength=round(float(strength), 4),
        at=batch.at(int(rows[0])),
        events=tuple(batch.event_id(int(row)) for row in rows[:MAX_EVENTS]),
        clients=tuple(clients)[:MAX_CLIENTS],
        columns=tuple(columns),
        detail={"rows": len(rows), **(detail or {})},
    )


def by_client(batch: Batch, rates: Floats) -> list[tuple[str, Rows, float]]:
    """(entity, rows, strength) for each client above its bound, and for the clients of few events together."""
    found = []
    strength, pooled = rates[:, 0], rates[:, 1]
    above = np.flatnonzero(strength >= 1.0)
    for code in dict.fromkeys(batch.client[above].tolist()):
        rows = above[batch.client[above] == code]
        found.append((f"client:{batch.clients[code]}", rows, float(strength[rows].max())))
    shared = np.flatnonzero((pooled >= 1.0) & (strength < 1.0))
    if len(shared):
        found.append((NEWCOMERS, shared, float(pooled[shared].max())))
    return found


def scores_of(batch: Batch, rows: Rows) -> dict[str, JSONValue]:
    """First, last and lowest score of some events, where they have any."""
    scores = batch.score[rows]
    known = scores[np.isfinite(scores)]
    if not len(known):
        return {}
    return {
        "score_first": round(float(known[0]), 6),
        "score_last": round(float(known[-1]), 6),
        "score_lowest": round(float(known.min()), 6),
        "score_highest": round(float(known.max()), 6),
    }

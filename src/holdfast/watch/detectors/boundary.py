"""Probing of the decision: a client many of whose questions land just beside the threshold.

Who searches a way across the threshold ends up beside it, question after question. Some honest clients have many
borderline cases; each is compared with itself, and a person asked about twenty times in a row counts once.
"""

from __future__ import annotations

import numpy as np

from holdfast.core.domain.alert import Signal
from holdfast.watch.batch import Batch, Floats
from holdfast.watch.interface import EVASION, Context, State, detector
from holdfast.watch.kernels.rates import SKIP, empty_clients, empty_numbers
from holdfast.watch.learning import people, sample_size, sampled, take_sample
from holdfast.watch.rates import follow
from holdfast.watch.signals import by_client, scores_of, signal

ID, VERSION = "watch.boundary", 1
CLIENTS = 4_096
NEAR_SHARE = 0.02
ALARMING, FLOOR, PRIOR, LEAST = 0.5, 0.02, 40.0, 18.0
_TINY = 1e-12


def start(context: Context) -> State:
    """Nothing is known of the scores yet."""
    size = sample_size(context)
    arrays = {"clients": empty_clients(CLIENTS), "numbers": empty_numbers(), "sample": np.zeros((size, 1))}
    return State(VERSION, {"events": 0, "near": None}, arrays)


def margin(score: Floats, threshold: float) -> Floats:
    """How far scores lie from the threshold, in log odds; NaN where there is none."""
    inside = np.clip(score, _TINY, 1 - _TINY)
    at = min(max(threshold, _TINY), 1 - _TINY)
    found: Floats = np.abs(np.log(inside / (1 - inside)) - np.log(at / (1 - at)))
    return found


@detector(id=ID, version=VERSION, start=start)
def step(state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
    """Follow each client's share of questions beside the threshold."""
    distance = margin(batch.score, context.threshold)
    taken = _learn(state, distance)
    marks = _marks(state, distance, taken)
    rates = follow(state, batch, people(batch), marks, context, (ALARMING, FLOOR, PRIOR, LEAST))
    state.numbers["events"] += len(batch)
    near = marks == 1
    return state, [
        signal(ID, EVASION, batch, rows, entity, value, detail=scores_of(batch, rows))
        for entity, above, value in by_client(batch, rates)
        for rows in (above[near[above]],)
        if len(rows)
    ]


def _learn(state: State, distance: Floats) -> int:
    """Up to which row scores went into the sample that says what `near` is."""
    if sampled(state):
        return 0
    known = np.flatnonzero(np.isfinite(distance))
    taken = take_sample(state, distance[known][:, None], len(state.arrays["sample"]))
    if not sampled(state):
        return len(distance)
    state.numbers["near"] = float(np.quantile(state.arrays["sample"], NEAR_SHARE))
    return int(known[taken - 1]) + 1 if taken else 0


def _marks(state: State, distance: Floats, first: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    marks = np.full(len(distance), SKIP, np.uint8)
    if state.numbers["near"] is not None:
        with np.errstate(invalid="ignore"):
            marks[first:] = distance[first:] < state.numbers["near"]
        marks[~np.isfinite(distance)] = SKIP
    return marks

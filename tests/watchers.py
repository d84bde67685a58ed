"""Traffic for tests of detection: honest events of a simulated bank, and searches among them, without a model."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from holdfast.core.contract import Contract
from holdfast.core.domain.alert import Signal
from holdfast.testing.simulate import CARD_FRAUD_CONTRACT, card_fraud
from holdfast.testing.traffic import SECOND_US, START_US, Asked, Stream, benign, events_table
from holdfast.watch.batch import Batch
from holdfast.watch.interface import Context, State, start_all, step_all

MODEL = "card-fraud"
CONTRACT = Contract.parse(CARD_FRAUD_CONTRACT)
CONTEXT = Context(MODEL, CONTRACT, learning=2_000)
WARM, FRESH = 4_000, 4_000


def predict(X: Any) -> Any:
    """A score that rises with amount, distance and haste, smooth enough to be searched."""
    columns = {name: X[:, place] for place, name in enumerate(CONTRACT.names)}
    with np.errstate(invalid="ignore"):
        amount = np.log(np.maximum(np.nan_to_num(columns["amount"]), 1.0)) - 8.6
        far = np.log1p(np.maximum(np.nan_to_num(columns["distance_km"]), 0.0)) - 1.8
        slow = np.log1p(np.maximum(np.nan_to_num(columns["minutes_since_last"]), 0.0)) - 5.6
    return 1 / (1 + np.exp(-(1.4 * amount + 1.1 * far - 0.5 * slow - 2.0)))


@cache
def honest(seed: int = 7, events: int = WARM + FRESH) -> Stream:
    """Honest events, the same ones for every test."""
    return benign(card_fraud, events, seed)


@cache
def honest_table(seed: int = 7, *, subjects: bool = True) -> pa.Table:
    """The same as a table."""
    stream = honest(seed)
    return stream.table(MODEL, predict(stream.X), subjects=subjects)


def asked(
    X: Any, name: str, *, begin: int = WARM, every: int = 30, client: Any = "intruder", subject: Any = "new"
) -> pa.Table:
    """Rows as events, one in `every` seconds from the moment of an honest event. `client`, `subject`: a name or many.

    The subject `new` is a new person each time, None is none.
    """
    count = len(X)
    when = honest().time[begin] + np.arange(1, count + 1) * every * SECOND_US
    people = [f"{name}-person-{n}" for n in range(count)] if subject == "new" else subject
    said = Asked(
        ids=[f"{name}-{n}" for n in range(count)],
        time=when,
        client=[client] * count if isinstance(client, str) else list(client),
        subject=[people] * count if isinstance(people, str) else people,
    )
    return events_table(CONTRACT, MODEL, X, predict(X), said)


def batch(table: pa.Table) -> Batch:
    """A table as detectors are handed it."""
    return Batch.of(table, CONTRACT)


@cache
def _learned(subjects: bool) -> dict[str, bytes]:
    table = honest_table(subjects=subjects).slice(0, WARM)
    states, signals = step_all(start_all(CONTEXT), batch(table), CONTEXT)
    assert signals == []
    return {name: state.encode() for name, state in states.items()}


def learned(*, subjects: bool = True) -> dict[str, State]:
    """What all detectors remember after the first WARM honest events."""
    return {name: State.decode(data) for name, data in _learned(subjects).items()}


def seen(table: pa.Table, *, subjects: bool = True) -> dict[str, list[Signal]]:
    """What each detector says of a table after the honest events."""
    _, signals = step_all(learned(subjects=subjects), batch(table), CONTEXT)
    found: dict[str, list[Signal]] = {}
    for item in signals:
        found.setdefault(item.detector, []).append(item)
    return found


def near(row: Any, count: int, seed: int = 1, spread: float = 0.05) -> Any:
    """Possible rows near one row: only what can be moved is moved."""
    random = np.random.default_rng(seed)
    X = np.repeat(row[None, :], count, axis=0)
    for place, feature in enumerate(CONTRACT.features):
        if feature.movable:
            X[:, place] = X[:, place] * np.exp(spread * random.standard_normal(count))
    X = CONTRACT.round(X)
    return np.where(CONTRACT.validate(X).valid[:, None], X, row)


def started() -> int:
    """The moment of the first event, microseconds since 1970."""
    return START_US

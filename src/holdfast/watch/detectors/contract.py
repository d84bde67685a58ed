"""Inputs that cannot be: values outside the contract, relations that do not hold, half a payment.

Attack tools move all columns a little and know nothing of integers, derived columns or one-hot groups. Honest
producers break a contract too, but always in the same way; each client is compared with itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.validity import Validity
from holdfast.core.domain.alert import Signal
from holdfast.core.domain.ids import JSONValue
from holdfast.watch.batch import Batch, Keys
from holdfast.watch.interface import EVASION, Context, State, detector
from holdfast.watch.kernels.cells import hash_columns
from holdfast.watch.kernels.rates import empty_clients, empty_numbers
from holdfast.watch.learning import bits
from holdfast.watch.rates import follow
from holdfast.watch.signals import Rows, by_client, signal

ID, VERSION = "watch.contract", 1
CLIENTS = 4_096
ALARMING, FLOOR, PRIOR, LEAST = 0.9, 1e-3, 200.0, 12.0
MAX_NAMED = 8


def start(context: Context) -> State:
    """Nobody has broken anything."""
    del context
    return State(VERSION, {"events": 0}, {"clients": empty_clients(CLIENTS), "numbers": empty_numbers()})


@detector(id=ID, version=VERSION, start=start)
def step(state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
    """Follow each client's share of impossible inputs."""
    found = context.contract.validate(batch.X)
    broken = ~found.valid | batch.invalid.any(axis=1)
    rates = follow(state, batch, _same_row(batch), broken.astype(np.uint8), context, (ALARMING, FLOOR, PRIOR, LEAST))
    state.numbers["events"] += len(batch)
    return state, [
        _signal(batch, found, rows, entity, value)
        for entity, above, value in by_client(batch, rates)
        for rows in (above[broken[above]],)
        if len(rows)
    ]


def _same_row(batch: Batch) -> Keys:
    """A retry of the same request is one event; another row of the same person is not."""
    columns = list(range(batch.X.shape[1]))
    keys = np.zeros((len(batch), 1), np.uint64)
    if columns:
        hash_columns(bits(batch.X, columns), np.ones((1, len(columns)), np.bool_), np.ones(1, np.uint64), keys)
    return keys[:, 0]


def _signal(batch: Batch, found: Validity, rows: Rows, entity: str, strength: float) -> Signal:
    rules = _rules(batch, found, rows)
    columns = dict.fromkeys(name for rule in rules for name in batch.contract.names if rule.split(".")[0] == name)
    detail: dict[str, JSONValue] = {"broken": list(rules)}
    return signal(ID, EVASION, batch, rows, entity, strength, columns=columns, detail=detail)


def _rules(batch: Batch, found: Validity, rows: Rows) -> list[str]:
    """What most of the rows break, the most broken first."""
    counts = [(int(np.isin(item.rows, rows).sum()), item.constraint_id) for item in found.broken]
    unread: NDArray[np.int64] = batch.invalid[rows].sum(axis=0)
    counts += [(int(count), f"{batch.contract.names[place]}.unreadable") for place, count in enumerate(unread)]
    ordered = sorted((item for item in counts if item[0]), key=lambda item: (-item[0], item[1]))
    return [name for _, name in ordered[:MAX_NAMED]]

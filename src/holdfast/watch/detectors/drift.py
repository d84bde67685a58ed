"""Drift: the model is asked about other people than before, or answers otherwise.

Windows of events are compared with the first one by the population stability index. One window may be a batch job;
only what lasts is told, and once in a while.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from holdfast.core.data.drift import Drift, drift
from holdfast.core.data.profile import Profile, profile
from holdfast.core.data.table import Table
from holdfast.core.domain.alert import Signal
from holdfast.core.domain.ids import JSONValue
from holdfast.watch.batch import Batch, Floats
from holdfast.watch.interface import EROSION, Context, State, detector
from holdfast.watch.signals import signal

ID, VERSION = "watch.drift", 1
WINDOW = 10_000
LASTS = 3
QUIET_WINDOWS = 20
LEAST = 0.25
MARGIN = 1.5
LEARNED_WINDOWS = 5
SCORE = "(score)"


def start(context: Context) -> State:
    """No window is full."""
    size = max(256, min(WINDOW, context.learning))
    window = np.zeros((size, len(context.contract.features) + 1))
    numbers = {"events": 0, "filled": 0, "windows": 0, "usual": {}, "lasting": {}, "quiet": 0, "profile": None}
    return State(VERSION, numbers, {"window": window})


def _ready(state: State, context: Context) -> bool:
    del context
    return int(state.numbers["windows"]) > LEARNED_WINDOWS


def _note(state: State, context: Context) -> str:
    del context
    return f"{state.numbers['windows']} windows of {len(state.arrays['window']):,} events"


@detector(id=ID, version=VERSION, start=start, ready=_ready, note=_note)
def step(state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
    """Fill windows; compare each full one."""
    rows = np.column_stack([batch.X, batch.score])
    signals: list[Signal] = []
    place = 0
    while place < len(rows):
        window, filled = state.arrays["window"], int(state.numbers["filled"])
        taken = min(len(window) - filled, len(rows) - place)
        window[filled : filled + taken] = rows[place : place + taken]
        place += taken
        state.numbers["filled"] = filled + taken
        if filled + taken == len(window):
            signals += _full(state, batch, place - 1, context)
            state.numbers["filled"] = 0
    state.numbers["events"] += len(batch)
    return state, signals


def _full(state: State, batch: Batch, row: int, context: Context) -> list[Signal]:
    table = _table(state.arrays["window"], (*context.contract.names, SCORE))
    state.numbers["windows"] += 1
    state.numbers["quiet"] = max(0, state.numbers["quiet"] - 1)
    if state.numbers["profile"] is None:
        state.numbers["profile"] = msgspec.to_builtins(profile(table))
        return []
    found = drift(msgspec.convert(state.numbers["profile"], Profile), table)
    lasting = _lasting(state, found)
    if not lasting or state.numbers["quiet"] or state.numbers["windows"] <= LEARNED_WINDOWS:
        return []
    state.numbers["quiet"] = QUIET_WINDOWS
    return [_signal(batch, row, lasting)]


def _lasting(state: State, found: Drift) -> dict[str, tuple[float, float]]:
    """Index and ratio to its bound of each column that has been beyond it for LASTS windows."""
    usual, lasting = state.numbers["usual"], state.numbers["lasting"]
    moved: dict[str, tuple[float, float]] = {}
    for column in found.columns:
        bound = max(LEAST, MARGIN * usual.get(column.name, 0.0))
        lasting[column.name] = lasting.get(column.name, 0) + 1 if column.psi > bound else 0
        if state.numbers["windows"] <= LEARNED_WINDOWS:
            usual[column.name] = max(usual.get(column.name, 0.0), column.psi)
        if lasting[column.name] >= LASTS:
            moved[column.name] = (column.psi, column.psi / bound)
    return moved


def _signal(batch: Batch, row: int, lasting: dict[str, tuple[float, float]]) -> Signal:
    worst = sorted(lasting, key=lambda name: (-lasting[name][1], name))
    detail: dict[str, JSONValue] = {"psi": {name: round(lasting[name][0], 4) for name in worst[:20]}}
    columns = [name for name in worst if name != SCORE]
    strength = max(ratio for _, ratio in lasting.values())
    return signal(ID, EROSION, batch, np.array([row]), "model", strength, columns=columns, detail=detail)


def _table(rows: Floats, names: tuple[str, ...]) -> Table:
    columns: dict[str, Any] = {name: rows[:, place] for place, name in enumerate(names)}
    return Table.of(columns)

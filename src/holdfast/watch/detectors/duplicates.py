"""Near-duplicates and derivation: many people who are nearly one, or one question asked in ever new words.

Whoever searches an evasion asks about the same case again and again, a little changed. Three kinds of cells see it:
exact values of the columns nobody moves, exact values of small sets of columns that together name a person, and
coarse neighbourhoods of the ranks. People count once per cell, whatever they are re-scored; what a cell usually holds
(thin files are alike) is subtracted; an event that shares a cell with an earlier one belongs to its family, so that a
search that wanders away is followed.

Without subjects, clients take their place: rotating clients show at once, a single one only by the sheer number of
events, above the longest honest series of what-ifs that was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.domain.alert import Signal
from holdfast.core.domain.ids import JSONValue
from holdfast.watch.batch import Batch, Floats, Keys
from holdfast.watch.detectors.cellplan import COARSE, FINE, PARTS, TABLES, fit_cells
from holdfast.watch.interface import EVASION, Context, State, detector
from holdfast.watch.kernels.cells import FLOOR, SEEN, empty_slots, hash_columns, project, watch_cells
from holdfast.watch.learning import bits, own_columns, quantile_grid, ranks, sample_size, sampled, take_sample
from holdfast.watch.signals import MAX_EVENTS, Rows, scores_of, signal

ID, VERSION = "watch.duplicates", 1
SLOTS, FAMILIES = 2**14, 2**13
HALF_LIFE = 50_000.0
RING, ID_LENGTH = 4_096, 64
CHUNK = 10_000
GROUPS = 1 + PARTS + 3
"""The unmovable columns, each small set of columns, fine cells, coarse cells, all of these together."""
STATISTICS = 2 * GROUPS + 2
FEW_PEOPLE, FEW_ALIKE, LONG_FAMILY = 3.6, 2.75, 40.0
"""The least bounds on people in one kind of cell, in all kinds at once, and in a family."""
_LIMIT = 1e12


def start(context: Context) -> State:
    """No cell holds anything."""
    size, width = sample_size(context), len(context.contract.features)
    arrays = {
        "sample": np.zeros((size, width)),
        "people": np.zeros(size, np.uint64),
        "slots": empty_slots(1 + PARTS + 2 * TABLES, SLOTS),
        "families": empty_slots(FAMILIES),
        "bounds": np.zeros((3, STATISTICS)),
        "ring": np.full((RING, width), np.nan),
        "ring_score": np.full(RING, np.nan),
        "ring_id": np.zeros(RING, f"S{ID_LENGTH}"),
    }
    return State(VERSION, {"events": 0, "anchored": False}, arrays)


def _note(state: State, context: Context) -> str:
    events = int(state.numbers["events"])
    if events < context.learning:
        return f"learning: {events:,} of {context.learning:,} events"
    without = int(state.numbers.get("nobody", 0)) / max(events, 1)
    mode = f"{without:.0%} of events name no subject: clients counted instead, less is seen" if without > 0.05 else ""
    return mode or f"{events:,} events, counted by subject"


@detector(id=ID, version=VERSION, start=start, note=_note)
def step(state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
    """Visit the cells of each event."""
    signals: list[Signal] = []
    people = np.where(batch.subject_key == 0, batch.client_key, batch.subject_key)
    state.numbers["nobody"] = int(state.numbers.get("nobody", 0)) + int((batch.subject_key == 0).sum())
    first = _learn(state, batch, people, context.contract)
    begin = int(state.numbers["events"])
    if first < len(batch):
        seen = _watch(state, batch.rows(slice(first, None)), people[first:], begin + first, context)
        signals = [_signal(state, batch, group) for group in _groups(seen, first)]
    _remember(state, batch, begin)
    state.numbers["events"] = begin + len(batch)
    return state, signals


def _learn(state: State, batch: Batch, people: Keys, contract: Contract) -> int:
    """Up to which row events went into the sample that cells are laid out by."""
    if sampled(state):
        return 0
    filled = int(state.numbers.get("sample", 0))
    taken = take_sample(state, batch.X, len(state.arrays["sample"]))
    state.arrays["people"][filled : filled + taken] = people[:taken]
    if sampled(state):
        _, once = np.unique(state.arrays["people"], return_index=True)
        sample = state.arrays["sample"][np.sort(once)][:, own_columns(contract)]
        state.arrays["grid"] = quantile_grid(sample)
        plan = fit_cells(sample, ranks(sample, state.arrays["grid"]), contract)
        state.arrays.update(plan.arrays)
        state.numbers["anchored"] = plan.anchored
    return taken


def _watch(state: State, batch: Batch, people: Keys, begin: int, context: Context) -> NDArray[np.void]:
    """What the kernel says of each event (n,), as `cells.SEEN`."""
    arrays = state.arrays
    arrays["bounds"][FLOOR] = _floors(context)
    seen = np.zeros(len(batch), SEEN)
    numbers = np.array([begin, context.learning, HALF_LIFE], np.float64)
    watch_cells(
        *(arrays["slots"], _groups_of_tables(), arrays["families"], _keys(state, batch)),
        *(people, arrays["bounds"], numbers, seen),
    )
    return seen


def _floors(context: Context) -> Floats:
    """The least bounds: an honest person may be asked about many times in a row, and others only alike by chance."""
    series = float(context.longest_series)
    people = [FEW_PEOPLE] * (GROUPS - 1) + [FEW_ALIKE]
    return np.array(people + [series] * GROUPS + [LONG_FAMILY, 1.5 * series])


def _keys(state: State, batch: Batch) -> Keys:
    """The keys (n, tables) of each event's cells; 0 where a table is not in use."""
    arrays = state.arrays
    own = np.clip(batch.X[:, own_columns(batch.contract)], -_LIMIT, _LIMIT)
    exact, near = 1 + PARTS, 2 * TABLES
    keys = np.zeros((len(batch), exact + near), np.uint64)
    hash_columns(bits(own, list(range(own.shape[1]))), arrays["members"], arrays["part_seeds"], keys)
    if not state.numbers["anchored"]:
        keys[:, 0] = 0
    U = ranks(own, arrays["grid"])
    project(U, arrays["directions"], arrays["offsets"], arrays["widths"], arrays["table_seeds"], keys, exact)
    return keys


def _groups_of_tables() -> NDArray[np.int64]:
    exact = list(range(1 + PARTS))
    return np.array(exact + [FINE] * TABLES + [COARSE] * TABLES, np.int64)


@dataclass(frozen=True, eq=False)
class _Group:
    """The events of one family above its bound: rows of the batch, and the number of each one's parent."""

    family: int
    rows: Rows
    parents: NDArray[np.int64]
    strength: float
    kind: int


def _groups(seen: NDArray[np.void], first: int) -> list[_Group]:
    above = np.flatnonzero(seen["strength"] >= 1.0)
    found = []
    for family in dict.fromkeys(seen["family"][above].tolist()):
        rows = above[seen["family"][above] == family]
        best = rows[seen["strength"][rows].argmax()]
        strength = float(seen["strength"][best])
        found.append(_Group(int(family), rows + first, seen["parent"][rows], strength, int(seen["kind"][best])))
    return found


def _signal(state: State, batch: Batch, group: _Group) -> Signal:
    own = own_columns(batch.contract)
    pairs = [
        (int(row), *_parent(state, batch, int(parent))) for row, parent in zip(group.rows, group.parents, strict=True)
    ]
    known = [(row, values, name) for row, values, name in pairs if values is not None]
    detail: dict[str, JSONValue] = {
        "why": _why(group.kind),
        "compared": len(known),
        **scores_of(batch, group.rows),
    }
    columns: Sequence[str] = ()
    if known:
        rows = batch.X[[row for row, _, _ in known]][:, own]
        before = np.array([values for _, values, _ in known])[:, own]
        differs = ~((rows == before) | (np.isnan(rows) & np.isnan(before)))
        grid = state.arrays["grid"]
        distance = np.abs(ranks(rows, grid) - ranks(before, grid)).max(axis=1)
        moved = np.flatnonzero(differs.mean(axis=0) >= 0.1)
        columns = [batch.contract.names[own[place]] for place in moved]
        detail["distance_median"] = round(float(np.median(distance)), 5)
        detail["differing_median"] = float(np.median(differs.sum(axis=1)))
    parents = list(dict.fromkeys(name for _, _, name in known if name))[:8]
    entity = f"family:{group.family}"
    found = signal(ID, EVASION, batch, group.rows, entity, group.strength, columns=columns, detail=detail)
    return replace(found, events=tuple(dict.fromkeys([*parents, *found.events]))[:MAX_EVENTS])


def _parent(state: State, batch: Batch, number: int) -> tuple[Floats | None, str]:
    """The row and id of an earlier event by its number: in this batch, or among the last RING before it."""
    begin = int(state.numbers["events"])
    if number > begin:
        return batch.X[number - begin - 1], batch.event_id(number - begin - 1)
    if number < 1 or number <= begin - RING:
        return None, ""
    place = number % RING
    return state.arrays["ring"][place], bytes(state.arrays["ring_id"][place]).decode("utf-8", "replace")


def _why(kind: int) -> str:
    whom = "people" if kind < GROUPS or kind == 2 * GROUPS else "events"
    if kind >= 2 * GROUPS:
        return f"{whom} in one family of derived questions"
    group = kind % GROUPS
    where = {
        0: "that share the columns nobody moves",
        FINE: "in one narrow cell",
        COARSE: "in one wide cell",
        GROUPS - 1: "alike in most ways at once",
    }
    return f"{whom} {where.get(group, 'that share the same few columns')}"


def _remember(state: State, batch: Batch, begin: int) -> None:
    """Keep the last rows, so that later events can be compared with them."""
    last = np.arange(max(0, len(batch) - RING), len(batch))
    places = (begin + last + 1) % RING
    state.arrays["ring"][places] = batch.X[last]
    state.arrays["ring_score"][places] = batch.score[last]
    names = (batch.ids[int(row)].as_py().encode() for row in last)
    state.arrays["ring_id"][places] = [name if len(name) <= ID_LENGTH else b"" for name in names]

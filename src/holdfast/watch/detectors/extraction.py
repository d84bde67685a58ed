"""Copying of the model: a client whose questions do not look like the bank's customers.

Who rebuilds a model from its answers asks about made-up people. How plausible a row is, is learned from the model's
own first events: how common each value is, and whether values go together as they usually do.
"""

from __future__ import annotations

import numpy as np

from holdfast.core.domain.alert import Signal
from holdfast.watch.batch import Batch, Floats
from holdfast.watch.interface import EXTRACTION, Context, State, detector
from holdfast.watch.kernels.rates import SKIP, empty_clients, empty_numbers
from holdfast.watch.learning import (
    own_columns,
    people,
    quantile_grid,
    ranks,
    sample_size,
    sampled,
    take_sample,
)
from holdfast.watch.rates import follow
from holdfast.watch.signals import by_client, signal

ID, VERSION = "watch.extraction", 1
CLIENTS = 4_096
ODD_SHARE = 0.02
ALARMING, FLOOR, PRIOR, LEAST = 0.4, 0.02, 40.0, 25.0
BINS = 32
SHRINK = 0.1
_EDGE = 0.02


def start(context: Context) -> State:
    """Nothing is known of the customers yet."""
    size = sample_size(context)
    sample = np.zeros((size, len(own_columns(context.contract))))
    arrays = {"clients": empty_clients(CLIENTS), "numbers": empty_numbers(), "sample": sample}
    return State(VERSION, {"events": 0, "bound": None}, arrays)


@detector(id=ID, version=VERSION, start=start)
def step(state: State, batch: Batch, context: Context) -> tuple[State, list[Signal]]:
    """Follow each client's share of implausible inputs."""
    X = batch.X[:, own_columns(context.contract)]
    first = 0
    if not sampled(state):
        first = take_sample(state, X, len(state.arrays["sample"]))
        if sampled(state):
            _fit(state)
    marks = np.full(len(batch), SKIP, np.uint8)
    if state.numbers["bound"] is not None and first < len(batch):
        marks[first:] = oddness(state, X[first:]) > state.numbers["bound"]
    rates = follow(state, batch, people(batch), marks, context, (ALARMING, FLOOR, PRIOR, LEAST))
    state.numbers["events"] += len(batch)
    odd = marks == 1
    return state, [
        signal(ID, EXTRACTION, batch, rows, entity, value)
        for entity, above, value in by_client(batch, rates)
        for rows in (above[odd[above]],)
        if len(rows)
    ]


def _fit(state: State) -> None:
    sample = state.arrays["sample"]
    grid = quantile_grid(sample)
    state.arrays["grid"] = grid
    edges, rarity = zip(*(_rarity(sample[:, column]) for column in range(sample.shape[1])), strict=True)
    state.arrays["edges"], state.arrays["rarity"] = np.array(edges), np.array(rarity)
    Z = _scores(ranks(sample, grid))
    spread = np.cov(Z, rowvar=False).reshape(Z.shape[1], Z.shape[1])
    mixed = (1 - SHRINK) * spread + SHRINK * np.eye(len(spread))
    state.arrays["whiten"] = np.linalg.inv(np.linalg.cholesky(mixed)).T
    state.arrays["middle"] = Z.mean(axis=0)
    state.numbers["bound"] = float(np.quantile(oddness(state, sample), 1 - ODD_SHARE))


def _rarity(values: Floats) -> tuple[Floats, Floats]:
    """Inner edges (BINS - 1,) of a column's bins, and how rare a value in each is (BINS + 3,): less dense, rarer.

    The last three are: below all that was seen, above it, missing.
    """
    known = np.sort(values[np.isfinite(values)])
    missing = 1 - len(known) / len(values)
    rarity = np.zeros(BINS + 3)
    rarity[-1] = -np.log(max(missing, 0.5 / len(values)))
    if not len(known):
        return np.zeros(BINS + 1), rarity
    edges = np.quantile(known, np.linspace(0, 1, BINS + 1))
    span = max(float(edges[-1] - edges[0]), 1e-12)
    counts = np.bincount(np.clip(np.searchsorted(edges, known, side="right") - 1, 0, BINS - 1), minlength=BINS)
    widths = np.maximum(np.diff(edges) / span, 1e-3)
    density = np.maximum(counts / len(known), 0.5 / len(known)) / widths
    rarity[:BINS] = -np.log(density)
    rarity[BINS : BINS + 2] = rarity[:BINS].max() + 2.0
    return edges, rarity


def oddness(state: State, X: Floats) -> Floats:
    """How implausible rows (n, k) are: rare values, and values that do not go together."""
    edges, rarity = state.arrays["edges"], state.arrays["rarity"]
    total = np.zeros(len(X))
    for column in range(X.shape[1]):
        values = X[:, column]
        place = np.clip(np.searchsorted(edges[column], values, side="right") - 1, 0, BINS - 1)
        place[values < edges[column, 0]] = BINS
        place[values > edges[column, -1]] = BINS + 1
        place[np.isnan(values)] = BINS + 2
        total += rarity[column, place]
    Z = _scores(ranks(X, state.arrays["grid"])) - state.arrays["middle"]
    # Added column by column: a matrix product's last bits depend on how many rows it is given.
    white = np.zeros(Z.shape)
    for column in range(Z.shape[1]):
        white += Z[:, [column]] * state.arrays["whiten"][column]
    for column in range(Z.shape[1]):
        total += 0.5 * white[:, column] ** 2
    return total


def _scores(U: Floats) -> Floats:
    """Ranks as values of a normal distribution (Tukey's lambda, within 0.01 of it)."""
    inside = np.clip(U, _EDGE, 1 - _EDGE)
    found: Floats = 4.91 * (inside**0.14 - (1 - inside) ** 0.14)
    return found

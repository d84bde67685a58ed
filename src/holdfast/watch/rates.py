"""Following a rate per client: what the detectors of odd, impossible and borderline questions share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.watch.batch import Batch, Floats, Keys
from holdfast.watch.interface import Context, State
from holdfast.watch.kernels.rates import watch_rates


def follow(
    state: State,
    batch: Batch,
    people: Keys,
    marks: NDArray[np.uint8],
    context: Context,
    shape: tuple[float, float, float, float],
) -> Floats:
    """Take each event's mark; gives per event (n, 2) how its client, and the young clients, stand to their bound.

    `shape` is the rate looked for, the least rate thought usual, the weight of everybody's rate, the least bound.
    """
    found = np.zeros((len(batch), 2))
    settings = np.array([state.numbers["events"], context.learning, *shape], np.float64)
    watch_rates(state.arrays["clients"], state.arrays["numbers"], batch.client_key, people, marks, settings, found)
    return found

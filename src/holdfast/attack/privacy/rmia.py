"""RMIA: a row's probability over its average, held against the same ratio of strangers. Two shadows are enough.

Zarifzadeh, Liu, Shokri, Low-Cost High-Power Membership Inference Attacks (2024).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.privacy.confidence import share
from holdfast.attack.privacy.game import too_few
from holdfast.attack.privacy.shadows import Shadows

Floats = NDArray[np.float64]
GAMMA = 1.0
"""How many times a stranger's ratio a row's own must be to count as above it."""
SLOPE = 0.3
"""Offline, the average over worlds with the row is guessed from those without: p_in = SLOPE * p_out + 1 - SLOPE."""


def average(shadows: Shadows, *, online: bool) -> Floats:
    """(n,) a row's probability over models, half of which saw it."""
    p = share(shadows.confidence)
    outside = _mean(p, ~shadows.inside)
    within = _mean(p, shadows.inside) if online else SLOPE * outside + 1.0 - SLOPE
    return np.asarray((within + outside) / 2.0, np.float64)


def relative(confidence: Floats, shadows: Shadows, asked: int, *, online: bool, gamma: float = GAMMA) -> Floats:
    """(asked,) share of strangers (the rows after the first `asked`) that a row's ratio exceeds `gamma` times.

    Rows above all strangers are ranked by their ratio itself, by less than one stranger counts.
    """
    p = share(confidence)
    if len(p) <= asked:
        raise too_few("RMIA needs a population of rows that nothing was trained on")
    own = p[:asked] / average(_part(shadows, slice(None, asked)), online=online)
    # Strangers were in no shadow: what is known of them is known offline, whoever asks.
    strangers = np.sort(p[asked:] / average(_part(shadows, slice(asked, None)), online=False))
    beaten = np.searchsorted(strangers, own / gamma, side="right") / strangers.size
    return np.asarray(beaten + own / (1.0 + own) / strangers.size, np.float64)


def _mean(p: Floats, which: NDArray[np.bool_]) -> Floats:
    count = which.sum(axis=0)
    if not count.min(initial=1):
        raise too_few("a row is in all of the shadows, or in none")
    return np.asarray(np.where(which, p, 0.0).sum(axis=0) / count, np.float64)


def _part(shadows: Shadows, rows: slice) -> Shadows:
    return Shadows(shadows.confidence[:, rows], shadows.inside[:, rows])

"""How sure a model is of the label a row has, on a scale on which such numbers are nearly normal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
FINEST = 1e-6
"""Below this, probabilities in float32 are rounding."""


def scaled(probabilities: Floats, labels: Labels, coarse: float = FINEST) -> Floats:
    """log(p / (1 - p)) of the labelled class (n,), from probabilities (n, k); `coarse` is added to both shares.

    `coarse` bounds the result: a forest of T trees cannot tell a share of 0 from one of half a tree.
    Carlini et al., Membership Inference Attacks From First Principles (2022), section IV.
    """
    own = probabilities[np.arange(len(labels)), labels]
    others = probabilities.sum(axis=1) - own
    return np.asarray(np.log(np.maximum(own, 0.0) + coarse) - np.log(np.maximum(others, 0.0) + coarse), np.float64)


def share(confidence: Floats) -> Floats:
    """Back to a probability."""
    return np.asarray(1.0 / (1.0 + np.exp(-confidence)), np.float64)

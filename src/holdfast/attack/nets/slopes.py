"""Gradients of a net with respect to its features, layer by layer in numpy, for many rows at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from holdfast.core.formats.nets import Affine, Bend, Dense, Layer, Net, Numbers, apply, as_inputs, slope

Floats = NDArray[np.float64]


def outputs_and_slopes(net: Net, X: Floats, pull: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Raw outputs (n, K) of rows (n, m), and the gradient (n, m) of `pull(outputs)` . outputs."""
    values, kept = as_inputs(net, X), []
    for layer in net.layers:
        kept.append(values)
        values = apply(layer, values)
    raw = values.astype(np.float64)
    back: Numbers = pull(raw).astype(values.dtype)
    for layer, given in zip(reversed(net.layers), reversed(kept), strict=True):
        back = _back(layer, given, back)
    return raw, back.astype(np.float64)


def _back(layer: Layer, given: Numbers, back: Numbers) -> Numbers:
    match layer:
        case Dense(weight, _):
            return np.asarray(back @ weight.T)
        case Affine(_, factor, _):
            return np.asarray(back * factor)
        case Bend():
            return np.asarray(back * slope(layer, given))

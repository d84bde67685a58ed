"""Layers, as a reader finds them, joined into a Net and proven to fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.core.formats.faults import inconsistent, no_net, oversize
from holdfast.core.formats.nets import Affine, Bend, Curve, Dense, Layer, Net, Numbers
from holdfast.core.formats.trees import Link

MAX_LAYERS = 1_000
MAX_WEIGHTS = 200_000_000
LOGITS = "no probabilities are made in the file: its outputs are taken for logits"


def dense(weight: Any, bias: Any, dtype: str, kind: str) -> Dense:
    """A dense layer of a weight (m, k) and a bias (k,) or None."""
    weight = np.ascontiguousarray(weight, dtype=dtype)
    if weight.ndim != 2 or not weight.size:
        raise inconsistent(kind, f"a layer has weights of shape {weight.shape}")
    bias = np.zeros(weight.shape[1], dtype) if bias is None else np.asarray(bias, dtype=dtype)
    if bias.shape != (weight.shape[1],):
        raise inconsistent(kind, f"a layer of {weight.shape[1]} outputs has a bias of shape {bias.shape}")
    return Dense(weight, bias)


def affine(width: int, dtype: str, kind: str, *, offset: Any = 0.0, factor: Any = 1.0, shift: Any = 0.0) -> Affine:
    """A step value by value; each part a number or `width` numbers."""
    try:
        offset, factor, shift = (
            np.broadcast_to(np.asarray(part, dtype=dtype).reshape(-1), (width,)) for part in (offset, factor, shift)
        )
    except ValueError:
        raise inconsistent(kind, f"a step of another width than the {width} values it is given") from None
    return Affine(offset, factor, shift)


def batch_norm(mean: Any, variance: Any, scale: Any, shift: Any, epsilon: float, dtype: str, kind: str) -> Affine:
    """A batch norm at prediction, folded as libraries fold it: x * factor + (shift - mean * factor)."""
    mean, variance, scale, shift = (np.asarray(part, dtype=dtype) for part in (mean, variance, scale, shift))
    if mean.ndim != 1 or any(part.shape not in (mean.shape, ()) for part in (variance, scale, shift)):
        raise inconsistent(kind, "a batch norm's parts differ in length")
    if not epsilon >= 0 or np.any(variance + np.dtype(dtype).type(epsilon) <= 0):
        raise inconsistent(kind, "a batch norm divides by zero")
    factor = scale / np.sqrt(variance + np.dtype(dtype).type(epsilon))
    return affine(mean.size, dtype, kind, factor=factor, shift=shift - mean * factor)


def assemble(
    layers: Sequence[Layer], *, n_features: int, dtype: str, source: str, kind: str, link: Link | None = None
) -> Net:
    """The net. Without `link` a last sigmoid becomes it, and plain outputs are taken for logits.

    FormatError HF-FMT-011 where layers do not fit, HF-FMT-012 where there are too many, HF-FMT-013 without any.
    """
    notes: tuple[str, ...] = ()
    chain = tuple(layers)
    if link is None and chain and isinstance(chain[-1], Bend) and chain[-1].curve is Curve.SIGMOID:
        chain, link = chain[:-1], Link.SIGMOID
    width = _check(chain, n_features, kind)
    if link is None:
        link, notes = (Link.SIGMOID if width == 1 else Link.SOFTMAX), (LOGITS,)
    if link is Link.SOFTMAX and width == 1:
        raise no_net(kind, "a softmax of one output is always 1")
    return Net(chain, dtype, link, n_features, width, max(2, width), source, notes)


def _check(layers: tuple[Layer, ...], n_features: int, kind: str) -> int:
    """The width of the outputs, once every layer fits the one before it."""
    if len(layers) > MAX_LAYERS:
        raise oversize(kind, "layers", len(layers), MAX_LAYERS)
    if not any(isinstance(layer, Dense) for layer in layers):
        raise no_net(kind, "it has no dense layer")
    weights = sum(layer.weight.size for layer in layers if isinstance(layer, Dense))
    if weights > MAX_WEIGHTS:
        raise oversize(kind, "weights", weights, MAX_WEIGHTS)
    width = n_features
    for layer in layers:
        wanted, after = _widths(layer, width)
        if wanted != width:
            raise inconsistent(kind, f"a layer of {wanted} inputs is given {width}")
        if not all(np.isfinite(part).all() for part in _numbers(layer)):
            raise inconsistent(kind, "a weight is not a finite number")
        width = after
    return width


def _widths(layer: Layer, width: int) -> tuple[int, int]:
    match layer:
        case Dense(weight, _):
            return weight.shape[0], weight.shape[1]
        case Affine(offset, _, _):
            return offset.size, offset.size
    return width, width


def _numbers(layer: Layer) -> tuple[Numbers, ...]:
    match layer:
        case Dense(weight, bias):
            return weight, bias
        case Affine(offset, factor, shift):
            return offset, factor, shift
        case Bend(_, alpha):
            return (np.array(alpha),)

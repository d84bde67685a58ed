"""Feed-forward nets as one shape: layers in order, computed in the dtype of the library that trained them.

A linear model is a net of one layer. What makes probabilities of the last outputs is kept apart as the link, so that
outputs are margins, as those of trees are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from holdfast.core.domain.transform import Category, Transform
from holdfast.core.formats.faults import misfit
from holdfast.core.formats.margins import sigmoid
from holdfast.core.formats.trees import Link

Numbers = NDArray[Any]
"""float32 or float64, as the library computes."""
Floats = NDArray[np.float64]
CHUNK = 65_536
"""Rows computed at once: bounds memory."""
_ROOT_HALF = 0.7071067811865476
_TANH_SCALE, _TANH_CUBE = 0.7978845608028654, 0.044715


class Curve(StrEnum):
    """An activation, value by value."""

    RELU = "relu"
    LEAKY_RELU = "leaky-relu"
    """x, or alpha * x below 0."""
    ELU = "elu"
    """x, or alpha * (exp(x) - 1) below 0."""
    TANH = "tanh"
    SIGMOID = "sigmoid"
    GELU = "gelu"
    """x times the share of a normal distribution below x."""
    GELU_TANH = "gelu-tanh"
    """The approximation of GELU by tanh."""
    SILU = "silu"
    """x * sigmoid(x)."""


@dataclass(frozen=True, eq=False)
class Dense:
    """x @ weight + bias; weight (m, k), bias (k,)."""

    weight: Numbers
    bias: Numbers


@dataclass(frozen=True, eq=False)
class Affine:
    """(x - offset) * factor + shift, each (m,): normalised inputs, folded batch norms."""

    offset: Numbers
    factor: Numbers
    shift: Numbers


@dataclass(frozen=True, eq=False)
class Bend:
    """An activation; `alpha` for the curves that have one."""

    curve: Curve
    alpha: float = 0.0


Layer = Dense | Affine | Bend


@dataclass(frozen=True, eq=False)
class Net:
    """Layers from features to outputs."""

    layers: tuple[Layer, ...]
    dtype: str
    """'float32' or 'float64': inputs are cast to it, layers hold it."""
    link: Link
    """SIGMOID: each output by itself; SOFTMAX; STEP where only the side of 0, or the largest output, counts."""
    n_features: int
    n_outputs: int
    n_classes: int
    """Classes told apart: 2 for one output; 0 for a regression."""
    source: str
    """Format it was read from: onnx, sklearn-joblib, torch-zip."""
    notes: tuple[str, ...] = ()
    """What the file leaves open, and how it was taken."""

    @property
    def n_weights(self) -> int:
        """Multiplications for one row."""
        return sum(layer.weight.size if isinstance(layer, Dense) else 0 for layer in self.layers)


@dataclass(frozen=True, slots=True)
class NetModel:
    """A net and what surrounds it in the artifact: the steps in front of it, its class labels."""

    net: Net
    transforms: tuple[Transform, ...] = ()
    """Steps from the model's raw columns to the net's features, in order."""
    classes: tuple[Category, ...] = ()
    """Label of each class, in the order of the scores; empty where the file has none."""
    columns: tuple[str, ...] = ()
    """Names of the raw columns, where the artifact keeps them."""

    @property
    def columns_given(self) -> tuple[str, ...]:
        """The names by which the model asks for its raw columns, in its order; empty where it goes by position."""
        return self.columns


def net_margins(net: Net, X: ArrayLike) -> Floats:
    """Raw outputs (n, n_outputs) for rows `X` (n, n_features). FormatError HF-FMT-015 where X does not fit."""
    rows = _matrix(net, X)
    out = np.empty((len(rows), net.n_outputs))
    for start in range(0, len(rows), CHUNK):
        values = rows[start : start + CHUNK]
        for layer in net.layers:
            values = apply(layer, values)
        out[start : start + CHUNK] = values
    return out


def net_scores(net: Net, raw: Floats) -> Floats:
    """Class probabilities (n, n_classes) for raw outputs (n, n_outputs); one output becomes two columns."""
    if net.link is Link.SOFTMAX:
        shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
    if net.link is Link.IDENTITY:
        answer = raw
    else:
        answer = sigmoid(raw) if net.link is Link.SIGMOID else np.where(raw > 0.0, 1.0, 0.0)
    return np.hstack((1.0 - answer, answer)) if net.n_outputs == 1 else answer


def as_inputs(net: Net, X: ArrayLike) -> Numbers:
    """Rows in the net's dtype; what float32 cannot hold is infinite, as it is to the library."""
    with np.errstate(over="ignore"):
        return np.asarray(X, dtype=np.float64).astype(net.dtype)


def apply(layer: Layer, values: Numbers) -> Numbers:
    """One layer on values (n, m)."""
    match layer:
        case Dense(weight, bias):
            return np.asarray(values @ weight + bias)
        case Affine(offset, factor, shift):
            return np.asarray((values - offset) * factor + shift)
        case Bend():
            return bend(layer, values)


def bend(layer: Bend, x: Numbers) -> Numbers:
    """An activation, in the dtype of its values."""
    with np.errstate(over="ignore", under="ignore"):
        match layer.curve:
            case Curve.RELU:
                return np.asarray(np.maximum(x, 0))
            case Curve.LEAKY_RELU:
                return np.where(x > 0, x, x * x.dtype.type(layer.alpha))
            case Curve.ELU:
                return np.where(x > 0, x, x.dtype.type(layer.alpha) * np.expm1(np.minimum(x, 0)))
            case Curve.TANH:
                return np.asarray(np.tanh(x))
            case Curve.SIGMOID:
                return _sigmoid(x)
            case Curve.SILU:
                return np.asarray(x * _sigmoid(x))
            case Curve.GELU:
                return np.asarray(x * _below(x))
            case Curve.GELU_TANH:
                return np.asarray(x * (1 + np.tanh(_cubic(x))) / 2)


def slope(layer: Bend, x: Numbers) -> Numbers:
    """How an activation rises at each of its values; at a kink, from the right for RELU's zero side: 0."""
    one = x.dtype.type(1)
    with np.errstate(over="ignore", under="ignore"):
        match layer.curve:
            case Curve.RELU:
                return (x > 0).astype(x.dtype)
            case Curve.LEAKY_RELU:
                return np.asarray(np.where(x > 0, one, x.dtype.type(layer.alpha)))
            case Curve.ELU:
                return np.asarray(np.where(x > 0, one, x.dtype.type(layer.alpha) * np.exp(np.minimum(x, 0))))
            case Curve.TANH:
                return np.asarray(one - np.tanh(x) ** 2)
            case Curve.SIGMOID:
                share = _sigmoid(x)
                return np.asarray(share * (one - share))
            case Curve.SILU:
                share = _sigmoid(x)
                return np.asarray(share * (one + x * (one - share)))
            case Curve.GELU:
                return np.asarray(_below(x) + x * np.exp(-x * x / 2) * x.dtype.type(0.3989422804014327))
            case Curve.GELU_TANH:
                inner = np.tanh(_cubic(x))
                rise = x.dtype.type(_TANH_SCALE) * (one + x.dtype.type(3 * _TANH_CUBE) * x * x)
                return np.asarray((one + inner) / 2 + x * (one - inner**2) * rise / 2)


def _sigmoid(x: Numbers) -> Numbers:
    small = np.exp(-np.abs(x))
    one = x.dtype.type(1)
    return np.asarray(np.where(x >= 0, one, small) / (one + small))


def _below(x: Numbers) -> Numbers:
    from scipy.special import erf

    return np.asarray((1 + erf(x * x.dtype.type(_ROOT_HALF))) / 2, x.dtype)


def _cubic(x: Numbers) -> Numbers:
    return np.asarray(x.dtype.type(_TANH_SCALE) * (x + x.dtype.type(_TANH_CUBE) * x * x * x))


def _matrix(net: Net, X: ArrayLike) -> Numbers:
    try:
        rows = as_inputs(net, X)
    except (TypeError, ValueError) as fault:
        raise misfit(f"a value is not a number: {fault}") from fault
    if rows.ndim != 2 or rows.shape[1] != net.n_features:
        raise misfit(f"the matrix has shape {rows.shape}; the model reads {net.n_features} columns")
    return rows

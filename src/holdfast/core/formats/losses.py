"""The link that belongs to a fitted scikit-learn boosting model's loss."""

from __future__ import annotations

from holdfast.core.formats.faults import unsupported
from holdfast.core.formats.instances import KIND, Instance
from holdfast.core.formats.trees import Link

_LINKS = {
    "HalfBinomialLoss": (Link.SIGMOID, 1.0),
    "BinomialDeviance": (Link.SIGMOID, 1.0),
    "BinaryCrossEntropy": (Link.SIGMOID, 1.0),
    "ExponentialLoss": (Link.SIGMOID, 2.0),
    "HalfMultinomialLoss": (Link.SOFTMAX, 1.0),
    "MultinomialDeviance": (Link.SOFTMAX, 1.0),
    "CategoricalCrossEntropy": (Link.SOFTMAX, 1.0),
    **dict.fromkeys(("HalfPoissonLoss", "HalfGammaLoss", "Poisson"), (Link.EXP, 1.0)),
    **dict.fromkeys(("HalfSquaredError", "AbsoluteError", "HuberLoss", "PinballLoss"), (Link.IDENTITY, 1.0)),
    **dict.fromkeys(("LeastSquaresError", "LeastAbsoluteError", "HuberLossFunction"), (Link.IDENTITY, 1.0)),
    **dict.fromkeys(("QuantileLossFunction", "LeastSquares", "LeastAbsoluteDeviation"), (Link.IDENTITY, 1.0)),
}


def link_of(found: Instance) -> tuple[Link, float]:
    """(link, slope) of a fitted GradientBoosting or HistGradientBoosting model."""
    loss = found.child("_loss")
    if loss.package != "sklearn" or loss.name not in _LINKS:
        raise unsupported(KIND, f"its loss {loss.name[:60]!r} has no known link")
    return _LINKS[loss.name]

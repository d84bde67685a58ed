"""A net as an attack sees it: its own arithmetic, and its gradients over the contract's raw columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.interface import Goal
from holdfast.attack.nets.aim import ROUNDING, NetAim, aim_at
from holdfast.attack.nets.lens import Lens
from holdfast.attack.nets.slopes import outputs_and_slopes
from holdfast.attack.target import refuse_unreadable
from holdfast.core.contract import Contract
from holdfast.core.formats.nets import Affine, Bend, Dense, Layer, Net, NetModel, net_margins, net_scores

if TYPE_CHECKING:
    from holdfast.core.contract import FeatureMap

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NetTarget:
    """A white box. Rows `X` are (n, d) in raw contract units, float64.

    It answers black-box attacks too (`margins`, `background`), which makes them comparable on the same model.
    """

    faces: ClassVar[tuple[str, ...]] = ("net", "scores", "decisions")
    net: Net
    contract: Contract
    feature_map: FeatureMap
    lens: Lens

    @classmethod
    def of(cls, model: NetModel, contract: Contract, feature_map: FeatureMap) -> NetTarget:
        """Raises TargetError where a step in front of the net is opaque (HF-ATK-001) or columns differ (HF-ATK-002)."""
        refuse_unreadable(feature_map, model.net.n_features, "the layers")
        return cls(model.net, contract, feature_map, Lens.of(contract, feature_map))

    @cached_property
    def wide(self) -> Net:
        """The same net in float64: what it differs by is what rounding can do."""
        return replace(self.net, dtype="float64", layers=tuple(_widened(layer) for layer in self.net.layers))

    @property
    def background(self) -> Floats:
        """Rows an attacker has; none."""
        return np.empty((0, len(self.contract.features)))

    def raw(self, X: Floats) -> Floats:
        """Raw outputs (n, K), in the arithmetic of the model's library."""
        return net_margins(self.net, self.feature_map.apply(X))

    def scores(self, X: Floats) -> Floats:
        """Class probabilities (n, n_classes)."""
        return net_scores(self.net, self.raw(X))

    def margins(self, X: Floats, goal: Goal) -> Floats:
        """(n,) how far beyond the decision each row stands, in raw outputs; above 0 is what the attacker wants."""
        return aim_at(self.net, goal).gaps(self.raw(X))

    def gradient(self, X: Floats, aim: NetAim) -> tuple[Floats, Floats]:
        """Gaps (n,) and how they change with each inner feature (n, m). Rows the net cannot take have the gap -inf."""
        raw, slopes = outputs_and_slopes(self.net, self.feature_map.apply(X), aim.pull)
        gaps = aim.gaps(raw)
        return np.where(np.isfinite(gaps), gaps, -np.inf), np.where(np.isfinite(slopes), slopes, 0.0)

    def crossed(self, X: Floats, aim: NetAim) -> Bools:
        """(n,) rows beyond doubt where the attacker wants them: no order of summing brings them back."""
        if not len(X):
            return np.zeros(0, np.bool_)
        inner = self.feature_map.apply(X)
        raw = net_margins(self.net, inner)
        own, wide = aim.gaps(raw), aim.gaps(net_margins(self.wide, inner))
        last = float(np.finfo(self.net.dtype).eps) * ROUNDING * (1.0 + np.abs(raw).max(axis=1))
        doubt = last + 4.0 * np.abs(own - wide) + aim.score_guard
        return np.asarray(np.minimum(own, wide) > doubt)


def _widened(layer: Layer) -> Layer:
    match layer:
        case Dense(weight, bias):
            return Dense(weight.astype(np.float64), bias.astype(np.float64))
        case Affine(offset, factor, shift):
            return Affine(offset.astype(np.float64), factor.astype(np.float64), shift.astype(np.float64))
        case Bend():
            return layer

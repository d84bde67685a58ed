"""Puts a model that was trained on cells back onto raw values.

XGBoost tests at values it was shown, the lower ends of cells: nothing is to be done. LightGBM tests half-way between
two of them, so its file's thresholds are moved to the cut between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from holdfast.core.learn.interface import Fitted
    from holdfast.core.learn.learners import LightGBMFitted

Floats = NDArray[np.float64]


def recut(fitted: Fitted, cuts: Mapping[int, Floats]) -> Fitted:
    """The same model, its guarded columns tested at `cuts` (by contract column) exactly."""
    from holdfast.core.learn.learners import LightGBMFitted

    return _lightgbm(fitted, cuts) if isinstance(fitted, LightGBMFitted) else fitted


def _lightgbm(fitted: LightGBMFitted, cuts: Mapping[int, Floats]) -> Fitted:
    import lightgbm

    by_place = {place: cuts[column] for place, column in enumerate(fitted.learner.order) if column in cuts}
    text = "\n".join(_lines(fitted.booster.model_to_string(), by_place))
    return type(fitted)(fitted.learner, lightgbm.Booster(model_str=text))


def _lines(text: str, cuts: Mapping[int, Floats]) -> Iterator[str]:
    """The file's lines with thresholds moved. The sizes of its trees are left out: they change, and are optional."""
    columns: list[int] = []
    for line in text.split("\n"):
        name, _, rest = line.partition("=")
        if name == "split_feature":
            columns = [int(word) for word in rest.split()]
        if name == "threshold":
            yield "threshold=" + " ".join(map(_moved, columns, rest.split(), [cuts] * len(columns)))
        elif name != "tree_sizes":
            yield line


def _moved(column: int, word: str, cuts: Mapping[int, Floats]) -> str:
    if column not in cuts:
        return word
    ends = cuts[column]
    above = min(int(np.searchsorted(ends, float(word), side="right")), ends.size - 1)
    return repr(float(np.nextafter(ends[above], -np.inf)))  # it sends what is equal to the left; cells begin at cuts

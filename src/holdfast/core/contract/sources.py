"""What one inner feature of a model is: a raw column of the contract, and the steps its values go through.

Every step is float64 arithmetic exactly as scikit-learn does it. As a function of the raw value a source is
monotone between its `points`, and what a missing value becomes is `values([nan])`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from holdfast.core.contract.matrix import Floats

Kind = Literal["numeric", "indicator", "ordinal", "missing"]


@dataclass(frozen=True, slots=True)
class Shift:
    """(x - offset) / factor, or x * factor + offset where `multiply`."""

    offset: float
    factor: float
    multiply: bool = False

    def __call__(self, values: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return values * self.factor + self.offset if self.multiply else (values - self.offset) / self.factor


@dataclass(frozen=True, slots=True)
class Fill:
    """A missing value becomes `value`."""

    value: float

    def __call__(self, values: Floats) -> Floats:
        return np.where(np.isnan(values), self.value, values)


@dataclass(frozen=True, slots=True)
class Match:
    """1 where the value is `code` (missing, if that is NaN), else 0."""

    code: float

    def __call__(self, values: Floats) -> Floats:
        hit = np.isnan(values) if math.isnan(self.code) else values == self.code
        return hit.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The position of the value in `codes`; `unknown` where it is not there, `missing` where it is NaN."""

    codes: tuple[float, ...]
    unknown: float
    missing: float

    def __call__(self, values: Floats) -> Floats:
        codes = np.array(self.codes)
        order = np.argsort(codes, kind="stable")
        at = np.searchsorted(codes[order], values)
        nearest = order[np.minimum(at, len(codes) - 1)] if len(codes) else np.zeros(len(values), dtype=np.int64)
        found = np.full(len(values), self.unknown)
        if len(codes):
            found = np.where(codes[nearest] == values, nearest, found)
        return np.where(np.isnan(values), self.missing, found)


Step = Shift | Fill | Match | Lookup


@dataclass(frozen=True)
class Source:
    """An inner feature. `column` is the position of its raw column in the contract.

    kind: `numeric` is a monotone function of a number, `indicator` says whether the raw value is one category,
    `ordinal` is the position of a category, `missing` says whether the raw value is missing. `points` are the raw
    values at which it may differ from both neighbours; between them it is monotone.
    """

    column: int
    kind: Kind = "numeric"
    steps: tuple[Step, ...] = ()
    points: tuple[float, ...] = ()
    text: bool = False

    def values(self, raw: Floats) -> Floats:
        """Inner values (n,) of raw values (n,)."""
        found = np.asarray(raw, dtype=np.float64)
        for step in self.steps:
            found = step(found)
        return found

    @property
    def shifted(self) -> bool:
        """Whether a number was scaled before it was encoded, so that categories no longer name raw values."""
        return self.kind == "numeric" and any(isinstance(step, Shift) for step in self.steps)

    def then(self, step: Step) -> Source:
        """The source behind a step that keeps its kind."""
        return replace(self, steps=(*self.steps, step))

    def encoded(self, step: Match | Lookup, kind: Kind) -> Source:
        """The source behind an encoder, whose categories become points unless an earlier encoder set them."""
        codes = (step.code,) if isinstance(step, Match) else step.codes
        own = tuple(code for code in codes if not math.isnan(code))
        points = own if self.kind == "numeric" else self.points
        return replace(self.then(step), kind=kind, points=points, text=False)

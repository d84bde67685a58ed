"""What a hardening recipe is: one decorated function that trains candidates and judges none of them.

@recipe(id="regularise", version=1)
def regularise(bench): yield Draft(...)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.core.contract import Contract

    Floats = NDArray[np.float64]

ENTRY_POINTS = "holdfast.recipes"
OWN = tuple(f"holdfast.harden.recipes.{name}" for name in ("adversarial", "combined", "regularise"))

Params = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown, in words that both libraries know.

    `min_leaf` is the least sum of second derivatives in a leaf (of a calibrated binary model: the sum of p(1-p));
    `monotone` is none, data (as the training labels rank by a movable column) or safe (as `data`, but a column that an
    attacker can only push one way may not help him).
    """

    trees: int = 120
    depth: int = 3
    rate: float = 0.1
    min_leaf: float = 5.0
    l2: float = 1.0
    column_share: float = 1.0
    bins: int = 256
    monotone: str = "none"


class Fitted(Protocol):
    """A trained model, in the process that trained it."""

    def margins(self, X: Floats) -> Floats:
        """Log-odds (n,) of class 1 for raw contract rows (n, d)."""
        ...

    def cuts(self) -> Mapping[int, Floats]:
        """By contract column, the sorted thresholds at which the trees test it."""
        ...

    def shifted(self, shift: float) -> Fitted:
        """The same model with all margins raised by `shift`."""
        ...

    def save(self) -> bytes:
        """The artifact, in the format of the original."""
        ...


class Learner(Protocol):
    """A library that grows boosted trees."""

    def fit(self, X: Floats, y: Floats, weights: Floats, growth: Growth, signs: tuple[int, ...], seed: int) -> Fitted:
        """Train on raw contract rows (n, d), labels 0 or 1 (n,). `signs` (d,): 1 rising, -1 falling, 0 free."""
        ...


@dataclass(frozen=True, eq=False)
class Bench:
    """What a recipe works with. Everything is of the training part; held-out rows never come here."""

    contract: Contract
    X: Floats
    """(n, d) raw contract rows."""
    y: Floats
    """(n,) 0 or 1."""
    scales: Floats
    """(d,) unit of distance of each column."""
    harmed: int
    """The class that an attacker wants to leave."""
    linf: float
    """The box the model is wanted to withstand."""
    original: Growth
    """What the original's trees look like."""
    learner: Learner
    seed: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A trained candidate and the parameters that made it."""

    params: Params
    fitted: Fitted


class Recipe(Protocol):
    """One way to make candidates. The same bench gives the same candidates."""

    def __call__(self, bench: Bench) -> Iterator[Draft]:
        """Train candidates one by one, the most promising first."""
        ...


@dataclass(frozen=True, slots=True)
class RecipeSpec:
    """A registered recipe."""

    id: str
    version: int
    make: Recipe


Function = TypeVar("Function", bound=Recipe)


def _load_own() -> None:
    for module in OWN:
        importlib.import_module(module)


RECIPES: Registry[RecipeSpec] = Registry("recipe", ENTRY_POINTS, _load_own)


def recipe(*, id: str, version: int) -> Callable[[Function], Function]:  # noqa: A002
    """Register a function as the recipe `id`."""

    def register(function: Function) -> Function:
        RECIPES.add(id, RecipeSpec(id, version, function))
        return function

    return register

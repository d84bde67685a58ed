"""What a hardening recipe is: one decorated function that trains candidates and judges none of them.

@recipe(id="regularise", version=1)
def regularise(bench): yield Draft(...)
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from holdfast.core.learn.interface import Fitted, Growth, Learner
from holdfast.core.plugins import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.core.contract import Contract

    Floats = NDArray[np.float64]

ENTRY_POINTS = "holdfast.recipes"
OWN = tuple(
    f"holdfast.harden.recipes.{name}"
    for name in ("adversarial", "combined", "explore", "guard", "regularise", "rounds")
)

Params = Mapping[str, float | str]


def _silent(words: str) -> None:
    """Nobody waits."""


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
    order: tuple[int, ...] = ()
    """The contract columns that the artifact reads, in its order."""
    flag_rate: float = 0.5
    """The share of training rows that the original decides as class 1, and every candidate will."""
    may_cost: float = 0.01
    """The AUC that may be lost."""
    trials: int = 36
    """How many plans a recipe that searches may try."""
    tell: Callable[[str], None] = _silent
    """Takes a few words about what is being tried, for whoever waits."""


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

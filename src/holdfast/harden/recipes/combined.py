"""Regularised trees trained beside moved copies: directions make a box's worst corner one that training can meet."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.learn.interface import Growth
from holdfast.harden.growths import with_copies
from holdfast.harden.interface import Bench, Draft, recipe

STUMPY = Growth(trees=300, depth=2, rate=0.05, column_share=0.5, monotone="data")
SHALLOW = Growth(trees=200, depth=3, rate=0.06, min_leaf=20, column_share=0.5, monotone="data")
TRIED = (
    (STUMPY, 0.28),
    (SHALLOW, 0.35),
    (STUMPY, 0.2),
    (SHALLOW, 0.5),
    (SHALLOW, 0.25),
    (STUMPY, 0.4),
    (STUMPY, 0.7),
    (STUMPY, 1.0),
)
"""Trees, and the weight of the moved copies: more of it buys robustness and costs ranking."""


@recipe(id="combined", version=1)
def combined(bench: Bench) -> Iterator[Draft]:
    """One candidate per pair of trees and weight."""
    for growth, weight in TRIED:
        yield with_copies(bench, growth, weight)

"""Shallower trees, larger leaves, fewer cuts, directions where they make sense: often costs nothing."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.learn.interface import Growth
from holdfast.harden.growths import plain
from holdfast.harden.interface import Bench, Draft, recipe

GROWTHS = (
    Growth(depth=3, min_leaf=5, column_share=0.5, monotone="data"),
    Growth(depth=2, min_leaf=20, monotone="data"),
    Growth(depth=4, min_leaf=50),
    Growth(depth=3, min_leaf=20, l2=5, column_share=0.5, bins=32, monotone="safe"),
)


@recipe(id="regularise", version=1)
def regularise(bench: Bench) -> Iterator[Draft]:
    """A fit for each of a handful of settings."""
    for growth in GROWTHS:
        yield plain(bench, growth)

"""Depths are an order: a deeper audit holds everything a shallower one does."""

from __future__ import annotations

from itertools import pairwise

from holdfast.core.domain.depth import Depth


def test_each_depth_covers_itself_and_those_before_it_only() -> None:
    for less, more in pairwise(Depth):
        assert more.covers(less)
        assert more.covers(more)
        assert not less.covers(more)

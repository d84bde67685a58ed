"""What recipes share: one fit on clean rows, and one on clean rows with moved copies beside them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from holdfast.core.learn.interface import Fitted, Growth
from holdfast.harden.interface import Bench, Draft
from holdfast.harden.signs import signs
from holdfast.harden.steps import perturb

ROUNDS = 4
COPIED_ROWS = 1_500
"""Rows of the harmed class that are moved in each round, at most."""
REACH = 1.2
"""Copies are moved a little beyond the box wanted: the training attack finds less than the search that judges."""


def plain(bench: Bench, growth: Growth) -> Draft:
    """A fit on the training rows as they are."""
    ones = np.ones(len(bench.y))
    fitted = bench.learner.fit(bench.X, bench.y, ones, growth, signs(bench, growth.monotone), bench.seed)
    return Draft(asdict(growth), fitted)


def with_copies(bench: Bench, growth: Growth, weight: float) -> Draft:
    """Rounds of moving rows of the harmed class against the model so far, and training again with the copies beside.

    All copies of a row together weigh `weight` times the row itself.
    """
    random = np.random.default_rng(bench.seed)
    cases = np.flatnonzero(bench.y == bench.harmed)
    copies: list[Any] = []
    # What the copies are moved against may be rough; only the last fit is kept.
    rough = replace(growth, trees=max(1, growth.trees // 2))
    fitted = plain(bench, rough).fitted
    for left in reversed(range(ROUNDS)):
        chosen = bench.X[random.permutation(cases)[:COPIED_ROWS]]
        toward = -1.0 if bench.harmed == 1 else 1.0
        moved = perturb(
            fitted,
            bench.contract,
            chosen,
            scales=bench.scales,
            linf=REACH * bench.linf,
            toward=toward,
            random=random,
        )
        copies.append(moved)
        fitted = _refit(bench, rough if left else growth, copies, weight * len(cases) / len(chosen))
    return Draft({**asdict(growth), "weight": weight, "rounds": ROUNDS, "reach": REACH * bench.linf}, fitted)


def _refit(bench: Bench, growth: Growth, copies: list[Any], weight: float) -> Fitted:
    moved = np.concatenate(copies)
    X = np.concatenate([bench.X, moved])
    y = np.concatenate([bench.y, np.full(len(moved), float(bench.harmed))])
    weights = np.concatenate([np.ones(len(bench.y)), np.full(len(moved), weight / len(copies))])
    return bench.learner.fit(X, y, weights, growth, signs(bench, growth.monotone), bench.seed)

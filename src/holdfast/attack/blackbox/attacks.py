"""The two attacks on a model that only answers: with its scores, and with its decisions alone."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.asking import Book, Desk, Question, Reply
from holdfast.attack.blackbox.box import BoxSearch
from holdfast.attack.blackbox.climb import ClimbSearch
from holdfast.attack.blackbox.measure import Measure
from holdfast.attack.blackbox.space import Shape, Space
from holdfast.attack.blackbox.target import BlackBox
from holdfast.attack.blackbox.trim import TrimSearch
from holdfast.attack.interface import Budget, EvasionResult, Goal, Norm, attack
from holdfast.core.contract.distance import l1_cost, linf

if TYPE_CHECKING:
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
TRIM_SHARE = 0.08
"""Part of the budget that is kept for taking back what an L-inf move does not need."""
BOX_SHARE = 0.3
"""Part of the budget that looks for a small box first, where another norm is minimised."""


@attack(id="blackbox.decisions", version=1, needs=("decisions",))
def decisions(
    target: BlackBox,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d) by asking for decisions, `budget.queries_per_row` for each."""
    return _run("blackbox.decisions", BoxSearch, target, rows, Measure(contract, scales, goal), budget, seed)


@attack(id="blackbox.scores", version=1, needs=("scores",))
def scores(
    target: BlackBox,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """The smallest moves found for `rows` (n, d) by asking for scores, `budget.queries_per_row` for each."""
    return _run("blackbox.scores", ClimbSearch, target, rows, Measure(contract, scales, goal), budget, seed)


def books(
    kind: type[BoxSearch], target: BlackBox, rows: Floats, measure: Measure, budget: Budget, seed: int
) -> list[Book]:
    """An account with an open search for each row."""
    shape = Shape.of(measure.contract, measure.scales)
    return [_book(kind, shape, row, target.background, measure, budget.queries_per_row, seed) for row in rows]


def _book(
    kind: type[BoxSearch], shape: Shape, row: Floats, background: Floats, measure: Measure, queries: int, seed: int
) -> Book:
    # A row's own seed, so that its result does not depend on the rows around it.
    mixed = hashlib.blake2b(row.tobytes(), digest_size=8, key=seed.to_bytes(16, "little", signed=True)).digest()
    space = Space(shape, row, background, np.random.default_rng(int.from_bytes(mixed, "little")))
    return Book(row, _search(kind, space, measure, queries), queries, row)


def _search(kind: type[BoxSearch], space: Space, measure: Measure, queries: int) -> Generator[Question, Reply, None]:
    first = yield Question(space.was[None])
    if first.crossed[0] or not space.levers:
        return
    linf_only = measure.goal.minimise is Norm.LINF
    share = TRIM_SHARE if linf_only else 1.0 - BOX_SHARE
    box = kind(space, int(share * queries), measure.cap, strict=linf_only)
    yield from box.run()
    if box.found:
        trim = TrimSearch(space, box.point)
        yield from trim.once() if linf_only else trim.run()


def _run(
    method: str, kind: type[BoxSearch], target: BlackBox, rows: Floats, measure: Measure, budget: Budget, seed: int
) -> EvasionResult:
    contract = measure.contract
    accounts = books(kind, target, rows, measure, budget, seed)
    sound = contract.validate(rows).valid
    Desk(target, measure.goal, contract, measure).run([book for book, fit in zip(accounts, sound, strict=True) if fit])
    moved = np.array([book.best for book in accounts])
    distance = np.array([book.distance for book in accounts])
    success = np.isfinite(distance)
    return EvasionResult(
        success=success,
        adversarial=moved,
        linf=np.where(success, linf(contract, moved, rows, measure.scales), np.inf),
        floor=np.zeros(len(rows)),
        cost=np.where(success, l1_cost(contract, moved, rows, measure.scales), np.inf),
        valid=contract.validate(moved, rows).valid,
        nodes=np.zeros(len(rows), np.int64),
        exhausted=np.array([not book.done for book in accounts]) & sound,
        seed=seed,
        method=method,
        distance=distance,
        queries=np.array([book.spent for book in accounts], np.int64),
    )

"""Puts the questions of many rows into few requests, and keeps each row's books."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.blackbox.measure import Measure
from holdfast.core.contract.repair import project

if TYPE_CHECKING:
    from holdfast.attack.blackbox.target import BlackBox
    from holdfast.attack.interface import Goal
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Question:
    """Points (k, d) that a search wants to know of, as it wishes them; only those nearer than `below` are asked."""

    points: Floats
    below: float = np.inf


@dataclass(frozen=True, eq=False)
class Reply:
    """The points as the contract allows them, their distances (k,), and what the model said of them.

    `margins` is -inf where nothing was asked: too far, impossible, or beyond the budget. `left` is what the row may
    still ask.
    """

    points: Floats
    distances: Floats
    costs: Floats
    margins: Floats
    left: int

    @property
    def crossed(self) -> Bools:
        """(k,) which points stand where the attacker wants them."""
        return np.asarray(self.margins > 0)

    @property
    def nearest(self) -> int:
        """The number of the nearest point that crossed; only where one did."""
        return int(np.where(self.crossed, self.distances, np.inf).argmin())


Search = Generator[Question, Reply, None]


@dataclass(eq=False)
class Book:
    """One row's account: what was asked, and the nearest point that crossed; among equals the cheapest."""

    was: Floats
    search: Search
    left: int
    best: Floats
    distance: float = np.inf
    cost: float = np.inf
    spent: int = 0
    done: bool = False
    known: dict[bytes, float] = field(default_factory=dict)
    trail: list[tuple[int, float]] = field(default_factory=list)
    """(queries, distance) at each improvement: the cost as a function of queries."""

    def note(self, reply: Reply, inside: Bools) -> None:
        """Keep the nearest of the points that crossed and are within the goal's limits."""
        for i in np.flatnonzero(reply.crossed & inside & (reply.distances <= self.distance)):
            found = float(reply.distances[i]), float(reply.costs[i])
            if found < (self.distance, self.cost):
                if found[0] < self.distance:
                    self.trail.append((self.spent, found[0]))
                self.best, (self.distance, self.cost) = reply.points[i], found


@dataclass(frozen=True, eq=False)
class _Sheet:
    """One row's question, made possible."""

    book: Book
    points: Floats
    distances: Floats
    costs: Floats
    inside: Bools
    near: Bools
    fresh: NDArray[np.int64]


class Desk:
    """Asks for all rows at once: one request per turn, of every row's open question."""

    def __init__(self, target: BlackBox, goal: Goal, contract: Contract, measure: Measure) -> None:
        self._target, self._goal, self._contract, self._measure = target, goal, contract, measure

    def run(self, books: list[Book]) -> None:
        """Until every search has ended or spent its row's budget."""
        waiting: dict[int, Question] = {}
        for i, book in enumerate(books):
            self._step(book, None, i, waiting)
        while waiting:
            turn = [(books[i], question) for i, question in waiting.items()]
            replies = self._answer(turn)
            numbers, waiting = list(waiting), {}
            for i, reply in zip(numbers, replies, strict=True):
                self._step(books[i], reply, i, waiting)

    def _step(self, book: Book, reply: Reply | None, number: int, waiting: dict[int, Question]) -> None:
        if book.left <= 0:
            book.search.close()
            return
        try:
            waiting[number] = next(book.search) if reply is None else book.search.send(reply)
        except StopIteration:
            book.done = True

    def _answer(self, turn: list[tuple[Book, Question]]) -> list[Reply]:
        sheets = self._sheets(turn)
        wanted = np.concatenate([sheet.points[sheet.fresh] for sheet in sheets])
        margins = self._target.margins(wanted, self._goal) if len(wanted) else np.zeros(0)
        told = np.split(margins, np.cumsum([len(sheet.fresh) for sheet in sheets])[:-1])
        return [_reply(sheet, answers) for sheet, answers in zip(sheets, told, strict=True)]

    def _sheets(self, turn: list[tuple[Book, Question]]) -> list[_Sheet]:
        sizes = [len(question.points) for _, question in turn]
        was = np.repeat(np.array([book.was for book, _ in turn]), sizes, axis=0)
        points, valid = self._possible(np.concatenate([question.points for _, question in turn]), was)
        distances, costs, inside = self._measure.of(points, was)
        distances[~valid] = np.inf
        cuts = np.cumsum(sizes)[:-1]
        split = [np.split(values, cuts) for values in (points, distances, costs, inside)]
        found = []
        for (book, question), at, far, cost, fits in zip(turn, *split, strict=True):
            near = np.asarray(far < question.below)
            found.append(_Sheet(book, at, far, cost, fits, near, _fresh(book, at, near)))
        return found

    def _possible(self, points: Floats, was: Floats) -> tuple[Floats, Bools]:
        """The nearest possible points; the repair of relations is only for those that break one."""
        found = self._contract.round(points, was)
        valid = self._contract.validate(found, was).valid
        broken = np.flatnonzero(~valid)
        if broken.size:
            mended = project(self._contract, points[broken], was[broken], self._measure.scales)
            found[broken], valid[broken] = mended.X, mended.valid
        return found, valid


def _fresh(book: Book, points: Floats, near: Bools) -> NDArray[np.int64]:
    """Which points to ask: near enough, not asked before, as many as the budget has left."""
    seen: set[bytes] = set()
    fresh = []
    for i in np.flatnonzero(near):
        key = points[i].tobytes()
        if key not in book.known and key not in seen:
            seen.add(key)
            fresh.append(i)
    return np.array(fresh[: book.left], dtype=np.int64)


def _reply(sheet: _Sheet, answers: Floats) -> Reply:
    book = sheet.book
    book.known.update({sheet.points[i].tobytes(): float(a) for i, a in zip(sheet.fresh, answers, strict=True)})
    book.spent += len(sheet.fresh)
    book.left -= len(sheet.fresh)
    known = [book.known.get(point.tobytes(), -np.inf) for point in sheet.points]
    margins = np.where(sheet.near, known, -np.inf)
    reply = Reply(sheet.points, sheet.distances, sheet.costs, margins, book.left)
    book.note(reply, sheet.inside)
    return reply

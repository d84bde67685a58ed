"""The rows around a row: inside a radius, inside the contract, and back into it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract import Contract
from holdfast.core.contract.relax import satisfy
from holdfast.core.contract.repair import limits

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Words = NDArray[np.uint64]
FAR = 16.0
"""How many training ranges a column without bounds is moved at most."""
PULLS, SNAPS = 2, 4
"""Passes over the relations after each step: what they leave broken is not judged, and the next step tries again."""
SLACK = 1e-9
"""Relative slack of a radius, so that a whole number that lies just on it is inside."""


@dataclass(frozen=True, eq=False)
class Space:
    """Rows `was` (n, d), how far each column may go at all, and the contract's units."""

    contract: Contract
    was: Floats
    scales: Floats
    low: Floats
    high: Floats
    free: NDArray[np.bool_]
    """(d,) numbers that may move: neither categories nor derived."""
    whole: NDArray[np.bool_]
    """(d,) integers."""
    category: NDArray[np.bool_]
    """(d,) categories that may change; each change counts 1."""
    derived: NDArray[np.bool_]

    @classmethod
    def of(cls, contract: Contract, was: Floats, scales: Floats) -> Space:
        low, high = limits(contract, was)
        features = contract.features
        free = np.array([f.movable and f.type != "category" for f in features])
        whole = np.array([f.type == "integer" for f in features])
        category = np.array([f.movable and f.type == "category" for f in features])
        derived = np.array([f.derived is not None for f in features])
        return cls(contract, was, scales, low, high, free, whole, category, derived)

    def reach(self) -> Floats:
        """(n,) the radius beyond which no box grows any more."""
        room = np.maximum(self.high - self.was, self.was - self.low) / self.scales
        room = np.where(self.free, room, np.where(self.category, 1.0, 0.0))
        widest: Floats = np.nan_to_num(room, nan=0.0, posinf=FAR).max(axis=1, initial=0.0)
        return np.minimum(widest, FAR)

    def box(self, rows: Rows, radius: Floats) -> tuple[Floats, Floats]:
        """The lowest and highest values (k, d) of `rows` within `radius` (k,), whole where columns are."""
        was, reach = self.was[rows], (radius * (1 + SLACK))[:, None] * self.scales
        low, high = np.maximum(self.low[rows], was - reach), np.minimum(self.high[rows], was + reach)
        low = np.where(self.whole, np.ceil(low - SLACK), low)
        high = np.where(self.whole, np.floor(high + SLACK), high)
        may = self.free | (self.category & (radius >= 1.0)[:, None])
        still = ~may | np.isnan(was) | (low > high)
        low, high = np.where(still, was, low), np.where(still, was, high)
        return np.where(self.derived, -np.inf, low), np.where(self.derived, np.inf, high)

    def snap(self, X: Floats, rows: Rows, box: tuple[Floats, Floats]) -> Floats:
        """The nearest rows of right types inside their boxes; one-hot groups and derived columns follow."""
        inside = np.where(self.whole & ~self.derived, np.rint(X), X)
        inside = np.clip(inside, *box)
        for group in self.contract.groups:
            inside[:, list(group)] = self._one_of(inside, X, list(group), box)
        if self.contract.constraints:
            inside = satisfy(self.contract, inside, self.was[rows], self.scales, box, whole=True, sweeps=SNAPS)
        return self.contract.derive(inside) if self.contract.derived else inside

    def _one_of(self, inside: Floats, X: Floats, group: list[int], box: tuple[Floats, Floats]) -> Floats:
        """The member with the greatest wish among those that may be 1, where all others may be 0."""
        low, high, wish = box[0][:, group], box[1][:, group], X[:, group]
        best = np.where(high >= 1, np.where(low >= 1, np.inf, wish), -np.inf).argmax(axis=1)
        chosen = np.zeros_like(wish)
        chosen[np.arange(len(wish)), best] = 1.0
        sound = ((chosen >= low) & (chosen <= high)).all(axis=1, keepdims=True)
        return np.where(sound, chosen, inside[:, group])

    def repair(self, X: Floats, rows: Rows, box: tuple[Floats, Floats]) -> Floats:
        """Rows pulled towards the relations they break, not rounded."""
        if self.contract.constraints:
            return satisfy(self.contract, X, self.was[rows], self.scales, box, whole=False, sweeps=PULLS)
        return self.contract.derive(X) if self.contract.derived else X


def row_words(rows: Floats, seed: int) -> Words:
    """(n,) a number of each row's own, so that what is drawn for it does not depend on the rows around it."""
    key = seed.to_bytes(16, "little", signed=True)
    mixed = [hashlib.blake2b(row.tobytes(), digest_size=8, key=key).digest() for row in rows]
    return np.frombuffer(b"".join(mixed), "<u8").astype(np.uint64)


def shares(words: Words, turn: int, width: int) -> Floats:
    """(n, width) numbers from 0 to 1, drawn for the rows of `words` (n,); `turn` tells draws apart.

    Method: SplitMix64 as a counter-based generator (Steele, Lea and Flood, 2014).
    """
    counter = (np.arange(width, dtype=np.uint64) + np.uint64(1 + turn * width)) * np.uint64(0x9E3779B97F4A7C15)
    state = words[:, None] + counter
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((state ^ (state >> np.uint64(31))) >> np.uint64(11), np.float64) / 2.0**53

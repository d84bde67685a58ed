"""The judge of candidates: held-out rows, the audit's own search, its floor, which is a proof, and the exact attack.

Training sees no held-out row. The search judges all; where it leaves open whether a row holds, the exact attack settles
it for the model before and for the one that is kept. Per-row results stay, so that a choice can be checked elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from holdfast.attack import Budget, Goal, TreeTarget, attack, warm_up
from holdfast.core.domain.hardening import BoxFigures, HardeningFigures
from holdfast.core.errors import DataError
from holdfast.core.formats.margins import scores
from holdfast.core.formats.read import TreeModel
from holdfast.harden.material import Material
from holdfast.harden.scores import auc

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

BOXES = (0.002, 0.005, 0.01, 0.02, 0.05)
EXACT = "evasion.exact"
SETTLED = 40
"""Open rows that the exact attack is asked about, at most."""
EXACT_BUDGET = Budget(nodes_per_row=3_000_000)
"""A solver's node counts as many: seconds a row at most."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What one model did on each held-out row; attacked are `sample`, a seeded choice of the caught cases."""

    scores: Floats
    """(n,) probability of class 1."""
    flagged: Bools
    """(n,) decided as class 1."""
    caught: Bools
    """(n,) cases (rows of the harmed class) decided as such."""
    sample: Integers
    linf: Floats
    floor: Floats
    """Per attacked row: the smallest move found, and below which none exists."""
    moved: Floats
    """Attacked rows as they were moved; unmoved where the search found nothing."""
    train_flag_rate: float


class Judge:
    """Judges models of one run, all on the same rows."""

    def __init__(self, material: Material, *, linf: float, rows: int, seed: int) -> None:
        self.boxes = tuple(sorted({*BOXES, linf}))
        self.labels = material.held_out_labels
        self.cases: Bools = material.held_out_labels == material.task.harm.from_class
        self._material, self._linf, self._rows, self._seed = material, linf, rows, seed

    def judge(self, model: TreeModel) -> Judged:
        """Score, decide and attack the held-out rows. The rows attacked are those that the audit attacks."""
        material = self._material
        target = TreeTarget.of(model, material.contract, material.feature_map)
        answers = _scores(model, material, material.held_out)
        flagged = self._flagged(answers)
        caught = self.cases & (flagged == (material.task.harm.from_class == 1))
        sample = self._sample(caught)
        linf, floor, moved = self._attack(target, material.held_out[sample])
        return Judged(answers, flagged, caught, sample, linf, floor, moved, self.train_flag_rate(model))

    def train_flag_rate(self, model: TreeModel) -> float:
        """The share of training rows that a model decides as class 1."""
        return float(self._flagged(_scores(model, self._material, self._material.train)).mean())

    def _flagged(self, scores: Floats) -> Bools:
        threshold = self._material.task.threshold
        if self._material.task.positive == 1:
            return scores >= threshold
        return ~(1 - scores >= threshold)

    def _sample(self, caught: Bools) -> Integers:
        places = np.flatnonzero(self.cases)
        among_cases = np.flatnonzero(caught[places])
        chosen: Integers = places[np.sort(np.random.default_rng(self._seed).permutation(among_cases)[: self._rows])]
        return chosen

    def settle(self, model: TreeModel, judged: Judged) -> Judged:
        """The same, with exact answers where it is open whether a row holds in the box wanted or one twice as wide."""
        boxes = (self._linf, 2 * self._linf)
        is_open = np.any([(judged.floor <= box) & (judged.linf > box) for box in boxes], axis=0)
        places = np.flatnonzero(is_open)[:SETTLED]
        if not places.size:
            return judged
        target = TreeTarget.of(model, self._material.contract, self._material.feature_map)
        rows = self._material.held_out[judged.sample[places]]
        found, proven, moved = self._attack(target, rows, EXACT, EXACT_BUDGET)
        linf, floor, rows_moved = judged.linf.copy(), judged.floor.copy(), judged.moved.copy()
        nearer = found < linf[places]
        linf[places], floor[places] = np.minimum(linf[places], found), np.maximum(floor[places], proven)
        rows_moved[places[nearer]] = moved[nearer]
        return replace(judged, linf=linf, floor=floor, moved=rows_moved)

    def _attack(
        self, target: TreeTarget, rows: Floats, method: str = "evasion.search", budget: Budget | None = None
    ) -> tuple[Floats, Floats, Floats]:
        if not len(rows):
            return np.zeros(0), np.zeros(0), rows
        material = self._material
        warm_up()
        found = attack(
            target,
            rows,
            goal=Goal.of(material.task),
            budget=budget or Budget(),
            contract=material.contract,
            scales=material.scales,
            seed=self._seed,
            method=method,
        )
        return np.where(found.success & found.valid, found.linf, np.inf), found.floor, found.adversarial

    def figures(self, judged: Judged, rows: Integers | None = None) -> HardeningFigures:
        """Sum up all held-out rows, or some of them. Raises DataError HF-HRD-007 where these hold one class only."""
        places = np.arange(self.labels.size) if rows is None else rows
        cases = self.cases[places]
        if cases.all() or not cases.any():
            raise _one_class()
        recall = float(judged.caught[places][cases].mean())
        attacked = np.isin(judged.sample, places)
        return HardeningFigures(
            auc=auc(self.labels[places], judged.scores[places]),
            recall=recall,
            flag_rate=float(judged.flagged[places].mean()),
            train_flag_rate=judged.train_flag_rate,
            attacked=int(attacked.sum()),
            boxes=tuple(
                BoxFigures(
                    box, recall * _stays(judged.linf[attacked], box), recall * _stays(judged.floor[attacked], box)
                )
                for box in self.boxes
            ),
        )


def _scores(model: TreeModel, material: Material, X: Floats) -> Floats:
    """Probabilities of class 1 (n,). Libraries answer in float32; so do we, or ties would not be ties."""
    answers = scores(model.ensemble, material.feature_map.apply(X))[:, 1]
    return answers.astype(np.float32).astype(np.float64)


def _stays(distances: Floats, box: float) -> float:
    """Of no caught case none stays."""
    return float((distances > box).mean()) if distances.size else 0.0


def _one_class() -> DataError:
    return DataError(
        "the held-out rows hold only one class",
        cause="recall and AUC need cases and other rows",
        fix="name test data under data: in the manifest that has both, at least five rows of each",
        code="HF-HRD-007",
    )

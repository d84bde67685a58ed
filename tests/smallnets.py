"""Small random nets over a contract with everything in it."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from holdfast.attack import Goal, NetTarget
from holdfast.attack.nets.aim import aim_at
from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.contract.distance import linf
from holdfast.core.domain.transform import Branch, Columns, OneHot, Scale
from holdfast.core.formats.nets import Bend, Curve, Dense, Layer, NetModel
from holdfast.core.formats.nets_build import assemble, dense

Floats = NDArray[np.float64]

CONTRACT = Contract.parse(
    """
    version: 1
    features:
      income:  {type: number, min: 0, max: 200, move: up}
      debt:    {type: integer, min: 0, max: 100, move: any}
      region:  {type: category, values: [0, 1, 2, 3], move: any, cost: 3.0}
      age:     {type: integer, min: 18, max: 90, move: never}
      late:    {type: number, min: 0, max: 40, move: down}
      load:    {type: number, derived: debt / age}
    relations:
      - {id: afford, rule: debt <= income + 40}
      - {id: spend, rule: income - was(income) + was(debt) - debt <= 60}
    """
)
SCALES = np.array([200.0, 100.0, 1.0, 72.0, 40.0, 4.0])


def applicants(n: int, seed: int = 0) -> Floats:
    """Rows that keep the contract."""
    rng = np.random.default_rng(seed)
    income, age = rng.gamma(4, 15, n).clip(0, 200), rng.integers(18, 91, n)
    debt = np.minimum(rng.integers(0, 101, n), np.floor(income + 40))
    return CONTRACT.derive(
        np.column_stack([income, debt, rng.integers(0, 4, n), age, rng.exponential(5, n).clip(0, 40), np.zeros(n)])
    )


def layers(rng: np.random.Generator, sizes: list[int], curve: Curve, dtype: str = "float32") -> list[Layer]:
    """Dense layers with an activation between them."""
    found: list[Layer] = []
    for before, after in itertools.pairwise(sizes):
        if found:
            found.append(Bend(curve, 0.1))
        weight = rng.normal(size=(before, after)) / before**0.5
        found.append(dense(weight, rng.normal(scale=0.2, size=after), dtype, "test"))
    return found


def applicant_target(seed: int = 0, outputs: int = 1, curve: Curve = Curve.RELU) -> NetTarget:
    """A net behind scalers and an encoder."""
    numbers = Branch((0, 1, 3, 4, 5), (Scale((60.0, 40.0, 50.0, 5.0, 1.0), (30.0, 30.0, 20.0, 5.0, 0.8)),))
    region = Branch((2,), (OneHot(((0.0, 1.0, 2.0, 3.0),)),))
    steps = (Columns((numbers, region)),)
    parts = layers(np.random.default_rng(seed), [9, 12, 8, outputs], curve)
    target = _target(parts, steps)
    # About half of the applicants stand on either side.
    middle = np.median(target.raw(applicants(200, 9)), axis=0)
    last = parts[-1]
    assert isinstance(last, Dense)
    return _target([*parts[:-1], dense(last.weight, last.bias - middle, "float32", "test")], steps)


def _target(parts: list[Layer], steps: tuple[Columns, ...]) -> NetTarget:
    net = assemble(parts, n_features=9, dtype="float32", source="test", kind="test")
    return NetTarget.of(NetModel(net, steps), CONTRACT, FeatureMap.of(CONTRACT, steps))


def flagged(target: NetTarget, rows: Floats, goal: Goal) -> Floats:
    """Rows that do not stand where the attacker wants them."""
    return rows[target.margins(rows, goal) < 0]


def smallest(target: NetTarget, candidates: Floats, was: Floats, goal: Goal, scales: Floats) -> float:
    """The least L-inf among candidates that are valid after `was` and across; inf where there is none."""
    contract = target.contract
    rows = contract.derive(candidates)
    before = np.broadcast_to(was, rows.shape)
    good = contract.validate(rows, before).valid & (aim_at(target.net, goal).gaps(target.raw(rows)) > 0)
    return float(linf(contract, rows[good], before[good], scales).min(initial=np.inf))

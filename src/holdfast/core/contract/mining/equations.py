"""Linear relations that hold exactly on given rows: their null space, made sparse.

A linear relation among columns is a vector that every row is orthogonal to. All of them come out of one singular
value decomposition of sampled rows; a reduced basis gives one relation per dependent column, the furthest right
first. Each is then checked on every row with the contract's own slack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.core.contract.ir import TOLERANCE
from holdfast.core.contract.matrix import Floats

MAX_SAMPLE = 2_000
MAX_MEMBERS = 200
_SINGULAR = 1e-11
_ZERO = 1e-7  # a part this small beside the largest cannot be told from rounding


@dataclass(frozen=True, slots=True)
class Equation:
    """`sum(coefficients * columns) == constant`."""

    columns: tuple[int, ...]
    coefficients: tuple[float, ...]
    constant: float


def find_equations(
    X: Floats, usable: list[int], rng: np.random.Generator, max_sample: int = MAX_SAMPLE
) -> list[Equation]:
    """The sparse equations among `usable` columns that hold on all rows of `X` (n, d) on which no value is missing.

    Coefficients are alike but for their sign, or of two columns; none if there are too few rows to tell.
    """
    complete = np.flatnonzero(~np.isnan(X[:, usable]).any(axis=1))
    if len(usable) < 2 or len(complete) < 3 * len(usable) + 50:
        return []
    sample = X[rng.choice(complete, min(max_sample, len(complete)), replace=False)][:, usable]
    units = np.abs(sample).max(axis=0)
    units[units == 0] = 1.0
    basis = _null_space(np.hstack([sample / units, np.ones((len(sample), 1))]))
    raw = basis / np.append(units, 1.0)
    candidates = (_sparse(vector, scaled, usable) for vector, scaled in zip(raw, basis, strict=True))
    return [found for found in candidates if found is not None and holds(X, found)]


def holds(X: Floats, equation: Equation) -> bool:
    """Whether an equation holds on every row, within the slack that the contract will give it."""
    parts = X[:, list(equation.columns)] * np.array(equation.coefficients)
    slack = TOLERANCE * np.maximum(max(1.0, abs(equation.constant)), np.abs(parts).max(axis=1))
    left = np.abs(parts.sum(axis=1) - equation.constant)
    return bool((np.isnan(left) | (left <= slack)).all())


def _null_space(A: Floats) -> Floats:
    """Vectors (k, p) with A v = 0, reduced so that each has a column of its own; the last is never chosen."""
    _, singular, Vt = np.linalg.svd(A, full_matrices=False)
    basis = Vt[singular <= _SINGULAR * singular[0] * np.sqrt(len(A))].copy()
    row = 0
    for column in range(A.shape[1] - 2, -1, -1):
        if row == len(basis):
            break
        best = row + int(np.abs(basis[row:, column]).argmax())
        if abs(basis[best, column]) < _ZERO * max(1e-12, float(np.abs(basis[best]).max())):
            continue
        basis[[row, best]] = basis[[best, row]]
        basis[row] /= basis[row, column]
        others = np.arange(len(basis)) != row
        basis[others] -= np.outer(basis[others, column], basis[row])
        row += 1
    found: Floats = basis[:row]
    return found


def _sparse(vector: Floats, scaled: Floats, usable: list[int]) -> Equation | None:
    """The equation of a basis vector whose coefficients are all alike but for their sign, or of two columns."""
    kept = np.flatnonzero(np.abs(scaled[:-1]) > _ZERO * np.abs(scaled).max())
    if not 2 <= len(kept) <= MAX_MEMBERS:
        return None
    parts = vector[kept]
    unit = parts[0] if len(kept) > 2 else parts[np.abs(parts).argmin()]
    coefficients = [plain_number(float(part / unit)) for part in parts]
    constant = plain_number(float(-vector[-1] / unit))
    if constant is None or None in coefficients:
        return None
    plain = tuple(c for c in coefficients if c is not None)
    if len(kept) > 2 and any(abs(c) != 1 for c in plain):
        return None
    return Equation(tuple(usable[position] for position in kept), plain, constant)


def plain_number(value: float) -> float | None:
    """The number with at most 6 digits that this one stands for, if there is one."""
    if abs(value) < 1e-9:
        return 0.0
    plain = float(f"{value:.6g}")
    return plain if abs(plain - value) <= 1e-7 * abs(value) else None

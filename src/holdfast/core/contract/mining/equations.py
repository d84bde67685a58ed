"""Linear relations that hold exactly on given rows.

Sampled columns are made orthogonal from left to right; one of which nothing remains is a sum of columns before it.
The sums with plain coefficients are then checked on every row with the contract's own slack.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.core.contract.ir import TOLERANCE
from holdfast.core.contract.matrix import Floats

MAX_SAMPLE = 2_000
MAX_MEMBERS = 200
_SINGULAR = 1e-10  # what remains of a dependent column, beside rounding
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
    basis = _dependent(sample / units)
    raw = basis / np.append(units, 1.0)
    candidates = (_sparse(vector, scaled, usable) for vector, scaled in zip(raw, basis, strict=True))
    return [found for found in candidates if found is not None and holds(X, found)]


def holds(X: Floats, equation: Equation) -> bool:
    """Whether an equation holds on every row, within the slack that the contract will give it."""
    parts = X[:, list(equation.columns)] * np.array(equation.coefficients)
    slack = TOLERANCE * np.maximum(max(1.0, abs(equation.constant)), np.abs(parts).max(axis=1))
    left = np.abs(parts.sum(axis=1) - equation.constant)
    return bool((np.isnan(left) | (left <= slack)).all())


def _dependent(A: Floats) -> Floats:
    """Vectors (k, p + 1) with [A, 1] v = 0: each writes one column of A (n, p) as a sum of columns further left.

    Modified Gram-Schmidt. Plain loops instead of BLAS, whose threads stand in each other's way on a busy machine.
    """
    Q = np.hstack([np.ones((len(A), 1)), A])
    sizes = np.sqrt(np.einsum("ij,ij->j", Q, Q))
    R = np.zeros((Q.shape[1], Q.shape[1]))
    independent: list[int] = []
    vectors: list[Floats] = []
    for at in range(Q.shape[1]):
        size = float(np.sqrt(np.einsum("i,i", Q[:, at], Q[:, at])))
        if size <= _SINGULAR * sizes[at]:
            vector = np.zeros(Q.shape[1])
            vector[at] = 1.0
            vector[independent] = -np.linalg.solve(R[np.ix_(independent, independent)], R[independent, at])
            vectors.append(np.roll(vector, -1))
            continue
        independent.append(at)
        unit = Q[:, at] / size
        R[at, at] = size
        R[at, at + 1 :] = np.einsum("i,ij->j", unit, Q[:, at + 1 :])
        Q[:, at + 1 :] -= unit[:, None] * R[at, at + 1 :]
    return np.array(vectors).reshape(-1, Q.shape[1])


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

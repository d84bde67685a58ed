"""How surprising a count is: exact tails in logarithms, a signed root of the likelihood ratio, many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def signed_root(seen: ArrayLike, expected: ArrayLike) -> Floats:
    """Root of the Poisson likelihood ratio, negative below the expectation: about a normal deviate, cheap for matrices.

    Source: Baker and Cousins 1984 (deviance of a Poisson count).
    """
    o, e = np.asarray(seen, np.float64), np.maximum(np.asarray(expected, np.float64), 1e-9)
    deviance = np.where(o > 0, o * np.log(np.maximum(o, 1e-9) / e), 0.0) - (o - e)
    return np.asarray(np.sign(o - e) * np.sqrt(np.maximum(2.0 * deviance, 0.0)))


def poisson_tail(seen: ArrayLike, expected: ArrayLike) -> Floats:
    """Natural logarithm of P(count >= seen) where `expected` are expected."""
    from scipy.stats import poisson

    return np.asarray(poisson.logsf(np.asarray(seen) - 1, expected), np.float64)


def draw_tail(hits: ArrayLike, drawn: ArrayLike, marked: int, total: int) -> Floats:
    """Natural logarithm of P(at least `hits` of `drawn` rows have a mark that `marked` of `total` rows have)."""
    from scipy.stats import hypergeom

    return np.asarray(hypergeom.logsf(np.asarray(hits) - 1, total, marked, drawn), np.float64)


def adjusted(log_p: Floats, tests: int) -> Floats:
    """Benjamini and Hochberg's adjusted p-values of `log_p` (m,), the smallest of `tests` tests made (tests >= m)."""
    order = np.argsort(log_p, kind="stable")
    raw = np.exp(np.minimum(log_p[order], 0.0)) * tests / np.arange(1, len(log_p) + 1)
    out = np.empty(len(log_p))
    out[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0) if len(log_p) else raw
    return out

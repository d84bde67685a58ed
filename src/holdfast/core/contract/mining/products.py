"""Ratios and products that hold exactly, or to the digits in which a column was stored.

`a == k * b * c` and `c == a / b / k` are one relation among three columns: b * c / a is constant. All pairs are
multiplied on sampled rows and compared with every column; the few that stay constant are checked on every row, in
each form, and the form that gives the stored values bit for bit is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.ir import TOLERANCE
from holdfast.core.contract.matrix import Floats
from holdfast.core.contract.mining.columns import Column, Columns
from holdfast.core.contract.mining.mined import Formula, Relation, computed_rank
from holdfast.core.contract.syntax import show_number

MAX_COLUMNS = 250
SAMPLE = 160
MIN_ROWS = 30
MIN_DISTINCT = 5
MAX_DIGITS = 10
MAX_UNDEFINED_SHARE = 0.9
_COARSE = 0.05
_SMALL = 0.2
_FACTORS = (1.0, 100.0, 0.01, 1000.0, 0.001, 12.0, 1 / 12, 10.0, 0.1, 365.0, 1 / 365, 360.0, 1 / 360, 52.0, 1 / 52)


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to compute `target`: `text` over columns `needs`, its values, and the column it divides by, if any."""

    target: int
    text: str
    needs: frozenset[int]
    values: Floats
    divisor: int | None


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a form gives the stored values: 0 bit for bit, 1 within the slack, 2 to `band`."""

    grade: int
    band: float
    rows: int
    undefined: float | None
    complete: bool


def mine_products(
    columns: Columns, skip: frozenset[int], taken: frozenset[int], rng: np.random.Generator
) -> tuple[list[Formula], list[Relation]]:
    """Derived ratios and products, and those that only hold as relations. `taken` columns are derived already."""
    formulas: list[Formula] = []
    relations: list[Relation] = []
    for product, factors in _triples(columns, skip, rng):
        best = _best(columns, product, factors, taken)
        if best is None:
            continue
        form, fit = best
        support = f"holds on {fit.rows:,} of {columns.n_rows:,} rows; the others divide by zero or lack a value"
        if fit.rows == columns.n_rows:
            support = f"holds on all {fit.rows:,} rows"
        if fit.grade < 2 and fit.complete:
            taken |= {form.target}
            formulas.append(Formula(form.target, form.text, form.needs, support, fit.undefined))
        else:
            relations.append(_relation(columns, form, fit, support))
    return formulas, relations


def _triples(columns: Columns, skip: frozenset[int], rng: np.random.Generator) -> Iterator[tuple[int, tuple[int, int]]]:
    usable = [
        position
        for position, column in enumerate(columns.found)
        if column.type != "category" and len(column.distinct) >= MIN_DISTINCT and position not in skip
    ]
    if not 3 <= len(usable) <= MAX_COLUMNS or columns.n_rows < MIN_ROWS:
        return
    sample = columns.matrix[:, usable]
    if columns.n_rows > SAMPLE:
        sample = sample[_rich_rows(sample, rng)]
    sample = _without_small(sample)
    for first in range(len(usable)):
        # Pairs of `first` with itself and those after it, so that each pair is multiplied once.
        factors = sample[:, first : first + 1] * sample[:, first:]
        for second, product in zip(*np.nonzero(_constant_ratio(factors, sample)), strict=True):
            pair = (usable[first], usable[first + second])
            if usable[product] not in pair:
                yield usable[product], pair


def _without_small(sample: Floats) -> Floats:
    """Small values may have lost most of their digits to rounding; zeros stay, since they refute."""
    sizes = np.abs(sample)
    usual = np.nansum(sizes, axis=0) / np.maximum((~np.isnan(sizes)).sum(axis=0), 1)
    return np.where((sizes > 0) & (sizes < _SMALL * usual), np.nan, sample)


def _rich_rows(sample: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Half of the sample at random, half among rows with few zeros, where ratios can be seen."""
    zeros = (np.nan_to_num(sample) == 0).sum(axis=1) + rng.random(len(sample))
    rich = np.argsort(zeros, kind="stable")[: max(SAMPLE // 2, len(sample) // 20)]
    return np.concatenate([rng.choice(rich, SAMPLE // 2, replace=False), rng.choice(len(sample), SAMPLE // 2)])


def _constant_ratio(factors: Floats, sample: Floats) -> NDArray[np.bool_]:
    """(p, d): whether factors[:, p] / sample[:, d] is nearly constant, on enough rows."""
    found = np.zeros((factors.shape[1], sample.shape[1]), dtype=np.bool_)
    with np.errstate(all="ignore"):
        for column in range(sample.shape[1]):
            values = sample[:, column : column + 1]
            ratio = factors / values
            ratio[(factors == 0) | ~np.isfinite(ratio)] = np.nan
            seen = ~np.isnan(ratio)
            low, high = np.fmin.reduce(ratio, axis=0), np.fmax.reduce(ratio, axis=0)
            steady = high - low <= _COARSE * np.maximum(np.abs(low), np.abs(high))
            refuted = ((factors != 0) & (values == 0)).any(axis=0)
            found[:, column] = steady & ~refuted & (seen.sum(axis=0) >= MIN_ROWS // 2)
    return found


def _best(columns: Columns, product: int, pair: tuple[int, int], taken: frozenset[int]) -> tuple[_Form, _Fit] | None:
    fits = [(form, _fit(columns, form)) for form in _forms(columns, product, pair) if form.target not in taken]
    good = [(form, fit) for form, fit in fits if fit is not None]
    return min(good, default=None, key=lambda item: _order(columns, *item))


def _order(columns: Columns, form: _Form, fit: _Fit) -> tuple[int, bool, bool, bool, int]:
    """Exact before rounded, usable as a derived column, fractions before whole numbers, computed by its name, last."""
    target = columns.found[form.target]
    named, position = computed_rank(form.target, target)
    return fit.grade, not fit.complete, target.integral, not named, -position


def _forms(columns: Columns, product: int, pair: tuple[int, int]) -> Iterator[_Form]:
    """Every way to solve `b * c == k * a` for one column."""
    b, c = pair
    X = columns.matrix
    name = [column.sign for column in columns.found]
    with np.errstate(all="ignore"):
        ratio = X[:, b] * X[:, c] / X[:, product]
        usual = float(np.nanmedian(np.where(np.isfinite(ratio) & (ratio != 0), ratio, np.nan)))
        factor = next((f for f in _FACTORS if abs(usual - f) <= _COARSE * f), None)
        if factor is None:
            return
        text, values = _scaled(f"{name[b]} * {name[c]}", X[:, b] * X[:, c], 1 / factor)
        yield _Form(product, text, frozenset(pair), values, None)
        for target, divisor in ((b, c), (c, b)) if b != c else ():
            text, values = _scaled(f"{name[product]} / {name[divisor]}", X[:, product] / X[:, divisor], factor)
            values[X[:, divisor] == 0] = np.nan
            yield _Form(target, text, frozenset({product, divisor}), values, divisor)


def _scaled(text: str, values: Floats, factor: float) -> tuple[str, Floats]:
    if factor == 1:
        return text, values
    if factor >= 1:
        return f"{text} * {show_number(round(factor))}", values * round(factor)
    return f"{text} / {show_number(round(1 / factor))}", values / round(1 / factor)


def _fit(columns: Columns, form: _Form) -> _Fit | None:
    """None where the form does not hold on every row on which it has a value, or has too few of them."""
    stored, values = columns.matrix[:, form.target], form.values
    seen = np.isfinite(stored) & np.isfinite(values)
    if seen.sum() < max(MIN_ROWS, 0.01 * columns.n_rows) or len(np.unique(stored[seen])) < MIN_DISTINCT:
        return None
    error = np.abs(stored[seen] - values[seen])
    undefined, complete = _elsewhere(columns, form)
    rows = int(seen.sum())
    if not error.any():
        return _Fit(0, 0.0, rows, undefined, complete)
    size = np.abs(stored[seen])
    if (error <= TOLERANCE * np.maximum(1.0, size)).all() and error.max() <= 1e-7 * size.max():
        return _Fit(1, 0.0, rows, undefined, complete)
    band = _stored_precision(columns.found[form.target])
    return _Fit(2, band, rows, undefined, complete) if band and (error <= band).all() else None


def _elsewhere(columns: Columns, form: _Form) -> tuple[float | None, bool]:
    """What the target holds where the form divides by zero (None: missing), and whether that is one thing."""
    stored = columns.matrix[:, form.target]
    absent = np.isnan(columns.matrix[:, sorted(form.needs)]).any(axis=1)
    nowhere = ~absent & ~np.isfinite(form.values)
    held = np.unique(stored[nowhere])
    told = bool(np.isnan(stored[absent]).all()) and len(held) <= 1 and float(nowhere.mean()) <= MAX_UNDEFINED_SHARE
    lost = np.isnan(stored) & ~absent & ~nowhere
    return (None if not held.size or np.isnan(held[0]) else float(held[0])), told and not lost.any()


def _stored_precision(column: Column) -> float | None:
    """Half a unit of the last decimal a column was rounded to, or of float32; None if neither shows."""
    for digits in range(2, MAX_DIGITS + 1):
        scaled = column.distinct * 10.0**digits
        if (np.abs(scaled - np.rint(scaled)) <= 1e-5 * np.maximum(1.0, np.abs(scaled) * 1e-9)).all():
            return 0.5 * 10.0**-digits if len(column.distinct) >= 4 * MIN_DISTINCT else None
    if (column.distinct.astype(np.float32) == column.distinct).all():
        return float(np.abs(column.distinct).max()) * 2.0**-24
    return None


def _relation(columns: Columns, form: _Form, fit: _Fit, support: str) -> Relation:
    target = columns.found[form.target].sign
    if fit.grade == 2:
        band = show_number(float(f"{fit.band * 1.001:.3g}"))
        rule = f"-{band} <= {target} - {form.text} <= {band}"
    else:
        rule = f"{target} == {form.text}"
    if form.divisor is not None and (columns.matrix[:, form.divisor] == 0).any():
        rule = f"if {columns.found[form.divisor].sign} != 0 then {rule}"
    kind = "product" if form.divisor is None else "ratio"
    return Relation(f"{kind}-{columns.found[form.target].name}", rule, support, float(fit.rows))

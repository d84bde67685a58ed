"""Whether rows are possible inputs, and what the others break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.evaluate import Bools, breaks, derive_column, term_values
from holdfast.core.contract.faults import listed_rows
from holdfast.core.contract.ir import TOLERANCE, Derived
from holdfast.core.contract.matrix import Floats, as_matrix
from holdfast.core.errors import ContractError

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract, Feature


@dataclass(frozen=True, eq=False)
class Broken:
    """One thing that some rows break: a relation by its id, or `column.aspect` (min, max, integer, values, ...)."""

    constraint_id: str
    rows: NDArray[np.int64]
    message: str


@dataclass(frozen=True, eq=False)
class Validity:
    """`valid` (n,) says which rows are possible; `broken` says what the others break, in the order of the file."""

    valid: Bools
    broken: tuple[Broken, ...]

    @property
    def all(self) -> bool:
        return bool(self.valid.all())


def validate(contract: Contract, X: Floats, was: Floats | None = None) -> Validity:
    """Check rows (n, d) against everything the contract says.

    Types, bounds, integrality and categories are exact comparisons of float64; derived columns and relations have
    the slack of `ir.TOLERANCE`. With `was` (n, d), the rows before an attack, also what may move and which way; a
    value may go missing or appear only in a column that may move either way. Without `was`, `was(x)` is x.
    """
    X = as_matrix(contract, X)
    before = X if was is None else as_matrix(contract, was)
    if before.shape != X.shape:
        raise ContractError(
            "rows and the rows before the attack do not match",
            cause=f"{len(X)} rows against {len(before)}",
            fix="pass one row before the attack for each row",
            code="HF-CON-012",
        )
    broken = tuple(
        Broken(identifier, np.flatnonzero(bad), message)
        for identifier, bad, message in _checks(contract, X, before, moved=was is not None)
        if bad.any()
    )
    valid = np.ones(len(X), dtype=np.bool_)
    for item in broken:
        valid[item.rows] = False
    return Validity(valid, broken)


def check_training(contract: Contract, X: Floats) -> None:
    """The contract must hold on every training row. Raises ContractError (HF-CON-011) that names three which break it.

    Rows are counted from 0, and named rather than shown: error messages end in logs, customers' values must not.
    """
    found = validate(contract, X).broken
    if not found:
        return
    first = found[0]
    others = (
        f"; so do {len(found) - 1} more rules: {', '.join(b.constraint_id for b in found[1:6])}" if found[1:] else ""
    )
    raise ContractError(
        f"the contract {contract.source} contradicts the training data: {first.constraint_id}",
        cause=f"{first.message}, but {listed_rows(first.rows)} of {len(X):,} (counted from 0) break it{others}",
        fix="correct the rule if real rows may look like that, else the data",
        code="HF-CON-011",
    )


Check = tuple[str, Bools, str]


def _checks(contract: Contract, X: Floats, was: Floats, *, moved: bool) -> Iterator[Check]:
    with np.errstate(invalid="ignore"):
        for position, feature in enumerate(contract.features):
            yield from _values(feature, X[:, position])
            if moved and feature.derived is None:
                yield _direction(feature, X[:, position], was[:, position])
        for derived in contract.derived:
            yield _derivation(contract, derived, X)
        for group in contract.groups:
            yield _one_hot(contract, group, X)
        for constraint in contract.constraints:
            yield constraint.id, breaks(constraint, X, was), f"it says {constraint.text}"


def _values(feature: Feature, values: Floats) -> Iterator[Check]:
    name, missing = feature.name, np.isnan(values)
    if not feature.missing:
        yield f"{name}.missing", missing, f"'{name}' is never missing"
    yield f"{name}.finite", np.isinf(values), f"'{name}' is finite"
    if feature.type == "category":
        yield f"{name}.values", ~missing & ~np.isin(values, feature.codes), f"'{name}' is one of its declared values"
        return
    yield f"{name}.min", values < feature.min, f"'{name}' is at least {feature.min:.17g}"
    yield f"{name}.max", values > feature.max, f"'{name}' is at most {feature.max:.17g}"
    if feature.type == "integer":
        yield f"{name}.integer", ~missing & (values != np.rint(values)), f"'{name}' is an integer"


def _direction(feature: Feature, values: Floats, was: Floats) -> Check:
    appeared = np.isnan(values) ^ np.isnan(was)
    bad = {
        "never": appeared | (values != was) & ~np.isnan(was),
        "up": appeared | (values < was),
        "down": appeared | (values > was),
        "any": np.zeros(len(values), dtype=np.bool_),
    }[feature.move]
    word = {"never": "does not move", "up": "only rises", "down": "only falls", "any": "moves freely"}[feature.move]
    return f"{feature.name}.move", bad, f"'{feature.name}' {word}"


def _derivation(contract: Contract, derived: Derived, X: Floats) -> Check:
    feature, values = contract.features[derived.column], X[:, derived.column]
    expected = derive_column(contract, derived, X)
    largest = np.maximum(1.0, np.abs(expected))
    with np.errstate(all="ignore"):
        for term in derived.terms:
            size = np.abs(term_values(term, X, X))
            largest = np.maximum(largest, np.where(np.isfinite(size), size, 0.0))
        near = np.abs(values - expected) <= TOLERANCE * largest
    same = near | (np.isnan(values) & np.isnan(expected))
    return f"{feature.name}.derived", ~same, f"'{feature.name}' is {feature.derived}"


def _one_hot(contract: Contract, group: tuple[int, ...], X: Floats) -> Check:
    members = X[:, list(group)]
    good = ((members == 0) | (members == 1)).all(axis=1) & (members.sum(axis=1) == 1)
    listed = ", ".join(contract.names[column] for column in group[:4]) + (", ..." if len(group) > 4 else "")
    return f"one_hot({listed})", ~good, f"exactly one of {listed} is 1"

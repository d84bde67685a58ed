"""The feature contract: a model's input space, declared once.

Rows are float64 matrices of shape (n, d), one column per feature in the order of the file: numbers and numeric
categories as they are, text categories as their position in `values`, a missing value as NaN. Parsing needs no
numpy; the methods that take matrices import it when called.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.core.contract.ir import Constraint, Derived
from holdfast.core.contract.syntax import Expression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from holdfast.core.contract.repair import Projection
    from holdfast.core.contract.validity import Validity

    Matrix = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column. `min` and `max` are -inf and inf where undeclared, and the extreme codes of a category.

    `move` says what an attacker can do to it: never, up, down, any; `derived` columns follow the others.
    `undefined` is what a derived column holds where it divides by zero (NaN: missing).
    """

    name: str
    type: str
    min: float = -math.inf
    max: float = math.inf
    values: tuple[float | str, ...] = ()
    move: str = "never"
    cost: float = 1.0
    missing: bool = False
    derived: str | None = None
    undefined: float = math.nan
    review: str | None = None

    @property
    def text(self) -> bool:
        """Whether its categories are texts, encoded by position."""
        return any(isinstance(value, str) for value in self.values)

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers a category is encoded as, in the order of `values`."""
        return tuple(float(i) if isinstance(value, str) else value for i, value in enumerate(self.values))

    @property
    def movable(self) -> bool:
        return self.derived is None and self.move != "never"


@dataclass(frozen=True, eq=False)
class Contract:
    """A validated contract. Contracts are equal if they mean the same, however their files are laid out."""

    features: tuple[Feature, ...]
    groups: tuple[tuple[int, ...], ...]
    constraints: tuple[Constraint, ...]
    derived: tuple[Derived, ...]
    digest: str
    subject: str | None = None
    scale: str = "train-range"
    source: str = "contract.yaml"
    text: str = field(default="", repr=False)
    formulas: Mapping[int, Expression] = field(default_factory=dict, repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Contract) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def load(cls, path: Path) -> Contract:
        """Read contract.yaml. Raises ContractError with file, line and column."""
        from holdfast.core.contract.load import load

        return load(path)

    @classmethod
    def parse(cls, text: str, source: str = "contract.yaml") -> Contract:
        """Read the text of a contract. Raises ContractError."""
        from holdfast.core.contract.load import parse

        return parse(text, source)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The column of a feature. Raises ContractError with the nearest name."""
        from holdfast.core.contract.faults import unknown_column

        if name not in self._positions:
            raise unknown_column(name, self.names, self.source)
        return self._positions[name]

    def encode(self, columns: Mapping[str, Matrix], ignore: Collection[str] = ()) -> Matrix:
        """Named columns as a float64 matrix (n, d). See `matrix.encode`."""
        from holdfast.core.contract.matrix import encode

        return encode(self, columns, ignore)

    def decode(self, X: Matrix) -> dict[str, Matrix]:
        """The inverse of `encode`: what the model's own library is given. See `matrix.decode`."""
        from holdfast.core.contract.matrix import decode

        return decode(self, X)

    def scales(self, X_train: Matrix) -> Matrix:
        """The distance unit of each column (d,): its range in the training rows, 1.0 where that is 0."""
        from holdfast.core.contract.distance import scales

        return scales(self, X_train)

    def derive(self, X: Matrix) -> Matrix:
        """A copy of `X` with the derived columns recomputed, bit for bit as written."""
        from holdfast.core.contract.evaluate import derive

        return derive(self, X)

    def validate(self, X: Matrix, was: Matrix | None = None) -> Validity:
        """Which rows are possible, and what the others break. See `validity.validate`."""
        from holdfast.core.contract.validity import validate

        return validate(self, X, was)

    def check_training(self, X: Matrix) -> None:
        """Raises ContractError (HF-CON-011) naming three training rows that break a rule."""
        from holdfast.core.contract.validity import check_training

        check_training(self, X)

    def round(self, X: Matrix, was: Matrix | None = None) -> Matrix:
        """The nearest row with the right types, bounds, groups and derived columns. See `repair.round_rows`."""
        from holdfast.core.contract.repair import round_rows

        return round_rows(self, X, was)

    def project(self, X: Matrix, was: Matrix, scales: Matrix | None = None) -> Projection:
        """The nearest valid rows that can be found, and which are valid. See `repair.project`."""
        from holdfast.core.contract.repair import project

        return project(self, X, was, scales)

"""The shape of contract.yaml. What one key means together with another is checked in `load`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints

MAX_FEATURES = 10_000
MAX_RELATIONS = 2_000
MAX_VALUES = 10_000
MAX_TEXT = 500

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?\Z")


def exact_float(value: object) -> float:
    """A YAML number as the float64 it names. Raises ValueError where float64 cannot hold it."""
    if isinstance(value, str) and _NUMBER.match(value):
        value = float(value)  # YAML 1.1 reads 1e6 as a word
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("is too large for float64") from None
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    if isinstance(value, int) and int(number) != value:
        raise ValueError("is not exact in float64: stay below 9007199254740992")
    return number


def category(value: object) -> float | str:
    """A category is a number or a text. Raises ValueError for anything else."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"must be a text of at most {MAX_TEXT} characters")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number or a text (put yes, no, on, off and dates in quotes)")
    return exact_float(value)


Finite = Annotated[float, BeforeValidator(exact_float)]
Category = Annotated[float | str, BeforeValidator(category)]
ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$")]
Move = Literal["never", "up", "down", "any"]


class Strict(BaseModel):
    """Unknown keys are faults; values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=False)


class FeatureEntry(Strict):
    """One column: its type, its bounds, and what an attacker can do with it."""

    type: Literal["number", "integer", "category"]
    min: Finite | None = None
    max: Finite | None = None
    values: Annotated[list[Category], Field(min_length=1, max_length=MAX_VALUES)] | None = None
    move: Move | None = None
    cost: Annotated[Finite, Field(gt=0, le=1e12)] = 1.0
    missing: StrictBool = False
    derived: Annotated[str, Field(max_length=4_000)] | None = None
    undefined: Finite | None = None
    review: Literal["inferred"] | None = None


class GroupEntry(Strict):
    """Columns that belong together."""

    one_hot: Annotated[list[ColumnName], Field(min_length=2, max_length=MAX_VALUES)]


class RelationEntry(Strict):
    """A rule between columns, under a name for messages."""

    id: Identifier
    rule: Annotated[str, Field(max_length=4_000)]


class ContractFile(Strict):
    """What contract.yaml may say."""

    version: Literal[1]
    subject: ColumnName | None = None
    scale: Literal["train-range"] = "train-range"
    features: Annotated[dict[ColumnName, FeatureEntry], Field(min_length=1, max_length=MAX_FEATURES)]
    groups: Annotated[list[GroupEntry], Field(max_length=1_000)] = []
    relations: Annotated[list[RelationEntry], Field(max_length=MAX_RELATIONS)] = []

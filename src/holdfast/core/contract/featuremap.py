"""From the contract's raw columns to what a model's inner estimator sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.core.contract.contract import Contract
from holdfast.core.contract.matrix import Floats
from holdfast.core.contract.sources import Fill, Lookup, Match, Shift, Source
from holdfast.core.domain.transform import (
    Branch,
    Category,
    Columns,
    Impute,
    OneHot,
    Opaque,
    Ordinal,
    Passthrough,
    Scale,
    Transform,
)
from holdfast.core.errors import ContractError

MAX_OUTPUTS = 200_000


@dataclass(frozen=True)
class FeatureMap:
    """Either one source per inner feature, in order, or `opaque` with the reasons why there are none."""

    sources: tuple[Source, ...]
    reasons: tuple[str, ...] = ()

    @property
    def opaque(self) -> bool:
        """Whether the model behind it can only be tested as a black box."""
        return bool(self.reasons)

    @classmethod
    def of(cls, contract: Contract, transforms: Sequence[Transform], columns: Sequence[str] = ()) -> FeatureMap:
        """The map of a fitted pipeline.

        `columns` names the pipeline's input columns in its own order; without it that is the contract's order.
        A step that mixes columns, is not known, or cannot be followed exactly makes the map opaque. Raises
        ContractError (HF-CON-006) where `columns` names a column that the contract does not have.
        """
        names = tuple(columns) or contract.names
        reader = _Reader(contract)
        try:
            sources = reader.through(transforms, reader.start(names), names)
            reader.refuse_raw_texts(sources)
        except _OpaqueError as reason:
            return cls((), (str(reason),))
        return cls(tuple(sources))

    def apply(self, X: Floats) -> Floats:
        """Rows (n, d) of the contract as the inner estimator's (n, m) float64, bit for bit as scikit-learn makes them.

        A category that an encoder does not know gives zeros or NaN here where scikit-learn may refuse the row.
        Raises ContractError (HF-CON-015) if the map is opaque.
        """
        if self.opaque:
            raise ContractError(
                "the model's preprocessing cannot be followed",
                cause="; ".join(self.reasons),
                fix="test the model as a black box, or use scalers, imputers and encoders that act column by column",
                code="HF-CON-015",
            )
        raw = np.asarray(X, dtype=np.float64)
        inner = np.empty((len(raw), len(self.sources)))
        for position, source in enumerate(self.sources):
            inner[:, position] = source.values(raw[:, source.column])
        return inner


class _OpaqueError(Exception):
    """Why a pipeline cannot be followed."""


class _Reader:
    """Follows sources through transforms. Text categories that only the pipeline knows get codes of their own."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._codes: dict[int, dict[str, float]] = {
            position: {str(value): float(code) for code, value in enumerate(feature.values)}
            for position, feature in enumerate(contract.features)
            if feature.text
        }

    def start(self, names: Sequence[str]) -> list[Source]:
        columns = [self.contract.index(name) for name in names]
        return [Source(column, text=column in self._codes) for column in columns]

    def through(self, steps: Sequence[Transform], sources: list[Source], names: Sequence[str]) -> list[Source]:
        for position, step in enumerate(steps):
            sources = self._step(step, sources, names if position == 0 else ())
            if len(sources) > MAX_OUTPUTS:
                raise _OpaqueError(f"more than {MAX_OUTPUTS:,} inner features")
        return sources

    def refuse_raw_texts(self, sources: Sequence[Source]) -> None:
        for source in sources:
            if source.text:
                name = self.contract.names[source.column]
                raise _OpaqueError(f"the texts of '{name}' reach the model without an encoder that was read")

    def _step(self, step: Transform, sources: list[Source], names: Sequence[str]) -> list[Source]:
        match step:
            case Passthrough():
                return sources
            case Opaque(name):
                raise _OpaqueError(f"the step '{name}' is not known")
            case Columns(branches):
                return [found for branch in branches for found in self._branch(branch, sources, names)]
            case Scale():
                return self._scale(step, sources)
            case Impute():
                return self._impute(step, sources)
            case OneHot():
                return self._one_hot(step, sources)
            case Ordinal():
                return self._ordinal(step, sources)

    def _branch(self, branch: Branch, sources: list[Source], names: Sequence[str]) -> list[Source]:
        chosen = [self._position(column, sources, names) for column in branch.columns]
        inner = [names[position] for position in chosen] if names else ()
        return self.through(branch.steps, [sources[position] for position in chosen], inner)

    def _position(self, column: int | str, sources: list[Source], names: Sequence[str]) -> int:
        if isinstance(column, str):
            if column not in names:
                raise _OpaqueError(f"the pipeline reads a column '{column[:60]}' that its input does not have")
            return list(names).index(column)
        if not 0 <= column < len(sources):
            raise _OpaqueError(f"the pipeline reads column {column} of {len(sources)}")
        return column

    def _scale(self, step: Scale, sources: list[Source]) -> list[Source]:
        self._fits(sources, len(step.offset), "a scaler")
        self._fits(sources, len(step.factor), "a scaler")
        found = []
        for source, offset, factor in zip(sources, step.offset, step.factor, strict=True):
            self._refuse_texts(source, "a scaler")
            if not (math.isfinite(offset) and math.isfinite(factor)) or factor == 0:
                raise _OpaqueError(f"a scaler of '{self._name(source)}' has the factor {factor:g}, offset {offset:g}")
            found.append(source.then(Shift(offset, factor, step.multiply)))
        return found

    def _impute(self, step: Impute, sources: list[Source]) -> list[Source]:
        self._fits(sources, len(step.statistics), "an imputer")
        # A column without a statistic had no value at all in training; scikit-learn leaves it out.
        found = [
            source.then(Fill(self._code(source, statistic, "an imputer")))
            for source, statistic in zip(sources, step.statistics, strict=True)
            if isinstance(statistic, str) or not math.isnan(statistic)
        ]
        flagged = [sources[self._position(column, sources, ())] for column in step.indicators]
        return found + [source.encoded(Match(math.nan), "missing") for source in flagged]

    def _one_hot(self, step: OneHot, sources: list[Source]) -> list[Source]:
        self._fits(sources, len(step.categories), "a one-hot encoder")
        dropped = step.dropped or (None,) * len(sources)
        self._fits(sources, len(dropped), "a one-hot encoder")
        found: list[Source] = []
        for source, categories, absent in zip(sources, step.categories, dropped, strict=True):
            codes = self._encodable(source, categories, "a one-hot encoder")
            kept = (code for position, code in enumerate(codes) if position != absent)
            found.extend(source.encoded(Match(code), "indicator") for code in kept)
        return found

    def _ordinal(self, step: Ordinal, sources: list[Source]) -> list[Source]:
        self._fits(sources, len(step.categories), "an ordinal encoder")
        unknown = math.nan if step.unknown_value is None else step.unknown_value
        found = []
        for source, categories in zip(sources, step.categories, strict=True):
            codes = self._encodable(source, categories, "an ordinal encoder")
            missing = next((float(position) for position, code in enumerate(codes) if math.isnan(code)), unknown)
            if step.missing_value is not None:
                missing = step.missing_value
            found.append(source.encoded(Lookup(codes, unknown, missing), "ordinal"))
        return found

    def _encodable(self, source: Source, categories: Sequence[Category], step: str) -> tuple[float, ...]:
        if source.shifted:
            raise _OpaqueError(f"{step} behind a scaler of '{self._name(source)}'")
        return tuple(self._code(source, category, step) for category in categories)

    def _code(self, source: Source, category: Category, step: str) -> float:
        if isinstance(category, str) != source.text and not (isinstance(category, float) and math.isnan(category)):
            kind = "texts" if source.text else "numbers"
            raise _OpaqueError(f"{step} of '{self._name(source)}' knows {category!r:.60}, the column holds {kind}")
        if not isinstance(category, str):
            return float(category)
        codes = self._codes[source.column]
        return codes.setdefault(category, float(len(codes)))

    def _refuse_texts(self, source: Source, step: str) -> None:
        if source.text:
            raise _OpaqueError(f"{step} reads the texts of '{self._name(source)}'")

    def _fits(self, sources: Sequence[Source], count: int, step: str) -> None:
        if count != len(sources):
            raise _OpaqueError(f"{step} for {count} columns is given {len(sources)}")

    def _name(self, source: Source) -> str:
        return self.contract.names[source.column]

"""Named columns to float64 matrices and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.core.contract.faults import listed_rows
from holdfast.core.documents import suggest
from holdfast.core.errors import ContractError

if TYPE_CHECKING:
    from holdfast.core.contract.contract import Contract, Feature

Floats = NDArray[np.float64]
MAX_EXACT = 2**53


def encode(contract: Contract, columns: Mapping[str, NDArray[Any]], ignore: Collection[str] = ()) -> Floats:
    """Columns as a matrix (n, d) in the order of the contract; a missing value (NaN, None) becomes NaN.

    Numbers and numeric categories stay as they are, text categories become their position in `values`. Columns in
    `ignore` and the contract's subject are skipped. Raises ContractError on a column that is missing or not listed
    (HF-CON-009), on an unknown text category, a text where a number belongs, an infinite value, or an integer that
    float64 cannot hold (HF-CON-010).
    """
    _refuse_other_columns(contract, columns, ignore)
    lengths = {name: len(columns[name]) for name in contract.names}
    if len(set(lengths.values())) > 1:
        raise _mismatch("the columns differ in length", f"{sorted(set(lengths.values()))} rows", "pass whole columns")
    X = np.empty((next(iter(lengths.values())), len(contract.features)), dtype=np.float64)
    for position, feature in enumerate(contract.features):
        X[:, position] = _encode_column(feature, np.asarray(columns[feature.name]))
    return X


def decode(contract: Contract, X: Floats) -> dict[str, NDArray[Any]]:
    """Matrix (n, d) to named columns: float64; int64 for integers without missing values; str or None for texts."""
    X = as_matrix(contract, X)
    return {feature.name: _decode_column(feature, X[:, i]) for i, feature in enumerate(contract.features)}


def as_matrix(contract: Contract, X: Any) -> Floats:
    """`X` as float64 of shape (n, d). Raises ContractError HF-CON-012."""
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(contract.features):
        raise ContractError(
            "a matrix does not fit the contract",
            cause=f"its shape is {matrix.shape}; the contract has {len(contract.features)} features",
            fix="make it with contract.encode(columns)",
            code="HF-CON-012",
        )
    return matrix


def _refuse_other_columns(contract: Contract, columns: Mapping[str, Any], ignore: Collection[str]) -> None:
    known = set(contract.names)
    absent = [name for name in contract.names if name not in columns]
    if absent:
        raise _mismatch(
            f"the data has no column '{absent[0]}'" + (f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""),
            f"{contract.source} lists it as a feature",
            suggest(absent[0], [name for name in columns if name not in known]),
        )
    extra = [name for name in columns if name not in known and name not in ignore and name != contract.subject]
    if extra:
        raise _mismatch(
            f"the column '{extra[0]}' is not in the contract"
            + (f" (and {len(extra) - 1} more)" if len(extra) > 1 else ""),
            f"{contract.source} does not list it; a column that is not listed is an error, never free",
            "add it under 'features', or drop it (label and drop in holdfast.yaml)",
        )


def _encode_column(feature: Feature, values: NDArray[Any]) -> Floats:
    if values.ndim != 1:
        raise unusable(feature.name, f"it has {values.ndim} dimensions", "pass one value per row")
    if feature.text:
        return _encode_texts(feature, values)
    if values.dtype.kind in "iu":
        return _exact(feature, values)
    if values.dtype.kind not in "bf":
        return _encode_objects(feature, values)
    numbers = values.astype(np.float64)
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        raise unusable(feature.name, f"infinite values in {listed_rows(infinite)}", "store a missing value instead")
    return numbers


def _exact(feature: Feature, values: NDArray[Any]) -> Floats:
    wide = np.flatnonzero((values > MAX_EXACT) | (values < -MAX_EXACT if values.dtype.kind == "i" else False))
    if wide.size:
        fix = "identifiers are no features: drop the column, or make it a category of texts"
        raise unusable(feature.name, f"integers beyond 2**53 in {listed_rows(wide)}, which float64 cannot hold", fix)
    return values.astype(np.float64)


def _encode_objects(feature: Feature, values: NDArray[Any]) -> Floats:
    numbers = np.empty(len(values))
    for row, value in enumerate(values.tolist()):
        if value is None:
            numbers[row] = np.nan
        elif isinstance(value, int | float) and abs(value) <= (MAX_EXACT if isinstance(value, int) else np.inf):
            numbers[row] = value
        elif isinstance(value, float) and np.isnan(value):
            numbers[row] = np.nan
        else:
            raise unusable(
                feature.name, f"row {row} holds {_short(value)}, which is no usable number", "correct the data"
            )
    return _encode_column(feature, numbers)


def _encode_texts(feature: Feature, values: NDArray[Any]) -> Floats:
    if values.dtype.kind not in "OUT":
        fix = "quote the values in the contract only if the data holds texts"
        raise unusable(feature.name, f"the data holds {values.dtype}, its values are texts", fix)
    codes: dict[object, float] = {value: float(code) for code, value in enumerate(feature.values)}
    found = np.empty(len(values))
    for row, value in enumerate(values.tolist()):
        if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
            found[row] = np.nan
        elif isinstance(value, str) and value in codes:
            found[row] = codes[value]
        else:
            fix = suggest(str(value), [str(known) for known in feature.values])
            raise unusable(feature.name, f"row {row} holds {_short(value)}, which is none of its values", fix)
    return found


def _decode_column(feature: Feature, values: Floats) -> NDArray[Any]:
    present = ~np.isnan(values)
    if feature.text:
        return _decode_texts(feature, values, present)
    integral = feature.type == "integer" or (bool(feature.values) and all(v == int(v) for v in feature.codes))
    # A row that is not valid may hold 1.5 in an integer column; it is passed on as it is.
    exact = present & (values == np.rint(values)) & (np.abs(values) <= MAX_EXACT)
    return values.astype(np.int64) if integral and exact.all() else values.copy()


def _decode_texts(feature: Feature, values: Floats, present: NDArray[np.bool_]) -> NDArray[Any]:
    found = np.full(len(values), None, dtype=object)
    codes = values[present]
    bad = (codes != np.rint(codes)) | (codes < 0) | (codes >= len(feature.values))
    if bad.any():
        raise unusable(feature.name, f"{_short(codes[bad][0])} is no position in its values", "round the rows first")
    found[present] = np.array(feature.values, dtype=object)[codes.astype(np.int64)]
    return found


def _mismatch(message: str, cause: str, fix: str) -> ContractError:
    return ContractError(message, cause=cause, fix=fix, code="HF-CON-009")


def unusable(name: str, cause: str, fix: str) -> ContractError:
    """A column whose values cannot be represented."""
    return ContractError(f"the column '{name}' cannot be used", cause=cause, fix=fix, code="HF-CON-010")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."

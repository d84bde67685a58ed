"""Fitted scikit-learn preprocessing as plain data: what a Pipeline does before its estimator.

A step that has no exact description becomes Opaque with its name, never an approximation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from holdfast.core.domain.transform import Branch, Columns, Impute, OneHot, Opaque, Ordinal, Passthrough, Scale
from holdfast.core.domain.transform import Transform as Step
from holdfast.core.formats.faults import inconsistent
from holdfast.core.formats.instances import KIND, LABEL_COST, NAN, Instance, Source, elements, entries, label, labels
from holdfast.core.formats.pickle import Global, Object, Value, as_text

MAX_DEPTH = 16
_SAMPLERS = tuple(f"imblearn.{name}." for name in ("over_sampling", "under_sampling", "combine"))
"""imbalanced-learn's pipeline leaves these out when it predicts."""
_CHECKS = ("sklearn.utils.validation.check_array",)


def steps_of(value: Value, source: Source, depth: int = 0) -> tuple[Step, ...]:
    """What a step, or a pipeline of steps, does. Nothing for 'passthrough' and None."""
    if depth > MAX_DEPTH:
        raise inconsistent(KIND, f"pipelines are nested deeper than {MAX_DEPTH} levels")
    source.step()
    if value is None or value == "passthrough":
        return ()
    found = Instance.maybe(value, source)
    if found is None:
        return (Opaque("a step that is not a plain object"),)
    if found.module.startswith(_SAMPLERS):
        return ()
    if found.name == "Pipeline" and found.package in ("sklearn", "imblearn"):
        return tuple(part for step in pipeline(found) for part in steps_of(step, source, depth + 1))
    if found.name == "ColumnTransformer" and found.package == "sklearn":
        return (_columns(found, depth),)
    reader = _READERS.get(found.name) if found.package == "sklearn" else None
    return (reader(found) if reader else Opaque(f"{found.module}.{found.name}"),)


def pipeline(found: Instance) -> list[Value]:
    """The steps of a Pipeline, without their names."""
    _, steps = elements(found.get("steps"), found.source, "Pipeline.steps")
    if not all(isinstance(step, tuple) and len(step) == 2 for step in steps):
        raise inconsistent(KIND, "a pipeline's steps are not pairs of name and object")
    return [step[1] for step in steps]


def _columns(found: Instance, depth: int) -> Step:
    """Fitted column transformers keep the position of every input column, whatever way it was named."""
    if found.attributes.get("transformer_weights") is not None:
        return Opaque("sklearn ColumnTransformer with weights")
    positions = entries(found.attributes.get("_transformer_to_input_indices"))
    _, parts = elements(found.get("transformers_"), found.source, "ColumnTransformer.transformers_")
    branches = []
    for part in parts:
        if not isinstance(part, tuple) or len(part) != 3:
            raise inconsistent(KIND, "a part of a column transformer is not (name, step, columns)")
        name, step, _ = part
        columns = _positions(positions.get(as_text(name, found.source.data) or ""), found.source)
        if columns is None:
            return Opaque("sklearn ColumnTransformer of an unknown version")
        if columns and step != "drop":
            branches.append(Branch(columns, steps_of(step, found.source, depth + 1) or (Passthrough(),)))
    return Columns(tuple(branches))


def _positions(value: Value, source: Source) -> tuple[int, ...] | None:
    if not isinstance(value, list):
        return None
    source.spend(len(value) * LABEL_COST)
    if not all(type(position) is int and position >= 0 for position in value):
        raise inconsistent(KIND, "a column transformer names a column by something else than its position")
    return tuple(value)


def _floats(found: Instance, name: str) -> tuple[float, ...]:
    array = found.array(name, "f")
    if array.ndim != 1 or not np.isfinite(array).all():
        raise inconsistent(KIND, f"{found.name}.{name} is not a list of finite numbers")
    found.source.spend(array.size * LABEL_COST)
    return tuple(array.astype(np.float64).tolist())


def _affine(found: Instance, offset: str, factor: str) -> Step:
    """(x - offset) / factor, where either may have been switched off at fitting time."""
    given = [name for name in (offset, factor) if found.attributes.get(name) is not None]
    values = {name: _floats(found, name) for name in given}
    width = len(next(iter(values.values()))) if values else found.whole("n_features_in_")
    found.source.spend(abs(width) * LABEL_COST)
    if any(len(value) != width for value in values.values()):
        raise inconsistent(KIND, f"{found.name} has offsets and factors of different length")
    return Scale(values.get(offset, (0.0,) * width), values.get(factor, (1.0,) * width))


def _standard(found: Instance) -> Step:
    offset = "mean_" if found.flag("with_mean", default=True) else ""
    return _affine(found, offset, "scale_" if found.flag("with_std", default=True) else "")


def _robust(found: Instance) -> Step:
    offset = "center_" if found.flag("with_centering", default=True) else ""
    return _affine(found, offset, "scale_" if found.flag("with_scaling", default=True) else "")


def _max_abs(found: Instance) -> Step:
    return Opaque("sklearn MaxAbsScaler with clip") if found.flag("clip") else _affine(found, "", "scale_")


def _min_max(found: Instance) -> Step:
    if found.flag("clip"):
        return Opaque("sklearn MinMaxScaler with clip")
    offset, factor = _floats(found, "min_"), _floats(found, "scale_")
    if len(offset) != len(factor):
        raise inconsistent(KIND, "MinMaxScaler has offsets and factors of different length")
    return Scale(offset, factor, multiply=True)


def _impute(found: Instance) -> Step:
    missing = found.attributes.get("missing_values", NAN)
    statistics = found.labels("statistics_")
    if not _is_nan(missing) or any(_is_nan(value) for value in statistics):
        # A column without any value is dropped, and another mark than NaN is a comparison we do not model.
        return Opaque("sklearn SimpleImputer with an empty column or a missing mark of its own")
    if not found.flag("add_indicator"):
        return Impute(statistics)
    indicator = found.child("indicator_")
    positions = indicator.array("features_", "iu")
    if positions.ndim != 1 or np.any((positions < 0) | (positions >= len(statistics))):
        raise inconsistent(KIND, "SimpleImputer marks a column that does not exist")
    return Impute(statistics, tuple(positions.tolist()))


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN is the one that differs from itself


def _categories(found: Instance) -> tuple[tuple[float | str, ...], ...]:
    _, lists = elements(found.get("categories_"), found.source, f"{found.name}.categories_")
    return tuple(labels(item, found.source, f"{found.name}.categories_") for item in lists)


def _one_hot(found: Instance) -> Step:
    if found.flag("_infrequent_enabled"):
        return Opaque("sklearn OneHotEncoder with infrequent categories")
    categories = _categories(found)
    unknown = found.attributes.get("handle_unknown", "error")
    if not isinstance(unknown, str):
        raise inconsistent(KIND, "OneHotEncoder.handle_unknown is not a word")
    return OneHot(categories, _dropped(found, categories), unknown)


def _dropped(found: Instance, categories: tuple[tuple[float | str, ...], ...]) -> tuple[int | None, ...]:
    value = found.attributes.get("drop_idx_")
    if value is None:
        return ()
    _, items = elements(value, found.source, "OneHotEncoder.drop_idx_")
    dropped = tuple(None if item is None else label(item, found.source, "drop_idx_") for item in items)
    if len(dropped) != len(categories):
        raise inconsistent(KIND, "OneHotEncoder drops categories of columns it does not have")
    return tuple(
        _inside(item, len(known)) if item is not None else None for item, known in zip(dropped, categories, strict=True)
    )


def _inside(item: float | str, count: int) -> int:
    if not isinstance(item, float) or not item.is_integer() or not 0 <= item < count:
        raise inconsistent(KIND, "OneHotEncoder drops a category that does not exist")
    return int(item)


def _ordinal(found: Instance) -> Step:
    if found.flag("_infrequent_enabled"):
        return Opaque("sklearn OrdinalEncoder with infrequent categories")
    categories = _categories(found)
    unknown = found.number("unknown_value") if found.attributes.get("unknown_value") is not None else None
    knows_missing = any(_is_nan(item) for known in categories for item in known)
    missing = found.attributes.get("encoded_missing_value", NAN)
    if not knows_missing:
        return Ordinal(categories, unknown)
    return Ordinal(categories, unknown, NAN if _is_nan(missing) else found.number("encoded_missing_value"))


def _function(found: Instance) -> Step:
    function = found.attributes.get("func")
    if function is None or (isinstance(function, Object) and _is_check(function)):
        return Passthrough()
    return Opaque("sklearn FunctionTransformer with a function")


def _is_check(function: Object) -> bool:
    """HistGradientBoosting wraps its own input check in a partial, which changes no value."""
    target = function.args[0] if isinstance(function.args, tuple) and function.args else None
    return function.path == "functools.partial" and isinstance(target, Global) and target.path in _CHECKS


_READERS: dict[str, Callable[[Instance], Step]] = {
    "StandardScaler": _standard,
    "RobustScaler": _robust,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "SimpleImputer": _impute,
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "FunctionTransformer": _function,
}

"""Fitted estimators in a pickle's object graph, with typed access to what was stored in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from holdfast.core.domain.transform import Category
from holdfast.core.formats.faults import inconsistent, oversize
from holdfast.core.formats.pickle import Array, Dict, Object, Value, as_array, as_text, load

KIND = "pickled"
MAX_STEPS = 10_000
MAX_VALUES = 400_000_000
LABEL_COST, INSTANCE_COST = 20, 50
"""What a label, or an attribute of an instance, weighs in time and memory beside eight bytes of an array."""
NAN = float("nan")


@dataclass(slots=True)
class Source:
    """The buffer a graph was read from, and how many values may still be taken out of it.

    A pickle may refer to one array a million times: without the count, a small file would fill the memory.
    """

    data: Any
    left: int = MAX_VALUES
    steps_left: int = MAX_STEPS

    def step(self) -> None:
        """Count a preprocessing step. FormatError HF-FMT-012 where there are too many."""
        self.steps_left -= 1
        if self.steps_left < 0:
            raise oversize(KIND, "steps, or more", MAX_STEPS + 1, MAX_STEPS)

    def spend(self, count: int) -> None:
        """Count values taken out. FormatError HF-FMT-012 where the allowance is used up."""
        self.left -= count
        if self.left < 0:
            raise oversize(KIND, "values, or more", MAX_VALUES + 1, MAX_VALUES)


@dataclass(frozen=True, slots=True)
class Instance:
    """One object of the graph."""

    attributes: dict[str, Value]
    module: str
    name: str
    source: Source

    @classmethod
    def of(cls, value: Value, source: Source) -> Instance:
        """FormatError where `value` is not an instance of a plainly named class."""
        found = cls.maybe(value, source)
        if found is None:
            raise inconsistent(KIND, "an object of a named class was expected, and something else is there")
        return found

    @classmethod
    def maybe(cls, value: Value, source: Source) -> Instance | None:
        """None where `value` is not an instance of a plainly named class."""
        if not isinstance(value, Object) or not value.path:
            return None
        module, _, name = value.path.rpartition(".")
        attributes = value.attributes()
        source.spend((1 + len(attributes)) * INSTANCE_COST)
        return cls(attributes, module, name, source)

    @property
    def package(self) -> str:
        """The top-level package of the class."""
        return self.module.partition(".")[0]

    def get(self, name: str) -> Value:
        """The attribute; FormatError where it is missing."""
        if name not in self.attributes:
            raise inconsistent(KIND, f"{self.name} has no '{name}': it was not fitted, or is of an unknown version")
        return self.attributes[name]

    def child(self, name: str) -> Instance:
        """The attribute as an instance."""
        return Instance.of(self.get(name), self.source)

    def array(self, name: str, kinds: str = "biuf") -> NDArray[Any]:
        """The attribute as an array of numbers; `kinds` are numpy's letters of what it may hold."""
        return numbers(self.get(name), self.source, f"{self.name}.{name}", kinds)

    def whole(self, name: str) -> int:
        """The attribute as a whole number."""
        value = _scalar(self.get(name), self.source)
        if isinstance(value, bool) or not isinstance(value, int):
            raise inconsistent(KIND, f"{self.name}.{name} is not a whole number")
        return value

    def number(self, name: str) -> float:
        """The attribute as a number."""
        value = _scalar(self.get(name), self.source)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise inconsistent(KIND, f"{self.name}.{name} is not a number")
        return _float(value, f"{self.name}.{name}")

    def flag(self, name: str, default: bool = False) -> bool:
        """The attribute as a truth value; `default` where it is missing, as older versions leave it out."""
        value = _scalar(self.attributes.get(name, default), self.source)
        if not isinstance(value, bool):
            raise inconsistent(KIND, f"{self.name}.{name} is not true or false")
        return value

    def labels(self, name: str) -> tuple[Category, ...]:
        """The attribute as a list of categories."""
        return labels(self.get(name), self.source, f"{self.name}.{name}")

    def names(self) -> tuple[str, ...]:
        """Column names seen at fitting time; () where it was fitted without."""
        if "feature_names_in_" not in self.attributes:
            return ()
        return tuple(name for name in self.labels("feature_names_in_") if isinstance(name, str))

    def version(self) -> tuple[int, ...]:
        """Version of scikit-learn that wrote it, () where unknown."""
        text = self.attributes.get("_sklearn_version", "")
        parts = text.split(".")[:2] if isinstance(text, str) else []
        return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 6)


def numbers(value: Value, source: Source, what: str, kinds: str = "biuf") -> NDArray[Any]:
    """An array node's numbers. FormatError where it holds something else."""
    found = load(value, source.data)
    source.spend(found.size * max(1, found.dtype.itemsize // 8))
    if found.dtype.kind not in kinds:
        raise inconsistent(KIND, f"{what} holds values of type {found.dtype}")
    return found


def node_field(nodes: NDArray[Any], name: str, kinds: str) -> NDArray[Any]:
    """One field of a structured array of nodes. FormatError where it holds something else than flat numbers."""
    column = nodes[name]
    if column.ndim != 1 or column.dtype.kind not in kinds:
        raise inconsistent(KIND, f"'{name}' of the nodes holds values of type {column.dtype}")
    return column


def elements(value: Value, source: Source, what: str) -> tuple[tuple[int, ...], list[Value]]:
    """Shape and elements of a list, a tuple, or an array of objects (in C order)."""
    if isinstance(value, list | tuple):
        source.spend(len(value))
        return (len(value),), list(value)
    array = as_array(value)
    if array is None or not isinstance(array.data, list | tuple):
        raise inconsistent(KIND, f"{what} is not a list of objects")
    if len(array.data) != array.size or (array.order == "F" and min(array.shape, default=0) > 1):
        raise inconsistent(KIND, f"{what} does not fill its shape")
    source.spend(array.size)
    return array.shape, list(array.data)


def labels(value: Value, source: Source, what: str) -> tuple[Category, ...]:
    """Category labels: numbers as floats, texts as texts, a missing one as NaN."""
    array = as_array(value)
    if array is not None and not isinstance(array.data, list | tuple):
        plain = numbers(array, source, what, "biufU")
        source.spend(plain.size * LABEL_COST)
        if plain.ndim != 1:
            raise inconsistent(KIND, f"{what} is not a list of labels")
        return tuple(str(item) if plain.dtype.kind == "U" else float(item) for item in plain)
    _, found = elements(value, source, what)
    source.spend(len(found) * LABEL_COST)
    return tuple(label(item, source, what) for item in found)


def label(value: Value, source: Source, what: str) -> Category:
    """One category label."""
    text = as_text(value, source.data)
    if text is not None:
        return text
    plain = _scalar(value, source)
    if plain is None:
        return NAN
    if isinstance(plain, int | float):
        return _float(plain, what)
    if isinstance(plain, str):
        return plain
    raise inconsistent(KIND, f"{what} holds a label that is neither number nor text")


def entries(value: Value) -> dict[str, Value]:
    """The entries of a dictionary node, {} for anything else."""
    return value.by_name() if isinstance(value, Dict) else {}


def _float(value: float, what: str) -> float:
    try:
        return float(value)
    except OverflowError as fault:
        raise inconsistent(KIND, f"{what} is a number without bounds") from fault


def _scalar(value: Value, source: Source) -> Value:
    """A literal, or the Python value of a numpy scalar."""
    array = as_array(value) if isinstance(value, Object | Array) else None
    if array is None or array.shape != ():
        return value
    return load(array, source.data).item()

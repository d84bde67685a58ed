"""ONNX models with one tree operator, read as data.

Rules kept here are those of ONNX Runtime (checked against 1.32), which fills gaps of the standard: values, leaves and
sums are float32 (float64 where thresholds are doubles), the base value is added last, and a classifier of two classes
whose weights all name the first gives them to the second. What stands in front of the trees becomes
transforms where that is exact, else Opaque: its arithmetic is float32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holdfast.core.domain.transform import Branch, Category, Columns, Impute, Opaque, Passthrough, Transform
from holdfast.core.formats.assemble import MAX_FEATURES, MAX_OUTPUTS, Floats, Tree, join
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.faults import damaged, inconsistent, not_trees, oversize, unsupported
from holdfast.core.formats.onnx_trees import KIND, Forest, read_forest, read_tree_ensemble, trees_of
from holdfast.core.formats.onnx_wire import Graph, Node, read_graph
from holdfast.core.formats.trees import LEAF, CategoryMatch, Link, TreeEnsemble, TreeModel

MAX_BYTES = 2 * 2**30
MAX_CHAIN = 64
_ML = "ai.onnx.ml"
_OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor", "TreeEnsemble")
_BEHIND = frozenset(("Cast", "ZipMap", "Identity", "Reshape", "Flatten", "Squeeze", "ArgMax", "LabelEncoder"))
"""Operators behind the trees that name classes or change the shape of scores, but no score."""
_NEUTRAL = frozenset(("Cast", "Identity", "Reshape", "Flatten"))
_FLOAT, _DOUBLE = 1, 11
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A tree operator, understood."""

    forest: Forest
    n_outputs: int
    base: Floats
    link: Link
    classes: tuple[Category, ...]
    mean: bool = False


def read_onnx(data: Any) -> TreeModel:
    """Read an ONNX model from bytes or a memory map. FormatError where it is broken or holds no single forest."""
    if len(data) > MAX_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_BYTES)
    try:
        return _model(read_graph(Window.whole(data)))
    except Fault as fault:
        if fault.kind == "budget":
            raise oversize(KIND, fault.why, len(data), MAX_BYTES) from None
        raise damaged(KIND, f"{fault.why} (offset {fault.offset:,})") from None


def _model(graph: Graph) -> TreeModel:
    trees = [node for node in graph.nodes if node.operator in _OPERATORS and node.domain == _ML]
    if len(trees) != 1:
        operators = sorted({node.operator for node in graph.nodes})
        raise not_trees("an ONNX graph", f"{len(trees)} tree operators among {', '.join(operators)[:100]}")
    [node] = trees
    path = _Path(graph).to(node)
    _check_behind(graph, node, path.nodes)
    found = _reading(node)
    forest = replace(found.forest, double=found.forest.double or path.double)
    parts = [*trees_of(forest, found.n_outputs), *_last_trees(found)]
    n_features = path.width or int(found.forest.feature.max(initial=-1)) + 1
    if n_features > MAX_FEATURES:
        raise oversize(KIND, "features", n_features, MAX_FEATURES)
    dtype = "float64" if forest.double else "float32"
    ensemble = TreeEnsemble(
        **join(parts, kind=KIND, n_features=n_features, n_outputs=found.n_outputs),
        base=np.zeros(found.n_outputs),
        operator="<=",
        compare_dtype=dtype,
        sum_dtype=dtype,
        link=found.link,
        n_features=n_features,
        n_classes=len(found.classes),
        source="onnx",
        scale=1.0 / found.forest.starts.size if found.mean else 1.0,
        category_match=CategoryMatch.EXACT,
    )
    return TreeModel(ensemble, path.steps, found.classes, path.columns)


def _last_trees(found: _Reading) -> list[Tree]:
    """The base value as trees of one leaf: ONNX Runtime adds it after all others, which decides the last bit."""
    count = found.forest.starts.size if found.mean else 1
    values = enumerate(found.base.tolist())
    return [Tree.of_one_leaf(value * count, output) for output, value in values if value]


def _reading(node: Node) -> _Reading:
    if node.operator == "TreeEnsembleClassifier":
        return _classifier(node)
    if node.operator == "TreeEnsembleRegressor":
        return _regressor(node)
    if not 0 <= node.integer("post_transform", 0) < len(_TRANSFORMS):
        raise inconsistent(KIND, "an unknown post_transform")
    forest, outputs = read_tree_ensemble(node), _outputs(node.integer("n_targets", 1))
    aggregate = {0: "AVERAGE", 1: "SUM"}.get(node.integer("aggregate_function", 1), "MIN or MAX")
    transform = _TRANSFORMS[node.integer("post_transform", 0)]
    return _sum(forest, outputs, aggregate, transform, np.zeros(outputs))


def _regressor(node: Node) -> _Reading:
    forest, outputs = read_forest(node, "target"), _outputs(node.integer("n_targets", 1))
    base = _base(node)
    if base.size not in (0, outputs):
        raise inconsistent(KIND, f"{base.size} base values for {outputs} outputs")
    base = base if base.size else np.zeros(outputs)
    return _sum(forest, outputs, node.text("aggregate_function", "SUM"), node.text("post_transform", "NONE"), base)


def _sum(forest: Forest, outputs: int, aggregate: str, transform: str, base: Floats) -> _Reading:
    if aggregate not in ("SUM", "AVERAGE"):
        raise unsupported(KIND, f"its trees are joined by {aggregate[:20]}")
    links = {"NONE": Link.IDENTITY, "LOGISTIC": Link.SIGMOID, "SOFTMAX": Link.SOFTMAX}
    # ONNX Runtime leaves a single output as it is, whatever transform the file asks for.
    if transform not in links or (outputs == 1 and transform != "NONE"):
        raise unsupported(KIND, f"its outputs go through {transform[:20]}")
    return _Reading(forest, outputs, base, links[transform], (), mean=aggregate == "AVERAGE")


def _outputs(count: int) -> int:
    if not 0 < count <= MAX_OUTPUTS:
        raise oversize(KIND, "outputs", count, MAX_OUTPUTS)
    return count


def _base(node: Node) -> Floats:
    tensor = node.tensor("base_values_as_tensor")
    values = node.floats("base_values") if tensor is None else tensor.values
    base: Floats = values.astype(np.float64)
    if not np.isfinite(base).all():
        raise inconsistent(KIND, "a base value is not a finite number")
    return base


def _labels(node: Node) -> tuple[Category, ...]:
    texts = node.strings("classlabels_strings")
    if not texts:
        return tuple(float(label) for label in node.ints("classlabels_int64s").tolist())
    try:
        return tuple(text.decode("utf-8") for text in texts)
    except UnicodeDecodeError as fault:
        raise inconsistent(KIND, "a class label is not UTF-8") from fault


def _classifier(node: Node) -> _Reading:
    classes, forest = _labels(node), read_forest(node, "class")
    count, base, transform = _outputs(len(classes)), _base(node), node.text("post_transform", "NONE")
    if transform not in ("NONE", "LOGISTIC", "SOFTMAX"):
        raise unsupported(KIND, f"its scores go through {transform[:20]}")
    positive = bool((forest.votes.weight >= 0).all())
    if count == 2 and base.size < 2 and not forest.votes.target.any():
        return _binary(forest, classes, base if base.size else np.zeros(1), transform, positive=positive)
    if base.size not in (0, count):
        raise inconsistent(KIND, f"{base.size} base values for {count} classes")
    if count == 2 and (base.size or not _all_vote(forest, 1)):
        raise unsupported(KIND, "two classes with base values, or with leaves that leave a class out")
    links = {"LOGISTIC": Link.SIGMOID, "SOFTMAX": Link.SOFTMAX, "NONE": Link.MEAN if positive else Link.IDENTITY}
    return _Reading(forest, count, base if base.size else np.zeros(count), links[transform], classes)


def _binary(forest: Forest, classes: tuple[Category, ...], base: Floats, transform: str, *, positive: bool) -> _Reading:
    """All weights name class 0, and mean class 1. Their sum is taken for a probability where none is negative."""
    plain = Link.MEAN if positive else Link.IDENTITY
    return _Reading(forest, 1, base, Link.SIGMOID if transform == "LOGISTIC" else plain, classes)


def _all_vote(forest: Forest, target: int) -> bool:
    """Whether every leaf gives a weight to the class; ONNX Runtime answers otherwise where none of a row's does."""
    voted = np.zeros(forest.size, np.bool_)
    voted[forest.votes.node[forest.votes.target == target]] = True
    return bool(voted[forest.true == LEAF].all())


def _check_behind(graph: Graph, tree: Node, front: frozenset[int]) -> None:
    """Nothing may change a score between the trees and the outputs of the graph."""
    others = [node for node in graph.nodes if node is not tree and id(node) not in front]
    strange = sorted({node.operator for node in others if node.operator not in _BEHIND})
    if strange:
        raise unsupported(KIND, f"its scores go through {', '.join(strange)[:100]}")


class _Path:
    """The way from the graph's inputs to the trees."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made = {output: node for node in graph.nodes for output in node.outputs}
        self._ports = {port.name: index for index, port in enumerate(graph.inputs)}
        self._widths = [port.shape[1] if len(port.shape) == 2 else -1 for port in graph.inputs]
        self.nodes: frozenset[int] = frozenset()
        self.steps: tuple[Transform, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.width = 0
        self.double = False

    def to(self, tree: Node) -> _Path:
        """Follow the tree operator's input back as far as every step is understood."""
        self.nodes = self._above(tree)
        top = tree.inputs[0] if tree.inputs else ""
        self.double = self._type(top) == _DOUBLE
        steps, value = self._chain(top)
        if any(isinstance(step, Impute) and len(step.statistics) != value for step in steps):
            steps, value = ["Imputer"], None
        if value is None:
            self.steps = (Opaque(f"ONNX {steps[0] if steps else 'graph'}"),)
            return self
        self.width = value
        self.steps = tuple(step for step in reversed(steps) if not isinstance(step, str))
        if len(self._ports) > 1:
            self.columns = tuple(port.name for port in self._graph.inputs)
        return self

    def _above(self, tree: Node) -> frozenset[int]:
        """All operators the tree's input depends on."""
        found: set[int] = set()
        pending = list(tree.inputs)
        while pending:
            node = self._made.get(pending.pop())
            if node is not None and id(node) not in found:
                found.add(id(node))
                pending.extend(node.inputs)
        return frozenset(found)

    def _type(self, name: str) -> int:
        """Element type of a value, as far as it is plain; trees compare in it."""
        types = {port.name: port.dtype for port in self._graph.inputs}
        for _ in range(MAX_CHAIN):
            if name in types:
                return types[name]
            node = self._made.get(name)
            if node is None or not node.inputs:
                return 0
            if node.operator == "Cast":
                return node.integer("to", 0)
            if node.operator not in (*_NEUTRAL, "Concat", "Imputer"):
                return 0
            name = node.inputs[0]
        return 0

    def _chain(self, name: str) -> tuple[list[Transform | str], int | None]:
        """Steps from the trees upward and the width at the top; the name of what is not understood, and None."""
        steps: list[Transform | str] = []
        for _ in range(MAX_CHAIN):
            if name in self._ports and len(self._ports) == 1:
                return steps, max(self._widths[0], 0)
            node = self._made.get(name)
            if node is None:
                return [name[:60]], None
            if node.operator == "Concat":
                return self._concat(node, steps)
            if node.operator == "Imputer" and node.domain == _ML:
                step = _imputer(node)
                if step is None:
                    return ["Imputer"], None
                steps.append(step)
            elif node.operator not in _NEUTRAL or not self._keeps_floats(node):
                return [node.operator[:60]], None
            name = node.inputs[0] if node.inputs else ""
        return ["graph"], None

    def _keeps_floats(self, node: Node) -> bool:
        return node.operator != "Cast" or node.integer("to", 0) in (_FLOAT, _DOUBLE)

    def _concat(self, node: Node, steps: list[Transform | str]) -> tuple[list[Transform | str], int | None]:
        """Columns of their own, joined into a matrix, in an order that may differ from that of the inputs."""
        order = [self._port(name) for name in node.inputs]
        if node.integer("axis", 0) not in (1, -1) or any(place is None for place in order):
            return ["Concat"], None
        if any(self._widths[place] != 1 for place in order if place is not None):
            return ["Concat"], None
        if order != list(range(len(self._ports))):
            steps.append(Columns(tuple(Branch((place,), (Passthrough(),)) for place in order if place is not None)))
        return steps, len(order)

    def _port(self, name: str) -> int | None:
        """The graph input behind a name, through operators that change no value."""
        for _ in range(MAX_CHAIN):
            if name in self._ports:
                return self._ports[name]
            node = self._made.get(name)
            if node is None or node.operator not in _NEUTRAL or not self._keeps_floats(node) or not node.inputs:
                return None
            name = node.inputs[0]
        return None


def _imputer(node: Node) -> Impute | None:
    """NaN replaced by a float per column; another mark for missing values is not described."""
    values = node.floats("imputed_value_floats")
    if not np.isnan(node.number("replaced_value_float", 0.0)) or not np.isfinite(values).all():
        return None
    return Impute(tuple(values.astype(np.float64).tolist()))

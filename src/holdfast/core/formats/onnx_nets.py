"""ONNX graphs that are a chain of dense layers and activations, read as a net.

Values are followed from the inputs through the nodes in file order (ONNX demands that it is topological). A value is
either a constant or a chain of layers on the inputs; nodes that give neither, such as those that name classes, are left
aside unless the scores depend on them. Rules kept here are those of ONNX Runtime (checked against 1.32).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from holdfast.core.domain.transform import Branch, Category, Columns, Impute, Passthrough, Transform
from holdfast.core.formats.assemble import MAX_FEATURES
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.faults import damaged, inconsistent, no_net, oversize
from holdfast.core.formats.nets import Affine, Bend, Curve, Dense, Layer, Net, NetModel, Numbers
from holdfast.core.formats.nets_build import affine, assemble, batch_norm, dense
from holdfast.core.formats.onnx_wire import Graph, Node, Tensor, read_graph
from holdfast.core.formats.trees import Link

KIND = "ONNX"
MAX_BYTES = 2 * 2**30
_ML = "ai.onnx.ml"
_TYPES = {1: "float32", 11: "float64"}
_CURVES = {"Relu": Curve.RELU, "Tanh": Curve.TANH, "Sigmoid": Curve.SIGMOID, "Silu": Curve.SILU, "Swish": Curve.SILU}
_SAME = ("Identity", "Flatten", "Dropout", "ZipMap", "Normalizer", "Reshape", "Squeeze")


@dataclass(frozen=True, eq=False)
class Flow:
    """A value of the graph: layers on the inputs. `pair` where it is [1 - p, p] of a chain that ends in p."""

    width: int
    dtype: str
    layers: tuple[Layer, ...] = ()
    link: Link | None = None
    pair: bool = False
    steps: tuple[Transform, ...] = ()
    columns: tuple[str, ...] = ()
    classes: tuple[Category, ...] = ()
    sources: tuple[int, ...] = ()
    """Numbers of the one-column inputs it joins."""

    def then(self, *layers: Layer) -> Flow:
        """The value behind further layers."""
        if self.link is not None or self.pair:
            raise _NoNetError("something stands behind its probabilities")
        width = layers[-1].weight.shape[1] if isinstance(layers[-1], Dense) else self.width
        return replace(self, layers=self.layers + layers, width=width)


class _NoNetError(Exception):
    """Why a node gives no chain of layers."""


def read_onnx_net(data: Any) -> NetModel:
    """Read an ONNX net from bytes or a memory map. FormatError where it is broken or no chain of known layers."""
    if len(data) > MAX_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_BYTES)
    try:
        return _Reader(read_graph(Window.whole(data))).model()
    except Fault as fault:
        if fault.kind == "budget":
            raise oversize(KIND, fault.why, len(data), MAX_BYTES) from None
        raise damaged(KIND, f"{fault.why} (offset {fault.offset:,})") from None


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants: dict[str, Numbers] = {name: _shaped(part) for name, part in graph.constants.items()}
        self._flows: dict[str, Flow] = {}
        self._why: dict[str, str] = {}

    def model(self) -> NetModel:
        self._start()
        for node in self._graph.nodes:
            self._node(node)
        scores = [name for name in self._graph.outputs if name in self._flows]
        if not scores:
            raise no_net(KIND, self._reason())
        flow = self._flows[scores[-1]]
        if not any(isinstance(layer, Dense) for layer in flow.layers):
            raise no_net(KIND, self._reason())
        if any(isinstance(layer, Erf) for layer in flow.layers):
            raise no_net(KIND, "an error function that is no part of a GELU")
        return _model(flow)

    def _reason(self) -> str:
        return next((self._why[name] for name in self._graph.outputs if name in self._why), "it has no dense layer")

    def _start(self) -> None:
        for position, port in enumerate(self._graph.inputs):
            width = port.shape[-1] if len(port.shape) >= 2 else -1
            if port.dtype in _TYPES and 0 < width <= MAX_FEATURES:
                several = len(self._graph.inputs) > 1
                self._flows[port.name] = Flow(width, _TYPES[port.dtype], sources=(position,) if several else ())
            else:
                self._why[port.name] = "an input is no matrix of floats with a fixed number of columns"

    def _node(self, node: Node) -> None:
        if node.operator == "Constant" and (tensor := node.tensor("value")) is not None:
            self._constants[node.outputs[0]] = _shaped(tensor)
            return
        data = [name for name in node.inputs if name]
        if data and all(name in self._constants for name in data):
            self._fold(node, data)
            return
        try:
            self._flow(node, data)
        except _NoNetError as reason:
            self._blame(node, str(reason))

    def _flow(self, node: Node, data: list[str]) -> None:
        blocked = next((self._why[name] for name in data if name in self._why), None)
        if blocked is not None:
            raise _NoNetError(blocked)
        act = _OPERATORS.get(node.operator)
        if act is None or not any(name in self._flows for name in data):
            raise _NoNetError(f"its operator {node.operator[:40]} is not known in a net")
        made = act(self, node)
        # LinearClassifier names the class first and gives the scores second; Dropout's second output is its mask.
        place = 1 if node.operator == "LinearClassifier" else 0
        if place < len(node.outputs):
            self._flows[node.outputs[place]] = made

    def _blame(self, node: Node, why: str) -> None:
        for name in node.outputs:
            self._why[name] = why

    def _fold(self, node: Node, data: list[str]) -> None:
        """Constants of constants, as exporters leave them."""
        value = self._constants[data[0]]
        if node.operator == "Transpose":
            order = node.ints("perm")
            if order.size in (0, value.ndim) and sorted(order.tolist()) == list(range(order.size)):
                self._constants[node.outputs[0]] = value.transpose(order if order.size else None)
                return
        elif node.operator in ("Identity", "Cast"):
            self._constants[node.outputs[0]] = value
            return
        self._blame(node, f"its operator {node.operator[:40]} on constants is not known")

    def flow(self, node: Node, position: int = 0) -> Flow:
        """An operand that depends on the inputs."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        if name not in self._flows:
            raise _NoNetError(f"{node.operator[:40]} reads something else than the inputs there")
        return self._flows[name]

    def constant(self, node: Node, position: int) -> Numbers | None:
        """A constant operand; None where it is not given or depends on the inputs."""
        name = node.inputs[position] if position < len(node.inputs) else ""
        return self._constants.get(name)

    def needed(self, node: Node, position: int) -> Numbers:
        """A constant operand that must be there."""
        found = self.constant(node, position)
        if found is None:
            raise _NoNetError(f"{node.operator[:40]} does not read constants")
        return found

    def port(self, position: int) -> str:
        """The name of a graph input."""
        return self._graph.inputs[position].name


def _shaped(tensor: Tensor) -> Numbers:
    return tensor.values.reshape(tensor.shape)


def _model(flow: Flow) -> NetModel:
    layers, link, last = flow.layers, flow.link, flow.layers[-1]
    if link is None and not (isinstance(last, Bend) and last.curve is Curve.SIGMOID):
        link = Link.IDENTITY
    net: Net = assemble(layers, n_features=_width(flow), dtype=flow.dtype, source="onnx", kind=KIND, link=link)
    if link is Link.IDENTITY:
        net = replace(net, notes=("no probabilities are made in the file: its outputs are taken for scores",))
    if flow.classes and len(flow.classes) != net.n_classes:
        raise inconsistent(KIND, f"{len(flow.classes)} labels for {net.n_classes} classes")
    return NetModel(net, flow.steps, flow.classes, flow.columns)


def _width(flow: Flow) -> int:
    for layer in flow.layers:
        if isinstance(layer, Dense):
            return int(layer.weight.shape[0])
        if isinstance(layer, Affine):
            return int(layer.offset.size)
    return flow.width


def _gemm(reader: _Reader, node: Node) -> Flow:
    flow, weight = reader.flow(node), reader.needed(node, 1)
    if node.integer("transA", 0) or weight.ndim != 2:
        raise _NoNetError("a Gemm that mixes rows")
    weight = weight.T if node.integer("transB", 0) else weight
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    bias = reader.constant(node, 2)
    if bias is None and len(node.inputs) > 2 and node.inputs[2]:
        raise _NoNetError("a Gemm whose bias is computed")
    shift = None if bias is None else np.broadcast_to(bias.reshape(-1), (weight.shape[1],)) * beta
    return flow.then(_dense(flow, weight * np.dtype(flow.dtype).type(alpha), shift))


def _dense(flow: Flow, weight: Numbers, bias: Numbers | None) -> Dense:
    if weight.ndim != 2 or weight.shape[0] != flow.width:
        raise inconsistent(KIND, f"a layer of shape {weight.shape} is given {flow.width} values")
    return dense(weight, bias, flow.dtype, KIND)


def _matmul(reader: _Reader, node: Node) -> Flow:
    flow = reader.flow(node)
    return flow.then(_dense(flow, reader.needed(node, 1), None))


def _operands(reader: _Reader, node: Node) -> tuple[Flow, Numbers, bool]:
    """A value, a constant, and whether the value comes first."""
    for position in (0, 1):
        constant = reader.constant(node, 1 - position)
        if constant is not None:
            return reader.flow(node, position), _per_column(constant), position == 0
    raise _NoNetError(f"{node.operator[:40]} joins two branches")


def _per_column(constant: Numbers) -> Numbers:
    """A constant that is the same for all rows."""
    if constant.size != (constant.shape[-1] if constant.ndim else 1):
        raise _NoNetError("a constant that differs between rows")
    return constant


def _add(reader: _Reader, node: Node) -> Flow:
    flow, constant, _ = _operands(reader, node)
    last = flow.layers[-1] if flow.layers else None
    if isinstance(last, Dense) and not last.bias.any() and flow.link is None and not flow.pair:
        bias = np.broadcast_to(constant.reshape(-1), (flow.width,))
        return replace(flow, layers=(*flow.layers[:-1], dense(last.weight, bias, flow.dtype, KIND)))
    return flow.then(affine(flow.width, flow.dtype, KIND, shift=constant))


def _sub(reader: _Reader, node: Node) -> Flow:
    flow, constant, first = _operands(reader, node)
    if first:
        return flow.then(affine(flow.width, flow.dtype, KIND, offset=constant))
    return flow.then(affine(flow.width, flow.dtype, KIND, factor=-1.0, shift=constant))


def _mul(reader: _Reader, node: Node) -> Flow:
    gated = _gated(reader, node)
    if gated is not None:
        return gated
    flow, constant, _ = _operands(reader, node)
    return flow.then(affine(flow.width, flow.dtype, KIND, factor=constant))


def _gated(reader: _Reader, node: Node) -> Flow | None:
    """x * sigmoid(x), and x * (1 + erf(x / sqrt 2)), as exporters write SiLU and twice GELU."""
    if any(reader.constant(node, position) is not None for position in (0, 1)):
        return None
    short, long = sorted((reader.flow(node, 0), reader.flow(node, 1)), key=lambda flow: len(flow.layers))
    size = len(short.layers)
    if long.layers[:size] != short.layers or short.link is not None or long.link is not None:
        raise _NoNetError("it multiplies two branches")
    gate = long.layers[size:]
    if _is_sigmoid(gate):
        return short.then(Bend(Curve.SILU))
    if _is_erf_gate(gate):
        return short.then(Bend(Curve.GELU), affine(short.width, short.dtype, KIND, factor=2.0))
    raise _NoNetError("it multiplies two branches")


def _is_sigmoid(gate: tuple[Layer, ...]) -> bool:
    return len(gate) == 1 and isinstance(gate[0], Bend) and gate[0].curve is Curve.SIGMOID


def _is_erf_gate(gate: tuple[Layer, ...]) -> bool:
    """1 + erf(x / sqrt 2)."""
    if len(gate) != 3 or not isinstance(gate[1], Erf):
        return False
    before, after = gate[0], gate[2]
    if not (isinstance(before, Affine) and isinstance(after, Affine)):
        return False
    halves = np.allclose(before.factor, 0.5**0.5, rtol=1e-5) and not before.offset.any() and not before.shift.any()
    return bool(halves and (after.factor == 1).all() and (after.shift - after.offset == 1).all())


class Erf(Bend):
    """An error function, which is only known as a part of a GELU."""


def _erf(reader: _Reader, node: Node) -> Flow:
    return reader.flow(node).then(Erf(Curve.GELU))


def _div(reader: _Reader, node: Node) -> Flow:
    flow, constant, first = _operands(reader, node)
    if not first or not constant.all():
        raise _NoNetError("it divides by a value or by zero")
    return flow.then(affine(flow.width, flow.dtype, KIND, factor=1.0 / constant.astype(np.float64)))


def _norm(reader: _Reader, node: Node) -> Flow:
    flow = reader.flow(node)
    scale, shift, mean, variance = (reader.needed(node, position).ravel() for position in (1, 2, 3, 4))
    if node.integer("training_mode", 0) or mean.size != flow.width:
        raise _NoNetError("a batch norm that is still training, or of another width")
    return flow.then(batch_norm(mean, variance, scale, shift, node.number("epsilon", 1e-5), flow.dtype, KIND))


def _bend(reader: _Reader, node: Node) -> Flow:
    return reader.flow(node).then(Bend(_CURVES[node.operator]))


def _leaky(reader: _Reader, node: Node) -> Flow:
    return reader.flow(node).then(Bend(Curve.LEAKY_RELU, node.number("alpha", 0.01)))


def _elu(reader: _Reader, node: Node) -> Flow:
    return reader.flow(node).then(Bend(Curve.ELU, node.number("alpha", 1.0)))


def _gelu(reader: _Reader, node: Node) -> Flow:
    approximate = node.text("approximate", "none") == "tanh"
    return reader.flow(node).then(Bend(Curve.GELU_TANH if approximate else Curve.GELU))


def _softmax(reader: _Reader, node: Node) -> Flow:
    flow = reader.flow(node)
    if node.integer("axis", -1) not in (1, -1) or flow.link is not None or flow.pair:
        raise _NoNetError("a softmax over rows")
    return replace(flow, link=Link.SOFTMAX)


def _cast(reader: _Reader, node: Node) -> Flow:
    flow, to = reader.flow(node), _TYPES.get(node.integer("to", 0))
    if to is None or (to != flow.dtype and flow.layers):
        raise _NoNetError("it changes its type on the way")
    return replace(flow, dtype=to)


def _same(reader: _Reader, node: Node) -> Flow:
    flow = reader.flow(node)
    if node.operator == "Normalizer" and not (
        flow.link is Link.SOFTMAX or (flow.link is Link.SIGMOID and flow.width < 3)
    ):
        raise _NoNetError("its rows are normalised")
    if node.operator == "Reshape":
        shape = reader.needed(node, 1).ravel().tolist()
        if len(shape) != 2 or shape[1] not in (-1, flow.width) or shape[0] not in (-1, 0):
            raise _NoNetError("it changes its shape")
    if node.operator == "Squeeze" and flow.width != 1:
        raise _NoNetError("it changes its shape")
    return flow


def _concat(reader: _Reader, node: Node) -> Flow:
    parts = [reader.flow(node, position) for position in range(len(node.inputs))]
    if node.integer("axis", 0) not in (1, -1):
        raise _NoNetError("it joins rows")
    if len(parts) == 2 and _complement(parts[0], parts[1]):
        return replace(parts[1], pair=True)
    if any(part.layers or part.width != 1 or not part.sources for part in parts):
        raise _NoNetError("it joins two branches")
    order = [part.sources[0] for part in parts]
    if sorted(order) != list(range(len(order))):
        raise _NoNetError("it reads an input twice, or leaves one out")
    steps: tuple[Transform, ...] = ()
    if order != sorted(order):
        steps = (Columns(tuple(Branch((place,), (Passthrough(),)) for place in order)),)
    columns = tuple(reader.port(place) for place in range(len(order)))
    return Flow(len(order), parts[0].dtype, steps=steps, columns=columns)


def _complement(first: Flow, second: Flow) -> bool:
    """Whether the first is 1 minus the second, and the second a sigmoid of one output."""
    if first.layers[:-1] != second.layers or second.width != 1 or not second.layers:
        return False
    last, turned = second.layers[-1], first.layers[-1]
    is_one = isinstance(turned, Affine) and turned.offset[0] == 0 and turned.factor[0] == -1 and turned.shift[0] == 1
    return is_one and isinstance(last, Bend) and last.curve is Curve.SIGMOID


def _scaler(reader: _Reader, node: Node) -> Flow:
    flow = reader.flow(node)
    return flow.then(affine(flow.width, flow.dtype, KIND, offset=node.floats("offset"), factor=node.floats("scale")))


def _imputer(reader: _Reader, node: Node) -> Flow:
    flow, values = reader.flow(node), node.floats("imputed_value_floats").astype(np.float64)
    given = np.broadcast_to(values, (flow.width,)) if values.size in (1, flow.width) else values
    if not np.isnan(node.number("replaced_value_float", 0.0)) or flow.layers or given.size != flow.width:
        raise _NoNetError("an imputer with a missing mark of its own")
    return replace(flow, steps=(*flow.steps, Impute(tuple(given.tolist()))))


def _linear_classifier(reader: _Reader, node: Node) -> Flow:
    flow, transform = reader.flow(node), node.text("post_transform", "NONE")
    links = {"NONE": Link.IDENTITY, "LOGISTIC": Link.SIGMOID, "SOFTMAX": Link.SOFTMAX}
    texts = node.strings("classlabels_strings")
    numbers = node.ints("classlabels_ints")
    classes: tuple[Category, ...] = tuple(text.decode("utf-8", "replace") for text in texts) or tuple(
        float(number) for number in numbers.tolist()
    )
    weight, bias = node.floats("coefficients"), node.floats("intercepts")
    if transform not in links or not classes or weight.size != len(classes) * flow.width:
        raise _NoNetError("a linear classifier of an unknown layout")
    layer = _dense(flow, weight.reshape(len(classes), flow.width).T, bias if bias.size else None)
    return replace(flow.then(layer), link=links[transform], classes=classes)


_OPERATORS: dict[str, Callable[[_Reader, Node], Flow]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "BatchNormalization": _norm,
    "LeakyRelu": _leaky,
    "Elu": _elu,
    "Gelu": _gelu,
    "Erf": _erf,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Cast": _cast,
    "Concat": _concat,
    "Scaler": _scaler,
    "Imputer": _imputer,
    "LinearClassifier": _linear_classifier,
    **dict.fromkeys(_CURVES, _bend),
    **dict.fromkeys(_SAME, _same),
}

"""Torch modules read as data: pickled `nn.Sequential` in torch's zip files. Nothing is imported, nothing unpickled.

A Sequential says in full what it computes, from classes whose arithmetic is known; any other module has a `forward`
that is code and lies outside the file, so it is refused. So is a state dict: it holds weights, and no activations.
Rules kept here (checked against torch 2.13): linear layers hold (out, in); a batch norm at prediction is folded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from holdfast.core.formats.assemble import MAX_FEATURES
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.containers_zip import ZipEntry, member_bytes, read_zip
from holdfast.core.formats.faults import damaged, inconsistent, no_net, not_trees, oversize
from holdfast.core.formats.nets import Bend, Curve, Dense, Layer, NetModel, Numbers
from holdfast.core.formats.nets_build import assemble, batch_norm, dense
from holdfast.core.formats.pickle import Dict, Global, Object, Persistent, Value, read_pickles
from holdfast.core.formats.trees import Link

KIND = "torch"
SOURCE = "torch-zip"
MAX_BYTES = 2 * 2**30
MAX_PICKLE = 64 * 2**20
MAX_MODULES = 1_000
_STORAGES = {"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2"}
_NEUTRAL = ("dropout.Dropout", "dropout.AlphaDropout", "linear.Identity", "flatten.Flatten")
_MODULES = "torch.nn.modules."


def read_torch(data: Any) -> NetModel:
    """Read a `torch.save`d Sequential from bytes or a memory map. FormatError where it is another thing or broken."""
    if len(data) > MAX_BYTES:
        raise oversize(KIND, "bytes", len(data), MAX_BYTES)
    try:
        return _File(Window.whole(data)).model()
    except Fault as fault:
        if fault.kind in ("budget", "bomb"):
            raise oversize(KIND, fault.why, len(data), MAX_BYTES) from None
        raise damaged(KIND, f"{fault.why} (offset {fault.offset:,})") from None


class _File:
    """The members of a torch zip, by their name below its one folder."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._members: dict[str, ZipEntry] = {}
        for entry in read_zip(window).entries:
            name = entry.name.partition("/")[2]
            if name in self._members:
                raise Fault("malformed", "two members of one name", entry.header)
            self._members[name] = entry
        self._swap = self._text("byteorder") == b"big"

    def model(self) -> NetModel:
        root = self._root()
        if not isinstance(root, Object) or not root.path.startswith(_MODULES):
            raise _refusal(root)
        layers, link, dtypes = self._layers(root)
        first = next((layer for layer in layers if isinstance(layer, Dense)), None)
        if first is None or len(dtypes) != 1:
            raise no_net(KIND, "it has no linear layer, or weights of several types")
        n_features = _width_before(layers)
        if n_features > MAX_FEATURES:
            raise oversize(KIND, "features", n_features, MAX_FEATURES)
        net = assemble(layers, n_features=n_features, dtype=dtypes.pop(), source=SOURCE, kind=KIND, link=link)
        return NetModel(net)

    def _root(self) -> Value:
        content = self._member("data.pkl", MAX_PICKLE)
        reading = read_pickles(content.data, content.start, content.end)
        if len(reading.streams) != 1:
            raise damaged(KIND, "; ".join(str(fact.value) for fact in reading.facts[:3]) or "no stream")
        return reading.value

    def _layers(self, root: Object) -> tuple[list[Layer], Link | None, set[str]]:
        """The layers of modules within modules, in order, and the link of a last softmax."""
        layers: list[Layer] = []
        dtypes: set[str] = set()
        link, pending, count = None, [root], 0
        while pending:
            module = pending.pop()
            count += 1
            if count > MAX_MODULES:
                raise oversize(KIND, "modules, or more", MAX_MODULES + 1, MAX_MODULES)
            _refuse_hooks(module)
            if module.path == f"{_MODULES}container.Sequential":
                pending += reversed(_children(module))
            elif link is not None:
                raise no_net(KIND, "its softmax is not the last step")
            elif module.path in (f"{_MODULES}activation.Softmax", f"{_MODULES}activation.LogSoftmax"):
                link = _softmax(module)
            else:
                layers += self._layer(module, dtypes)
        return layers, link, dtypes

    def _layer(self, module: Object, dtypes: set[str]) -> list[Layer]:
        name = module.path.removeprefix(_MODULES)
        if name in _NEUTRAL:
            return []
        if name in _CURVES:
            return [_CURVES[name](module.attributes())]
        if name not in ("linear.Linear", "batchnorm.BatchNorm1d"):
            raise no_net(KIND, f"its module {module.path[:80]} is not known")
        held = module.attributes()
        parts = _entries(held.get("_parameters")) | _entries(held.get("_buffers"))
        arrays = {key: self._tensor(part) for key, part in parts.items() if part is not None and key in _ARRAYS}
        dtypes |= {str(array.dtype) for array in arrays.values()}
        return [_linear(arrays) if name == "linear.Linear" else _norm(arrays, held)]

    def _tensor(self, value: Value) -> Numbers:
        """The numbers of a tensor: a strided view on a storage."""
        if isinstance(value, Object) and value.path == "torch._utils._rebuild_parameter" and _args(value, 1):
            value = value.args[0]
        if not (isinstance(value, Object) and value.path == "torch._utils._rebuild_tensor_v2" and _args(value, 4)):
            raise no_net(KIND, "a weight is no plain tensor")
        storage, offset, shape, strides = value.args[:4]
        sound = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides) <= 2
        if not sound or not all(type(n) is int and 0 <= n < 2**31 for n in (offset, *shape, *strides)):
            raise inconsistent(KIND, "a tensor without a plain shape")
        flat = self._storage(storage)
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if min(shape, default=1) < 1 or last >= flat.size:
            raise inconsistent(KIND, "a tensor reaches outside of its storage")
        steps = tuple(stride * flat.itemsize for stride in strides)
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat[offset:], shape, steps, writeable=False))

    def _storage(self, value: Value) -> Numbers:
        match value:
            case Persistent(("storage", Global(module="torch", name=name), str() as key, _, int())):
                if name not in _STORAGES:
                    raise no_net(KIND, f"weights of type {name[:40]}")
                raw = self._member(f"data/{key}", MAX_BYTES)
                kind = np.dtype(_STORAGES[name]).newbyteorder(">" if self._swap else "<")
                if len(raw) % kind.itemsize:
                    raise damaged(KIND, "a storage is cut off")
                found = np.frombuffer(raw.read(0, len(raw)), kind)
                return found.astype(found.dtype.newbyteorder("="))
        raise inconsistent(KIND, "a tensor without a storage")

    def _member(self, name: str, most: int) -> Window:
        entry = self._members.get(name)
        if entry is None:
            raise Fault("malformed", f"there is no member {name[:60]}", 0)
        if entry.size > most:
            raise oversize(KIND, f"bytes in {name[:60]}", entry.size, most)
        return member_bytes(self._window, entry, most)

    def _text(self, name: str) -> bytes:
        return self._member(name, 64).read(0, 64).strip() if name in self._members else b"little"


_OVERRIDES = ("forward", "_call_impl", "_compiled_call_impl", "_wrapped_call_impl", "_slow_forward")
_ARRAYS = ("weight", "bias", "running_mean", "running_var")


def _args(value: Object, least: int) -> bool:
    return isinstance(value.args, tuple) and len(value.args) >= least


def _pairs(value: Value) -> list[tuple[Value, Value]]:
    """What a dict or an OrderedDict holds, [] for anything else."""
    if isinstance(value, Dict) or (isinstance(value, Object) and value.path == "collections.OrderedDict"):
        return value.pairs
    return []


def _entries(value: Value) -> dict[str, Value]:
    """The named entries of a dict or an OrderedDict. FormatError where a key is no name."""
    pairs = _pairs(value)
    if not all(isinstance(key, str) for key, _ in pairs):
        raise inconsistent(KIND, "a part of a module has no name")
    return dict(pairs)


def _children(module: Object) -> list[Object]:
    children = list(_entries(module.attributes().get("_modules")).values())
    if not all(isinstance(child, Object) and child.path for child in children):
        raise inconsistent(KIND, "a Sequential holds something else than modules")
    return children


def _refuse_hooks(module: Object) -> None:
    """Hooks, and functions put in the place of a class's own, change what a module answers."""
    held = module.attributes()
    hooked = any(_pairs(held.get(name)) for name in ("_forward_hooks", "_forward_pre_hooks"))
    if hooked or any(held.get(name) is not None for name in _OVERRIDES):
        raise no_net(KIND, "a module's answer is changed by code that the file does not hold")


def _softmax(module: Object) -> Link:
    if module.attributes().get("dim") not in (None, 1, -1):
        raise no_net(KIND, "a softmax over rows")
    return Link.SOFTMAX


def _number(held: dict[str, Value], name: str, default: float) -> float:
    value = held.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise inconsistent(KIND, f"'{name}' is not a number")
    return float(value)


def _gelu(held: dict[str, Value]) -> Bend:
    return Bend(Curve.GELU_TANH if held.get("approximate", "none") == "tanh" else Curve.GELU)


_CURVES: dict[str, Callable[[dict[str, Value]], Bend]] = {
    "activation.ReLU": lambda _: Bend(Curve.RELU),
    "activation.LeakyReLU": lambda held: Bend(Curve.LEAKY_RELU, _number(held, "negative_slope", 0.01)),
    "activation.ELU": lambda held: Bend(Curve.ELU, _number(held, "alpha", 1.0)),
    "activation.Tanh": lambda _: Bend(Curve.TANH),
    "activation.Sigmoid": lambda _: Bend(Curve.SIGMOID),
    "activation.SiLU": lambda _: Bend(Curve.SILU),
    "activation.GELU": _gelu,
}


def _linear(arrays: dict[str, Numbers]) -> Layer:
    if "weight" not in arrays or arrays["weight"].ndim != 2:
        raise inconsistent(KIND, "a linear layer without a matrix of weights")
    return dense(arrays["weight"].T, arrays.get("bias"), str(arrays["weight"].dtype), KIND)


def _norm(arrays: dict[str, Numbers], held: dict[str, Value]) -> Layer:
    if not {"running_mean", "running_var"} <= arrays.keys():
        raise no_net(KIND, "a batch norm that keeps no statistics depends on the rows beside it")
    dtype = str(arrays["running_mean"].dtype)
    epsilon = _number(held, "eps", 1e-5)
    weight, bias = arrays.get("weight", np.ones((), dtype)), arrays.get("bias", np.zeros((), dtype))
    return batch_norm(arrays["running_mean"], arrays["running_var"], weight, bias, epsilon, dtype, KIND)


def _width_before(layers: list[Layer]) -> int:
    """The number of inputs, as the first layer that has one says."""
    for layer in layers:
        if isinstance(layer, Dense):
            return int(layer.weight.shape[0])
        if not isinstance(layer, Bend):
            return int(layer.offset.size)
    return 0


def _refusal(root: Value) -> Exception:
    if _pairs(root) or isinstance(root, Dict):
        return no_net(KIND, "a state dict holds weights and no activations; save the whole nn.Sequential, or ONNX")
    if isinstance(root, Object) and root.path:
        return no_net(KIND, f"what {root.path[:80]} computes is code outside of the file; export it to ONNX")
    return not_trees("a torch file", "no module at its top")

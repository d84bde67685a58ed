"""Nets read as data answer as the library that trained them does."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from holdfast.core.contract import Contract, FeatureMap
from holdfast.core.errors import FormatError
from holdfast.core.formats.nets import Bend, Curve, Net, NetModel, bend, net_margins, net_scores, slope
from holdfast.core.formats.read import read_model, read_net, read_net_buffer
from holdfast.core.formats.trees import Link, TreeModel

F = 5
X = np.random.default_rng(0).normal(size=(200, F)).astype(np.float32)
TWO = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
THREE = TWO + (X[:, 3] > 0.5)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def fitted(model: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def perceptron(activation: str = "relu") -> MLPClassifier:
    return MLPClassifier((16, 8), activation=activation, max_iter=15, random_state=0)


SKLEARN: dict[str, Callable[[], Any]] = {
    **{f"perceptron-{name}": (lambda name=name: perceptron(name)) for name in ("relu", "tanh", "logistic", "identity")},
    "logistic": LogisticRegression,
    "pipeline": lambda: make_pipeline(StandardScaler(), perceptron()),
    "sgd": lambda: SGDClassifier(loss="log_loss", random_state=0, max_iter=20),
}


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", SKLEARN)
def test_scikit_learn(tmp_path: Path, name: str, y: Any) -> None:
    model = fitted(SKLEARN[name](), y)
    joblib.dump(model, tmp_path / "m.joblib")
    found = read_net(tmp_path / "m.joblib")
    contract = Contract.parse(
        "version: 1\nfeatures:\n" + "".join(f"  c{i}: {{type: number, move: any}}\n" for i in range(F))
    )
    inner = FeatureMap.of(contract, found.transforms).apply(X.astype(np.float64))
    scores = net_scores(found.net, net_margins(found.net, inner))
    expected = model.predict_proba(X.astype(np.float64))
    if name == "sgd" and len(set(y)) > 2:
        scores = scores / scores.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)
    assert found.classes == tuple(float(label) for label in sorted(set(y)))
    assert isinstance(read_model(tmp_path / "m.joblib"), NetModel)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("model", [LinearSVC(), RidgeClassifier()], ids=["svm", "ridge"])
def test_linear_models_that_only_decide(tmp_path: Path, model: Any, y: Any) -> None:
    fitted(model, y)
    joblib.dump(model, tmp_path / "m.joblib")
    found = read_net(tmp_path / "m.joblib")
    raw = net_margins(found.net, X)
    assert found.net.link is Link.STEP
    np.testing.assert_allclose(raw.squeeze(), model.decision_function(X.astype(np.float64)), rtol=1e-6, atol=1e-6)


def runs(data: bytes, rows: Any = X) -> Any:
    ort = pytest.importorskip("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    feed = {names[0]: rows} if len(names) == 1 else {name: rows[:, [i]] for i, name in enumerate(names)}
    answer = session.run(None, feed)[-1]
    return np.array([list(row.values()) for row in answer]) if isinstance(answer, list) else answer


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("name", [name for name in SKLEARN if name != "sgd"])
def test_exports_of_scikit_learn(name: str, y: Any, zipmap: bool) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    model = fitted(SKLEARN[name](), y)
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    data = skl2onnx.to_onnx(model, X[:1], options={id(last): {"zipmap": zipmap}}).SerializeToString()
    found = read_net_buffer(data)
    assert found.net.dtype == "float32"
    np.testing.assert_allclose(net_scores(found.net, net_margins(found.net, X)), runs(data), rtol=2e-4, atol=2e-6)


def modules() -> dict[str, Any]:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    nn = torch.nn
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(16)
    norm.running_mean, norm.running_var = torch.randn(16), torch.rand(16) + 0.5
    curves = [nn.ReLU(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.Tanh(), nn.SiLU(), nn.GELU(), nn.GELU(approximate="tanh")]
    bent = [part for curve in curves for part in (nn.Linear(8, 8), curve)]
    return {
        "plain": nn.Sequential(nn.Linear(F, 16), nn.ReLU(), nn.Linear(16, 1)),
        "sigmoid": nn.Sequential(nn.Linear(F, 16), norm, nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1), nn.Sigmoid()),
        "softmax": nn.Sequential(nn.BatchNorm1d(F), nn.Linear(F, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(dim=1)),
        "curves": nn.Sequential(nn.Linear(F, 8), nn.Sequential(*bent), nn.Linear(8, 2, bias=False)),
        "double": nn.Sequential(nn.Linear(F, 8), nn.Sigmoid(), nn.Linear(8, 2)).double(),
    }


NAMES = ["plain", "sigmoid", "softmax", "curves", "double"]


def saved(thing: Any) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def answers(module: Any, rows: Any = X) -> Any:
    import torch

    dtype = next(module.parameters()).dtype
    with torch.no_grad():
        return module.eval()(torch.tensor(rows, dtype=dtype)).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_torch_modules(name: str) -> None:
    module = modules()[name].eval()
    found = read_net_buffer(saved(module)).net
    raw = net_margins(found, X)
    given = net_scores(found, raw) if name == "softmax" else net_scores(found, raw)[:, 1:] if name == "sigmoid" else raw
    np.testing.assert_allclose(given, answers(module), rtol=1e-4, atol=1e-6)
    assert found.dtype == ("float64" if name == "double" else "float32")


@pytest.mark.parametrize("name", NAMES)
def test_exports_of_torch(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    module = modules()[name].eval()
    data = torch_graph(onnx, module)
    found = read_net_buffer(data).net
    rows = X.astype(found.dtype)
    scores = net_scores(found, net_margins(found, rows))
    expected = runs(data, rows)
    np.testing.assert_allclose(scores[:, -expected.shape[1] :], expected, rtol=1e-4, atol=1e-6)


def torch_graph(onnx: Any, module: Any) -> bytes:  # noqa: C901
    """What torch's exporter writes for a Sequential: Gemm with transposed weights, activations, batch norms."""
    helper, nodes, constants, at = onnx.helper, [], [], "x"
    flat = [part for part in module.modules() if not list(part.children())]
    kind = onnx.TensorProto.DOUBLE if next(module.parameters()).dtype.itemsize == 8 else onnx.TensorProto.FLOAT

    def put(value: Any) -> str:
        name = f"c{len(constants)}"
        constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(operator: str, inputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    for part in flat:
        held = {name: value.detach().numpy() for name, value in part.state_dict().items()}
        match type(part).__name__:
            case "Linear":
                bias = [put(held["bias"])] if "bias" in held else []
                at = add("Gemm", [at, put(held["weight"]), *bias], transB=1)
            case "BatchNorm1d":
                names = ("weight", "bias", "running_mean", "running_var")
                at = add("BatchNormalization", [at, *(put(held[key]) for key in names)])
            case "LeakyReLU":
                at = add("LeakyRelu", [at], alpha=part.negative_slope)
            case "ELU":
                at = add("Elu", [at], alpha=part.alpha)
            case "SiLU":
                at = add("Mul", [at, add("Sigmoid", [at])])
            case "GELU" if part.approximate == "none":
                half = add("Div", [at, put(np.float32(2**0.5))])
                gate = add("Add", [add("Erf", [half]), put(np.float32(1))])
                at = add("Mul", [add("Mul", [at, gate]), put(np.float32(0.5))])
            case "GELU":
                at = add("Gelu", [at], approximate="tanh")
            case "Softmax":
                at = add("Softmax", [at], axis=1)
            case "Dropout":
                at = add("Identity", [at])
            case other:
                at = add({"ReLU": "Relu"}.get(other, other), [at])
    ports = [helper.make_tensor_value_info("x", kind, ["n", F])]
    graph = helper.make_graph(nodes, "g", ports, [helper.make_tensor_value_info(at, kind, None)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    return bytes(model.SerializeToString())


def test_a_state_dict_does_not_say_what_stands_between_its_weights() -> None:
    with pytest.raises(FormatError) as caught:
        read_net_buffer(saved(modules()["plain"].state_dict()))
    assert caught.value.code == "HF-FMT-013"
    assert "activations" in str(caught.value.cause)


def test_code_outside_of_the_file_is_refused() -> None:
    torch = pytest.importorskip("torch")
    hooked = modules()["plain"]
    hooked._forward_hooks[0] = torch.nn.ReLU()
    unknown = torch.nn.Sequential(torch.nn.Linear(F, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 1))
    for thing, word in ((hooked, "code"), (unknown, "LayerNorm"), (torch.nn.LSTM(4, 4), "LSTM")):
        with pytest.raises(FormatError) as caught:
            read_net_buffer(saved(thing))
        assert caught.value.code == "HF-FMT-013"
        assert word in str(caught.value.cause)


def test_broken_torch_files_are_refused() -> None:
    whole = saved(modules()["sigmoid"])
    rng = np.random.default_rng(0)
    for _ in range(60):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 6):
            broken[at] = rng.integers(256)
        with contextlib.suppress(FormatError):
            net_margins(read_net_buffer(bytes(broken)).net, X[:1])
    for end in (100, len(whole) // 2, len(whole) - 30):
        with pytest.raises(FormatError):
            read_net_buffer(whole[:end])


@pytest.mark.parametrize("curve", list(Curve))
def test_slopes_are_those_of_the_curves(curve: Curve) -> None:
    layer, step = Bend(curve, 0.3), 1e-6
    x = np.linspace(-4, 4, 101) + 1e-3
    rise = (bend(layer, x + step) - bend(layer, x - step)) / (2 * step)
    np.testing.assert_allclose(slope(layer, x), rise, atol=1e-6)


def test_a_tree_is_no_net_and_stays_a_tree(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier

    joblib.dump(RandomForestClassifier(2, random_state=0).fit(X, TWO), tmp_path / "m.joblib")
    assert isinstance(read_model(tmp_path / "m.joblib"), TreeModel)
    with pytest.raises(FormatError) as caught:
        read_net(tmp_path / "m.joblib")
    assert caught.value.code == "HF-FMT-014"


def test_rows_of_another_width_are_refused() -> None:
    found: Net = read_net_buffer(saved(modules()["plain"])).net
    with pytest.raises(FormatError) as caught:
        net_margins(found, X[:, :2])
    assert caught.value.code == "HF-FMT-015"

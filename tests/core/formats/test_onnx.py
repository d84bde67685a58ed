"""ONNX tree models read as data answer as ONNX Runtime does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from holdfast.core.domain.transform import Columns, Impute, Opaque
from holdfast.core.errors import FormatError
from holdfast.core.formats.margins import margins, scores
from holdfast.core.formats.onnx import read_onnx
from holdfast.core.formats.read import read_buffer
from holdfast.core.formats.trees import Link, TreeEnsemble, TreeModel

F = 4
N = 300
ML = "ai.onnx.ml"
ORDERS = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"]
EQUALS = ["BRANCH_EQ", "BRANCH_NEQ"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def rows(seed: int = 0, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, F)).astype(np.float32)
    X[:, 1] = np.round(X[:, 1] * 3)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def run(data: bytes, X: np.ndarray) -> np.ndarray:
    """The last output, one column per score."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    feed = {names[0]: X} if len(names) == 1 else {name: X[:, [i]] for i, name in enumerate(names)}
    answer = session.run(None, feed)[-1]
    if isinstance(answer, list):
        answer = np.array([list(row.values()) for row in answer])
    return np.asarray(answer, np.float64).reshape(len(X), -1)


def beside_thresholds(trees: TreeEnsemble, X: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    near = X.copy()
    for column in range(X.shape[1]):
        found = trees.threshold[trees.feature == column].astype(X.dtype)
        if found.size:
            pick = rng.choice(found, len(X))
            down, up = (np.nextafter(pick, X.dtype.type(way)) for way in (-np.inf, np.inf))
            kept = ~np.isnan(X[:, column])
            near[kept, column] = np.stack([pick, down, up])[rng.integers(0, 3, len(X)), np.arange(len(X))][kept]
    return near


def compare(data: bytes, X: np.ndarray, *, exact: bool = False) -> TreeModel:
    """Assert that scores on X and beside all thresholds are the runtime's; `exact` to the last bit."""
    model = read_onnx(data)
    for asked in (X, beside_thresholds(model.ensemble, X)):
        found, wanted = scores(model.ensemble, asked), run(data, asked)
        assert found.shape == wanted.shape
        if exact:
            assert np.array_equal(found.astype(np.float32), wanted.astype(np.float32))
        else:
            assert np.allclose(found, wanted, rtol=5e-7, atol=2e-7)
    return model


SKLEARN = [
    (RandomForestClassifier(8, max_depth=6, random_state=0), "binary"),
    (RandomForestClassifier(8, max_depth=6, random_state=0), "three"),
    (RandomForestClassifier(8, max_depth=6, random_state=0), "texts"),
    (GradientBoostingClassifier(n_estimators=8), "binary"),
    (GradientBoostingClassifier(n_estimators=8), "three"),
    (DecisionTreeClassifier(max_depth=4), "binary"),
    (RandomForestRegressor(8, max_depth=6, random_state=0), "number"),
    (GradientBoostingRegressor(n_estimators=8), "number"),
    (DecisionTreeRegressor(max_depth=5), "number"),
]


def targets(kind: str) -> np.ndarray:
    y = rows().sum(axis=1) + np.random.default_rng(1).normal(size=N)
    if kind == "three":
        return np.digitize(y, [-0.5, 0.5]) + 3
    texts = np.where(y > 0, "good", "bad")
    return {"binary": (y > 0).astype(int), "texts": texts, "number": y * 100}[kind]


@pytest.mark.parametrize(("estimator", "kind"), SKLEARN, ids=lambda item: str(item)[:40])
@pytest.mark.parametrize("zipmap", [True, False])
def test_models_from_sklearn(estimator: Any, kind: str, zipmap: bool) -> None:
    fitted = estimator.fit(rows(), targets(kind))
    options = {"zipmap": zipmap} if kind != "number" else None
    model = compare(to_onnx(fitted, rows()[:1], options=options).SerializeToString(), rows())
    assert model.classes == tuple(fitted.classes_.tolist() if kind != "number" else ())
    assert model.transforms == ()
    assert model.ensemble.n_features == F


@pytest.mark.parametrize("kind", ["binary", "three"])
def test_double_inputs_compare_as_doubles(kind: str) -> None:
    X = rows().astype(np.float64)
    fitted = RandomForestClassifier(8, max_depth=6, random_state=0).fit(X, targets(kind))
    data = to_onnx(fitted, X[:1], options={"zipmap": False}).SerializeToString()
    assert compare(data, X).ensemble.compare_dtype == "float64"


def test_imputers_are_transforms_and_scalers_opaque() -> None:
    X = rows(missing=0.2)
    imputed = make_pipeline(SimpleImputer(), DecisionTreeRegressor(max_depth=4)).fit(X, targets("number"))
    data = to_onnx(imputed, X[:1]).SerializeToString()
    model = read_onnx(data)
    [step] = model.transforms
    assert isinstance(step, Impute)
    inner = np.where(np.isnan(X), np.array(step.statistics), X)
    assert np.array_equal(margins(model.ensemble, inner), run(data, X))
    scaled = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=4)).fit(rows(), targets("number"))
    [step] = read_onnx(to_onnx(scaled, rows()[:1]).SerializeToString()).transforms
    assert isinstance(step, Opaque)
    assert "Scaler" in step.name


def columns_graph(order: list[str], *, cast: bool = False) -> bytes:
    """A tree over inputs a to d of one column each, joined in `order`."""
    fitted = DecisionTreeRegressor(max_depth=4).fit(rows(), targets("number"))
    graph = to_onnx(fitted, rows()[:1]).graph
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "abcd"]
    casts = [helper.make_node("Cast", [name], [f"{name}2"], to=TensorProto.FLOAT) for name in "abcd" if cast]
    joined = helper.make_node("Concat", [f"{name}2" if cast else name for name in order], ["X"], axis=1)
    made = helper.make_graph([*casts, joined, *graph.node], "g", ports, list(graph.output))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, 1)]
    return bytes(helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())


@pytest.mark.parametrize("cast", [False, True])
def test_an_input_per_column(cast: bool) -> None:
    data = columns_graph(list("abcd"), cast=cast)
    model = read_onnx(data)
    assert model.columns == ("a", "b", "c", "d")
    assert model.transforms == ()
    assert np.array_equal(margins(model.ensemble, rows()), run(data, rows()))


def test_columns_joined_in_another_order() -> None:
    data = columns_graph(list("cadb"))
    [step] = read_onnx(data).transforms
    assert isinstance(step, Columns)
    order = [branch.columns[0] for branch in step.branches]
    assert order == [2, 0, 3, 1]
    assert np.array_equal(margins(read_onnx(data).ensemble, rows()[:, order]), run(data, rows()))


# --- graphs made by hand: what converters rarely write


def graph_of(node: onnx.NodeProto, *, version: int = 3, double: bool = False, outputs: int = 1) -> bytes:
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    ports = [helper.make_tensor_value_info("X", kind, [None, F])]
    ends = [helper.make_tensor_value_info("Z", TensorProto.DOUBLE if version == 5 and double else 1, [None, outputs])]
    if len(node.output) == 2:
        ends.insert(0, helper.make_tensor_value_info("L", TensorProto.INT64, [None]))
    graph = helper.make_graph([node], "g", ports, ends)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ML, version)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def random_nodes(rng: np.random.Generator, modes: list[str], trees: int, depth: int, missing: bool) -> dict[str, Any]:
    """Complete trees in the parallel lists of the first three versions, thresholds on values of `rows`."""
    X = rows()
    lists: dict[str, list[Any]] = {
        name: []
        for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "tracks")
    }
    leaves = []
    for tree in range(trees):
        inner = 2**depth - 1
        ids = rng.permutation(2 * inner + 1)
        ids[[0, int(np.flatnonzero(ids == 0)[0])]] = ids[[int(np.flatnonzero(ids == 0)[0]), 0]]
        for place in range(2 * inner + 1):
            leaf = place >= inner
            mode = "LEAF" if leaf else str(rng.choice(modes))
            column = 1 if mode in EQUALS else int(rng.integers(0, F))
            value = float(rng.integers(0, 4)) if mode in EQUALS else float(rng.choice(X[:, column]))
            lists["treeids"].append(tree)
            lists["nodeids"].append(int(ids[place]))
            lists["featureids"].append(0 if leaf else column)
            lists["values"].append(0.0 if leaf else value)
            lists["modes"].append(mode)
            lists["truenodeids"].append(0 if leaf else int(ids[2 * place + 1]))
            lists["falsenodeids"].append(0 if leaf else int(ids[2 * place + 2]))
            lists["tracks"].append(int(missing and not leaf and rng.random() < 0.5))
            if leaf:
                leaves.append((tree, int(ids[place])))
    return {"lists": lists, "leaves": leaves}


def attributes(made: dict[str, Any], *, double: bool = False) -> dict[str, Any]:
    lists = dict(made["lists"])
    tracks, values = lists.pop("tracks"), lists.pop("values")
    found = {f"nodes_{name}": items for name, items in lists.items()}
    found["nodes_missing_value_tracks_true"] = tracks
    if double:
        found["nodes_values_as_tensor"] = helper.make_tensor("v", TensorProto.DOUBLE, [len(values)], values)
    else:
        found["nodes_values"] = values
    return found


def regressor(rng: np.random.Generator, made: dict[str, Any], *, double: bool = False, **more: Any) -> onnx.NodeProto:
    targets_ = more.get("n_targets", 1)
    votes = [(tree, node, target) for tree, node in made["leaves"] for target in range(targets_)]
    weights = rng.normal(size=len(votes)).tolist()
    given: dict[str, Any] = {
        "target_treeids": [vote[0] for vote in votes],
        "target_nodeids": [vote[1] for vote in votes],
        "target_ids": [vote[2] for vote in votes],
    }
    if double:
        given["target_weights_as_tensor"] = helper.make_tensor("w", TensorProto.DOUBLE, [len(weights)], weights)
    else:
        given["target_weights"] = weights
    given.update({"n_targets": 1, **more})
    return helper.make_node(
        "TreeEnsembleRegressor", ["X"], ["Z"], domain=ML, **attributes(made, double=double), **given
    )


def classifier(
    rng: np.random.Generator, made: dict[str, Any], ids: list[int], labels: int, *, positive: bool, **more: Any
) -> onnx.NodeProto:
    votes = [(tree, node, target) for tree, node in made["leaves"] for target in ids]
    weights = rng.normal(size=len(votes)) / 10
    return helper.make_node(
        "TreeEnsembleClassifier",
        ["X"],
        ["L", "Z"],
        domain=ML,
        class_treeids=[vote[0] for vote in votes],
        class_nodeids=[vote[1] for vote in votes],
        class_ids=[vote[2] for vote in votes],
        class_weights=(np.abs(weights) if positive else weights).tolist(),
        classlabels_int64s=list(range(labels)),
        **attributes(made),
        **more,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    modes=st.sampled_from([[mode] for mode in ORDERS + EQUALS] + [ORDERS, ORDERS + EQUALS]),
    missing=st.booleans(),
    targets_=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_every_comparison(modes: list[str], missing: bool, targets_: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = random_nodes(rng, modes, trees=3, depth=3, missing=missing)
    data = graph_of(regressor(rng, made, n_targets=targets_), outputs=targets_)
    compare(data, rows(seed, missing=0.2), exact=True)


@pytest.mark.parametrize("modes", [["BRANCH_LEQ"], ["BRANCH_LT"], ORDERS], ids=str)
def test_double_thresholds(modes: list[str]) -> None:
    rng = np.random.default_rng(0)
    node = regressor(rng, random_nodes(rng, modes, 3, 3, missing=True), double=True)
    data = graph_of(node, double=True)
    model = compare(data, rows(missing=0.2).astype(np.float64))
    assert (model.ensemble.compare_dtype, model.ensemble.sum_dtype) == ("float64", "float64")


@pytest.mark.parametrize("base", [[], [0.3]], ids=str)
@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE"])
def test_regressors(base: list[float], aggregate: str) -> None:
    rng = np.random.default_rng(0)
    more = {"base_values": base} if base else {}
    node = regressor(rng, random_nodes(rng, ORDERS, 5, 3, missing=False), aggregate_function=aggregate, **more)
    compare(graph_of(node), rows(), exact=aggregate == "SUM")


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("base", [[], [0.3, -0.1, 0.2]], ids=str)
def test_regressors_with_several_targets(transform: str, base: list[float]) -> None:
    rng = np.random.default_rng(0)
    more = {"base_values": base} if base else {}
    made = random_nodes(rng, ORDERS, 5, 3, missing=False)
    compare(graph_of(regressor(rng, made, n_targets=3, post_transform=transform, **more), outputs=3), rows())


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(
    ("ids", "labels", "base"),
    [
        ([0], 2, []),
        ([0], 2, [0.2]),
        ([1], 2, []),
        ([0, 1], 2, []),
        ([0, 1, 2], 3, []),
        ([0, 1, 2], 3, [0.3, -0.1, 0.2]),
        ([2], 3, []),
    ],
    ids=str,
)
def test_classifiers(transform: str, positive: bool, ids: list[int], labels: int, base: list[float]) -> None:
    rng = np.random.default_rng(0)
    made = random_nodes(rng, ORDERS, 5, 3, missing=False)
    more = {"base_values": base} if base else {}
    node = classifier(rng, made, ids, labels, positive=positive, post_transform=transform, **more)
    model = compare(graph_of(node, outputs=labels), rows())
    assert model.classes == tuple(float(label) for label in range(labels))


def tree_ensemble(rng: np.random.Generator, *, double: bool = False, member: bool = False) -> onnx.NodeProto:
    """Version 5: three trees of three nodes, and a constant tree whose branches share a leaf."""
    dtype = TensorProto.DOUBLE if double else TensorProto.FLOAT
    modes, splits, features, sides, leafs, members = [], [], [], ([], []), ([], []), []
    weights = rng.normal(size=13).tolist()
    for tree in range(3):
        for place in range(3):
            mode = int(rng.integers(0, 4)) if not member else int(rng.choice([0, 4, 5, 6]))
            column = 1 if mode >= 4 else int(rng.integers(0, F))
            modes.append(mode)
            features.append(column)
            splits.append(float(rng.integers(0, 3)) if mode >= 4 else float(rng.choice(rows()[:, column])))
            if mode == 6:
                members += [*map(float, rng.choice(5, 2, replace=False)), float("nan")]
            for side in (0, 1):
                child = 2 * place + 1 + side
                sides[side].append(3 * tree + child if child < 3 else 4 * tree + child - 3)
                leafs[side].append(int(child >= 3))
    modes, splits, features = [*modes, 0], [*splits, 0.0], [*features, 0]
    for side in (0, 1):
        sides[side].append(12)
        leafs[side].append(1)
    more = {"membership_values": helper.make_tensor("m", dtype, [len(members)], members)} if members else {}
    return helper.make_node(
        "TreeEnsemble",
        ["X"],
        ["Z"],
        domain=ML,
        n_targets=2,
        tree_roots=[0, 3, 6, 9],
        nodes_featureids=features,
        nodes_splits=helper.make_tensor("s", dtype, [len(splits)], splits),
        nodes_modes=helper.make_tensor("o", TensorProto.UINT8, [len(modes)], modes),
        nodes_truenodeids=sides[0],
        nodes_falsenodeids=sides[1],
        nodes_trueleafs=leafs[0],
        nodes_falseleafs=leafs[1],
        nodes_missing_value_tracks_true=[int(rng.random() < 0.5) for _ in modes],
        leaf_targetids=[index % 2 for index in range(13)],
        leaf_weights=helper.make_tensor("w", dtype, [13], weights),
        **more,
    )


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("member", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_version_five(double: bool, member: bool, seed: int) -> None:
    node = tree_ensemble(np.random.default_rng(seed), double=double, member=member)
    data = graph_of(node, version=5, double=double, outputs=2)
    X = rows(seed, missing=0.2)
    compare(data, X.astype(np.float64) if double else X, exact=not double)


def test_packed_lists_are_read_too() -> None:
    """The standard lets a writer pack repeated numbers; none of the common ones does."""
    rng = np.random.default_rng(0)
    node = regressor(rng, random_nodes(rng, ORDERS, 2, 2, missing=False))
    plain = graph_of(node)
    proto = onnx.load_from_string(plain)
    packed = b""
    for attribute in proto.graph.node[0].attribute:
        body = field_of(1, attribute.name.encode()) + b"\xa0\x01" + bytes([attribute.type])
        if attribute.ints:
            body += field_of(8, b"".join(varint(value) for value in attribute.ints))
        elif attribute.floats:
            body += field_of(7, np.array(attribute.floats, "<f4").tobytes())
        else:
            kept = onnx.AttributeProto()
            kept.CopyFrom(attribute)
            body = kept.SerializeToString()
        packed += field_of(5, body)
    del proto.graph.node[0].attribute[:]
    stripped = proto.graph.node[0].SerializeToString()
    graph = onnx.GraphProto()
    graph.CopyFrom(proto.graph)
    del graph.node[:]
    del proto.graph.node[:]
    proto.ClearField("graph")
    data = proto.SerializeToString() + field_of(7, field_of(1, stripped + packed) + graph.SerializeToString())
    assert np.array_equal(margins(read_onnx(data).ensemble, rows()), margins(read_onnx(plain).ensemble, rows()))


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field_of(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def test_links() -> None:
    rng = np.random.default_rng(0)
    made = random_nodes(rng, ORDERS, 2, 2, missing=False)
    for ids, positive, link in (([0], True, Link.MEAN), ([0], False, Link.IDENTITY), ([0, 1], True, Link.MEAN)):
        node = classifier(rng, made, ids, 2, positive=positive)
        assert read_onnx(graph_of(node, outputs=2)).ensemble.link is link


# --- what is refused


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as fault:
        read_onnx(data)
    return fault.value.code


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A small regressor whose lists were tampered with."""
    rng = np.random.default_rng(0)
    made = random_nodes(rng, ORDERS, 2, 2, missing=False)
    change(made["lists"])
    return graph_of(regressor(rng, made))


def put(name: str, index: int, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda lists: lists[name].__setitem__(index, value)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (put("truenodeids", 0, 99), "HF-FMT-011"),
        (put("truenodeids", 0, -1), "HF-FMT-011"),
        (put("truenodeids", 0, 2**40), "HF-FMT-011"),
        (put("truenodeids", 0, 0), "HF-FMT-011"),
        (put("featureids", 0, F), "HF-FMT-011"),
        (put("featureids", 0, -1), "HF-FMT-011"),
        (put("values", 0, float("nan")), "HF-FMT-011"),
        (put("modes", 0, "BRANCH_NONE"), "HF-FMT-011"),
        (put("treeids", 3, 1), "HF-FMT-011"),
        (put("nodeids", 1, 0), "HF-FMT-011"),
        (lambda lists: lists["values"].pop(), "HF-FMT-011"),
        (lambda lists: lists["modes"].pop(), "HF-FMT-011"),
        (lambda lists: lists["tracks"].pop(), "HF-FMT-011"),
    ],
)
def test_contradictions_are_refused(change: Callable[[dict[str, Any]], object], code: str) -> None:
    assert refused(changed(change)) == code


def test_what_has_no_form_here() -> None:
    rng = np.random.default_rng(0)
    made = random_nodes(rng, ORDERS, 2, 2, missing=False)
    assert refused(graph_of(regressor(rng, made, aggregate_function="MAX"))) == "HF-FMT-013"
    assert refused(graph_of(regressor(rng, made, post_transform="PROBIT"))) == "HF-FMT-013"
    assert refused(graph_of(regressor(rng, made, post_transform="LOGISTIC"))) == "HF-FMT-013"
    assert refused(graph_of(regressor(rng, made, n_targets=2, base_values=[1.0]))) == "HF-FMT-011"
    both = classifier(rng, made, [0, 1], 2, positive=True, base_values=[0.1, 0.1])
    assert refused(graph_of(both, outputs=2)) == "HF-FMT-013"
    linear = to_onnx(LogisticRegression().fit(rows(), targets("binary")), rows()[:1]).SerializeToString()
    assert refused(linear) == "HF-FMT-014"
    odd = random_nodes(rng, ["BRANCH_EQ"], 1, 1, missing=False)
    odd["lists"]["values"][0] = 0.5
    assert refused(graph_of(regressor(rng, odd))) == "HF-FMT-013"


def test_scores_changed_behind_the_trees_are_refused() -> None:
    fitted = DecisionTreeRegressor(max_depth=2).fit(rows(), targets("number"))
    proto = to_onnx(fitted, rows()[:1])
    proto.graph.node.append(helper.make_node("Exp", [proto.graph.output[0].name], ["more"]))
    assert refused(proto.SerializeToString()) == "HF-FMT-013"


def test_counts_are_bounded() -> None:
    rng = np.random.default_rng(0)
    made = random_nodes(rng, ORDERS, 1, 1, missing=False)
    node = regressor(rng, made)
    for attribute in node.attribute:
        if attribute.name == "n_targets":
            attribute.i = 10**12
    assert refused(graph_of(node)) == "HF-FMT-012"


SMALL = [
    changed(lambda lists: None),
    graph_of(tree_ensemble(np.random.default_rng(0), member=True), version=5, outputs=2),
    to_onnx(
        GradientBoostingClassifier(n_estimators=2, max_depth=2).fit(rows(), targets("three")), rows()[:1]
    ).SerializeToString(),
]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read(data: st.DataObject) -> None:
    """Nothing but FormatError ever leaves the reader."""
    raw = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw))) if data.draw(st.booleans()) else len(raw)
    try:
        model = read_onnx(bytes(raw[:cut]))
    except FormatError:
        return
    if model.ensemble.n_features < 1000:
        margins(model.ensemble, np.zeros((3, model.ensemble.n_features)))


def test_read_through_the_common_entry() -> None:
    assert read_buffer(SMALL[0]).ensemble.source == "onnx"

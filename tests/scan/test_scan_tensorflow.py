"""SavedModels and Keras archives: what their graphs and configurations would make a loader do."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Window
from holdfast.scan import scan
from holdfast.scan.allowlist.layers import CODE, layers
from holdfast.scan.allowlist.operators import ASSETS, operators
from holdfast.scan.inspect import Inspector
from wires import message


def field(number: int, content: bytes) -> bytes:
    return message((number, content))


def node(operator: str, name: str = "n", inputs: tuple[str, ...] = (), text: str = "") -> bytes:
    body = field(1, name.encode()) + field(2, operator.encode()) + b"".join(field(3, i.encode()) for i in inputs)
    if text:
        body += field(5, field(1, b"value") + field(2, field(8, field(8, text.encode()))))
    return body


def model(*nodes: bytes, library: tuple[bytes, ...] = (), asset: str = "", metadata: str = "") -> bytes:
    graph = b"".join(field(1, item) for item in nodes)
    if library:
        graph += field(2, field(1, b"".join(field(3, item) for item in library)))
    meta = field(2, graph)
    meta += field(6, field(2, asset.encode())) if asset else b""
    meta += field(7, field(1, field(4, field(3, metadata.encode())))) if metadata else b""
    return b"\x08\x01" + field(2, meta)


def look(tmp_path, data: bytes):
    path = tmp_path / "file"
    path.write_bytes(data)
    report = scan(path)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
    return report


DENSE = (node("Placeholder"), node("VarHandleOp"), node("MatMul"), node("NoOp"))


def test_a_numerical_graph_is_clean(tmp_path):
    found = look(tmp_path, model(*DENSE, library=(node("ReadVariableOp"), node("Relu")), asset="vocab.txt"))
    assert (found.format, found.verdict) == ("savedmodel", "clean")


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (model(*DENSE, node("ReadFile")), "blocked"),
        (model(*DENSE, library=(node("WriteFile"),)), "blocked"),
        (model(*DENSE, node("EagerPyFunc")), "blocked"),
        (model(*DENSE, node("BankScorecard")), "unknown"),
        (model(*DENSE, node("InitializeTableFromTextFileV2")), "unknown"),
        (model(*DENSE, asset="../../etc/passwd"), "blocked"),
        (model(node("Const", "p", text="/etc/cron.d/x"), node("SaveV2", "s", ("p", "q"))), "blocked"),
        (model(node("Placeholder", "p"), node("SaveV2", "s", ("p", "q"))), "clean"),
        (model(node("Const", "p", text="model"), node("SaveV2", "s", ("p", "q"))), "clean"),
        (model(*DENSE, metadata='{"class_name": "Lambda"}'), "blocked"),
        (model(*DENSE, metadata='{"class_name": "Dense"}'), "clean"),
    ],
)
def test_operators_and_paths(tmp_path, data, wanted):
    assert look(tmp_path, data).verdict == wanted


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_make_the_walk_fail(noise, at):
    data = model(*DENSE, library=(node("Relu"),))
    broken = data[:at] + noise + data[at + len(noise) :]
    seen = Inspector().inspect(Window.whole(broken), kind="savedmodel")
    assert seen.size == len(broken)


def test_the_groups_do_not_overlap():
    plain, reaching = operators()
    assert not plain & reaching
    assert not ASSETS & (plain | reaching)
    assert len(plain) > 900
    assert {"PyFunc", "ReadFile", "WriteFile", "ImmutableConst", "PrintV2", "RemoteCall"} <= reaching
    assert not CODE & layers()


def keras(config: object, metadata: object = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata or {"keras_version": "3.4.0"}))
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
    return file.getvalue()


def layer(name: str, module: str | None = "keras.layers", **config: object) -> dict[str, object]:
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def sequential(*layers: dict[str, object]) -> dict[str, object]:
    return layer("Sequential", "keras", layers=list(layers))


ADAM = layer("Adam", "keras.src.backend.torch.optimizers.torch_adam")
RELU = {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (sequential(layer("Dense", activation="relu"), layer("StringLookup", vocabulary=None)), "clean"),
        (sequential(layer("Dense", activation=RELU)) | {"compile_config": {"optimizer": ADAM}}, "clean"),
        ({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {}}]}}, "clean"),
        (sequential(layer("Lambda", function="x")), "blocked"),
        (sequential(layer("TimeDistributed", layer={"class_name": "Lambda"})), "blocked"),
        (sequential(layer("TorchModuleWrapper")), "blocked"),
        (sequential(layer("TFSMLayer", filepath="m")), "blocked"),
        (sequential(layer("StringLookup", vocabulary="/etc/passwd")), "blocked"),
        (sequential(layer("system", "os")), "blocked"),
        (sequential(layer("get_file", "keras.utils")), "blocked"),
        (sequential(layer("Dense", "keras.src.utils.file_utils")), "blocked"),
        (sequential(layer("Dense", activation=RELU | {"config": "eval"})), "blocked"),
        (sequential(layer("Scorecard", "bank.layers")), "unknown"),
        (sequential(layer("Dense") | {"registered_name": "bank>Dense"}), "unknown"),
        ({"class_name": "Sequential", "config": {"layers": [{"class_name": "Scorecard", "config": {}}]}}, "unknown"),
        ("{", "unknown"),
        ("[" * 100_000, "unknown"),
    ],
)
def test_keras_archives(tmp_path, config, wanted):
    found = look(tmp_path, keras(config))
    assert (found.format, found.verdict) == ("keras-zip", wanted)

"""TensorFlow Lite, Core ML, bare TensorFlow graphs and multi-part CatBoost: read to the end, never clean by guess."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scan.test_scan_tensorflow import DENSE, field, look, node

from holdfast.core.formats.buffers import Window
from holdfast.core.formats.sniff import sniff
from holdfast.scan import scan
from holdfast.scan.inspect import Inspector
from wires import varint as number

flatbuffers = pytest.importorskip("flatbuffers", reason="the test builds its models with flatbuffers")


def table(builder: Any, **values: tuple[str, Any]) -> int:
    """A table of `_number=(kind, value)`."""
    builder.StartObject(12)
    for name, (kind, value) in values.items():
        slot = int(name[1:])
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
    return int(builder.EndObject())


def vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def flex(*texts: bytes) -> bytes:
    """A flexbuffer vector of texts, all widths of one byte but lengths of two."""
    body, places = bytearray(), []
    for text in texts:
        body += struct.pack("<H", len(text))
        places.append(len(body))
        body += text + b"\0"
    body += b"\0" * (len(body) % 2)
    body += struct.pack("<H", len(texts))
    start = len(body)
    for place in places:
        body += struct.pack("<H", len(body) - place)
    body += bytes([5 << 2 | 1] * len(texts))
    body += struct.pack("<H", len(body) - start)
    return bytes(body + bytes([10 << 2 | 1, 2]))


def tflite(
    operator: str = "",
    options: bytes = b"",
    place: tuple[int, int] = (0, 0),
    group: str = "",
    buffer: int = 0,
    note: str = "a model",
    outside: tuple[tuple[int, int, int], ...] = (),
) -> bytes:
    builder = flatbuffers.Builder(1024)
    data = builder.CreateByteVector(b"\1" * 400)
    buffers = vector(
        builder,
        [table(builder), table(builder, _0=("offset", data), _1=("Uint64", place[0]), _2=("Uint64", place[1]))],
    )
    code = (
        table(builder, _0=("Int8", 32), _1=("offset", builder.CreateString(operator)), _3=("Int32", 32))
        if operator
        else table(builder, _0=("Int8", 9), _3=("Int32", 9))
    )
    name = builder.CreateString("x")
    scales = builder.CreateNumpyVector(np.ones(3, np.float32))
    scaled = table(builder, _2=("offset", scales))
    tensor = table(builder, _2=("Uint32", buffer), _3=("offset", name), _4=("offset", scaled))
    more = builder.CreateByteVector(options)
    run = table(builder, _0=("Uint32", 0), _5=("offset", more))
    tensors, runs = vector(builder, [tensor]), vector(builder, [run])
    graph = vector(builder, [table(builder, _0=("offset", tensors), _3=("offset", runs))])
    codes, text = vector(builder, [code]), builder.CreateString(note)
    kept = [table(builder, _1=("Uint32", n), _2=("Uint64", at), _3=("Uint64", size)) for n, at, size in outside]
    entries = vector(builder, kept)
    groups = vector(builder, [table(builder, _0=("offset", builder.CreateString(group)))] if group else [])
    root = table(
        builder,
        _0=("Uint32", 3),
        _1=("offset", codes),
        _2=("offset", graph),
        _3=("offset", text),
        _4=("offset", buffers),
        _8=("offset", groups),
        _9=("offset", entries),
    )
    builder.Finish(root, file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("data", "verdict", "rule"),
    [
        (tflite(), "clean", ""),
        (tflite("TFLite_Detection_PostProcess"), "clean", ""),
        (tflite("BankScore"), "unknown", "custom-operator"),
        (tflite("FlexErf", flex(b"Erf", node("Erf"))), "clean", ""),
        (tflite("FlexReadFile", flex(b"ReadFile", node("ReadFile"))), "blocked", "tensorflow-reach"),
        (tflite("FlexErf", flex(b"Erf", node("WriteFile"))), "blocked", "tensorflow-reach"),
        (tflite("FlexErf", flex(b"PyFunc", node("Erf"))), "blocked", "tensorflow-reach"),
        (tflite("FlexBank"), "unknown", "tensorflow-custom"),
        (tflite("FlexErf", b"no flexbuffer"), "unknown", "malformed"),
        (tflite(place=(1 << 40, 16)), "unknown", "malformed"),
        (tflite(buffer=7), "unknown", "malformed"),
        (tflite(group="weights.bin"), "clean", ""),
        (tflite(group="../../etc/shadow"), "blocked", "external-data"),
        (tflite(note="password = 'correct-horse'"), "review", "secret"),
        (tflite() + b"\7" * 100_000, "unknown", "trailing-bytes"),
        (tflite()[:200], "unknown", "truncated"),
    ],
)
def test_tflite(tmp_path, data, verdict, rule):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("tflite", verdict), found.facts
    assert rule in {hit.rule.id for hit in found.hits} | {""}


def test_weights_of_a_tflite_model_lie_where_it_says(tmp_path):
    model, weights = tmp_path / "m.tflite", tmp_path / "w.bin"
    weights.write_bytes(b"\x97\x93\xa1\xd6" * 25)
    for entries, verdict in ((((0, 0, 60), (0, 60, 40)), "clean"), (((0, 0, 60),), "unknown"), ((), "unknown")):
        model.write_bytes(tflite(group="w.bin", outside=entries))
        assert scan(weights, hash=False).verdict == verdict
    model.write_bytes(tflite(group="w.bin", outside=((1, 0, 100),)))
    assert (scan(model, hash=False).verdict, scan(weights, hash=False).verdict) == ("unknown", "unknown")


def with_files(data: bytes, **members: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_files_at_the_end_of_a_tflite_model_are_judged_by_what_they_are(tmp_path):
    assert look(tmp_path, with_files(tflite(), labels=b"cat\ndog\n")).verdict == "clean"
    found = look(tmp_path, with_files(tflite(), labels=b"cat\n", more=b"cos\nsystem\n(S'x'\ntR."))
    assert found.verdict == "blocked"
    assert {fact.member for fact in found.facts if fact.kind == "import"} == {"more"}
    inside = with_files(b"", a=b"cos\nsystem\n(S'x'\ntR.")
    assert look(tmp_path, tflite(options=inside)).verdict != "clean"


@settings(max_examples=60)
@given(st.binary(max_size=24), st.integers(0, 900))
def test_no_bytes_make_the_tflite_walk_fail(noise, at):
    data = tflite("FlexErf", flex(b"Erf", node("Erf")))
    broken = data[:at] + noise + data[at + len(noise) :]
    assert Inspector().inspect(Window.whole(broken), kind="tflite").size == len(broken)


def varint(tag: int, value: int) -> bytes:
    return number(tag << 3) + number(value)


def coreml(kind: int, content: bytes, metadata: bytes = b"") -> bytes:
    return varint(1, 7) + field(2, field(1, field(1, b"x")) + field(100, metadata)) + field(kind, content)


def layer(kind: int, content: bytes) -> bytes:
    return field(1, field(1, b"layer") + field(kind, content))


def program(file: str) -> bytes:
    blob = field(1, b"val") + field(2, field(5, field(1, file.encode()) + varint(2, 64)))
    block = field(3, field(1, b"const") + field(5, blob))
    body = field(3, field(1, b"CoreML5") + field(2, block))
    return varint(1, 1) + field(2, field(1, b"main") + field(2, body))


@pytest.mark.parametrize(
    ("data", "verdict", "rule"),
    [
        (coreml(302, b""), "clean", ""),
        (coreml(500, layer(140, b"")), "clean", ""),
        (coreml(500, layer(500, field(10, b"BankLayer"))), "unknown", "native-library"),
        (coreml(403, layer(605, field(2, layer(500, field(10, b"Deep"))))), "unknown", "native-library"),
        (coreml(500, layer(615, field(4, layer(500, field(10, b"Deep"))))), "unknown", "native-library"),
        (coreml(555, field(1, b"BankModel")), "unknown", "native-library"),
        (coreml(556, b""), "unknown", "unsupported"),
        (coreml(2999, b""), "unknown", "unsupported"),
        (coreml(202, field(1, coreml(555, field(1, b"Inner")))), "unknown", "native-library"),
        (coreml(200, field(1, field(1, coreml(302, b"")))), "clean", ""),
        (coreml(502, program("@model_path/weights/weight.bin")), "clean", ""),
        (coreml(502, program("@model_path/../../../etc/passwd")), "blocked", "external-data"),
        (coreml(302, b"", field(1, b"password: 'correct-horse'")), "review", "secret"),
    ],
)
def test_core_ml(tmp_path, data, verdict, rule):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("coreml", verdict), found.facts
    assert rule in {hit.rule.id for hit in found.hits} | {""}


def weights(*blobs: bytes, version: int = 2) -> bytes:
    out = struct.pack("<II", len(blobs), version) + bytes(56)
    for blob in blobs:
        head = struct.pack("<IIQQ", 0xDEADBEEF, 1, len(blob), len(out) + 64)
        out += head + bytes(64 - len(head)) + blob + bytes(-len(blob) % 64)
    return out


def test_core_ml_weights(tmp_path):
    found = look(tmp_path, weights(b"\1" * 100, b"\2" * 64))
    assert (found.format, found.verdict, found.coverage.skipped_by_shape) == ("coreml-weights", "clean", 164)
    assert look(tmp_path, weights(b"\1" * 100) + b"more").verdict == "unknown"
    assert look(tmp_path, weights(b"\1" * 100)[:150]).verdict == "unknown"
    assert look(tmp_path, b"\xff\xff\xff\xff" + weights(b"\1" * 64)[4:]).verdict == "unknown"


@settings(max_examples=60)
@given(st.binary(max_size=24), st.integers(0, 200), st.sampled_from(["coreml", "coreml-weights", "keras-metadata"]))
def test_no_bytes_make_these_walks_fail(noise, at, kind):
    data = weights(b"\1" * 70) if kind == "coreml-weights" else coreml(502, program("@model_path/weights/weight.bin"))
    broken = data[:at] + noise + data[at + len(noise) :]
    assert Inspector().inspect(Window.whole(broken), kind=kind).size == len(broken)


def graph(*nodes: bytes, library: bytes = b"") -> bytes:
    functions = field(2, field(1, field(3, library))) if library else b""
    return b"".join(field(1, item) for item in nodes) + functions + field(4, varint(1, 27))


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (graph(*DENSE), "clean"),
        (graph(*DENSE, node("ReadFile")), "blocked"),
        (graph(*DENSE, library=node("PyFunc")), "blocked"),
        (graph(*DENSE, node("BankScorecard")), "unknown"),
    ],
)
def test_frozen_graphs_go_by_the_rules_of_saved_models(tmp_path, data, verdict):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("graphdef", verdict)


def kept(text: str) -> bytes:
    return field(1, varint(2, 1) + field(3, b"root") + field(4, b"_tf_keras_layer") + field(5, text.encode()))


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (kept('{"class_name": "Dense", "config": {"units": 3}}'), "clean"),
        (kept('{"class_name": "Dense"}') + kept('{"class_name": "Lambda"}'), "blocked"),
        (kept('{"class_name": "BankLayer"}'), "unknown"),
        (kept("{"), "unknown"),
    ],
)
def test_metadata_of_keras_2(tmp_path, data, verdict):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("keras-metadata", verdict), found.facts


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    catboost = pytest.importorskip("catboost", reason="the test trains a model of categories")
    rows = [[f"c{place % 7}", float(place % 5)] for place in range(120)]
    labels = [place * place % 7 > 3 for place in range(120)]
    path = tmp_path_factory.mktemp("cbm") / "m.cbm"
    model = catboost.CatBoostClassifier(
        iterations=3,
        depth=2,
        cat_features=[0],
        one_hot_max_size=2,
        thread_count=1,
        verbose=0,
        allow_writing_files=False,
    )
    model.fit(rows, labels).save_model(str(path))
    return path.read_bytes()


def test_catboost_models_of_categories_are_read_with_their_counts(tmp_path, counted):
    core = 8 + struct.unpack_from("<I", counted, 4)[0]
    assert len(counted) > core
    assert look(tmp_path, counted).verdict == "clean"
    assert look(tmp_path, counted[:-9]).verdict == "unknown"
    assert look(tmp_path, counted + b"more").verdict == "unknown"
    assert look(tmp_path, counted[:core]).verdict == "unknown"
    assert look(tmp_path, counted[:core] + b"\xff" * 4 + counted[core + 4 :]).verdict == "unknown"


def test_a_core_ml_package_is_scanned_as_its_files(tmp_path):
    from holdfast.scan import scan_paths

    home = tmp_path / "m.mlpackage" / "Data" / "com.apple.CoreML"
    (home / "weights").mkdir(parents=True)
    (tmp_path / "m.mlpackage" / "Manifest.json").write_text('{"fileFormatVersion": "1.0.0"}', encoding="utf-8")
    (home / "model.mlmodel").write_bytes(coreml(502, program("@model_path/weights/weight.bin")))
    (home / "weights" / "weight.bin").write_bytes(weights(b"\1" * 100))
    reports = list(scan_paths([tmp_path / "m.mlpackage"], hash=False))
    assert [(report.format, report.verdict) for report in reports] == [
        ("json", "clean"),
        ("coreml", "clean"),
        ("coreml-weights", "clean"),
    ]


def test_these_formats_are_known_by_their_bytes():
    assert sniff(b"7z\xbc\xaf\x27\x1c" + bytes(40)) == "7z"
    assert sniff(tflite()) == "tflite"

"""Small sound files of every format the scan reads, put together here: what fuzzing begins from.

Formats whose libraries are not installed (boosters, flatbuffers) are left out.
"""

from __future__ import annotations

import bz2
import collections
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HOSTILE = b"cos\nsystem\n(S'id'\ntR."
NOWHERE = (1 << 64) - 1


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(field_number: int, value: int) -> bytes:
    return varint(field_number << 3) + varint(value)


def pickles() -> list[bytes]:
    values: list[Any] = [{"a": [1, "x", (2.5, None)]}, collections.OrderedDict(b=2), np.arange(3), {1, 2}, b"\0" * 40]
    return [pickle.dumps(value, protocol) for value in values for protocol in (0, 2, 5)] + [HOSTILE]


def zips() -> list[bytes]:
    members = (("a.txt", b"hello"), ("b.pkl", pickle.dumps([1])), ("c/", b""))
    return [zipped(*members), zipped(*members, method=zipfile.ZIP_DEFLATED), zipped(("x.zip", zipped(*members)))]


def torch() -> list[bytes]:
    data = b"\x80\x02(Vstorage\nccollections\nOrderedDict\nV0\nVcpu\nK\x10tQ."
    code = ("m/code/m.py", b"def f(x):\n  return torch.add(x, ops.bank.g(x))\n")
    return [zipped(("m/data.pkl", data), ("m/version", b"3\n"), ("m/data/0", bytes(64)), code)]


def torch_legacy() -> list[bytes]:
    head = (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03." + pickle.dumps({"little_endian": True}, 2)
    )
    body = b"\x80\x02(Vstorage\nctorch\nFloatStorage\nV7\nVcpu\nK\x02NtQ."
    return [head + body + pickle.dumps(["7"], 2) + struct.pack("<q", 2) + bytes(8)]


def tars() -> list[bytes]:
    made = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
            for name in ("a.txt", "long/" * 30 + "é.txt"):
                info = tarfile.TarInfo(name)
                info.size = 5
                archive.addfile(info, io.BytesIO(b"hello"))
        made.append(file.getvalue()[:4096])
    return made


def arrays() -> list[bytes]:
    made = []
    for array in (np.arange(4.0), np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (3,))]), np.array([{}], dtype=object)):
        file = io.BytesIO()
        np.save(file, array)
        made.append(file.getvalue())
    return made


def safetensors() -> list[bytes]:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    raw = json.dumps({"__metadata__": {"format": "pt"}, "w": entry}).encode()
    return [struct.pack("<Q", len(raw)) + raw + bytes(8)]


def onnx() -> list[bytes]:
    place = field(13, field(1, b"location") + field(2, b"w.bin")) + number(14, 1)
    tensors = field(5, number(1, 4) + number(2, 1) + field(8, b"w") + field(9, bytes(16))) + field(5, place)
    nodes = field(1, field(1, b"x") + field(2, b"y") + field(4, b"Relu")) + field(
        1, field(4, b"Score") + field(7, b"b")
    )
    inside = field(1, field(4, b"If") + field(5, field(1, b"body") + field(6, nodes)))
    return [number(1, 8) + field(7, nodes + inside + tensors) + field(8, number(2, 17)) + field(14, field(1, b"k"))]


def savedmodel() -> list[bytes]:
    node = field(1, b"c") + field(2, b"Const") + field(5, field(2, field(8, field(8, b"/etc/passwd"))))
    saver = field(1, b"s") + field(2, b"SaveV2") + field(3, b"c:0")
    graph = field(1, node) + field(1, saver) + field(2, field(1, field(3, field(2, b"MatMul"))))
    meta = (
        field(2, graph) + field(6, field(2, b"a.txt")) + field(7, field(1, field(4, field(3, b'{"class_name":"X"}'))))
    )
    return [number(1, 1) + field(2, meta)]


def coreml() -> list[bytes]:
    head = number(1, 7) + field(2, field(1, field(1, b"x")))
    layer = field(1, field(1, b"l") + field(500, field(10, b"Own")))
    blob = field(1, b"v") + field(2, field(5, field(1, b"@model_path/w.bin") + number(2, 64)))
    block = field(3, field(1, b"const") + field(5, blob))
    body = number(1, 1) + field(2, field(1, b"main") + field(2, field(3, field(1, b"CoreML5") + field(2, block))))
    return [head + field(500, layer), head + field(502, body)]


def gguf() -> list[bytes]:
    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    keys = text(b"general.alignment") + struct.pack("<II", 4, 32)
    keys += text(b"tokenizer.chat_template") + struct.pack("<I", 8) + text(b"{% for m in x %}{{ m['a'] }}{% endfor %}")
    keys += text(b"t") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
    tensors = text(b"w") + struct.pack("<IQIQ", 1, 8, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3) + keys + tensors
    return [head + bytes(-len(head) % 32) + bytes(32)]


def hdf5() -> list[bytes]:
    def header(*messages: tuple[int, bytes]) -> bytes:
        padded = [(kind, content + bytes(-len(content) % 8)) for kind, content in messages]
        body = b"".join(struct.pack("<HHB3x", kind, len(content), 0) + content for kind, content in padded)
        return struct.pack("<BxHLL4x", 1, len(messages), 1, len(body)) + body

    text = b'{"class_name": "Dense"}'
    attribute = struct.pack("<BxHHH", 1, 13, 8, 8) + b"model_config\0\0\0\0"
    attribute += struct.pack("<B3xL", 0x13, len(text)) + struct.pack("<BB6x", 1, 0) + text
    link = struct.pack("<BBBB1s", 1, 8, 64, 1, b"n") + struct.pack("<H", 5) + b"\0a\0b\0"
    shape, kind = struct.pack("<BB6xQ", 1, 1, 4), struct.pack("<B3xL", 0x11, 4) + bytes(16)
    size = len(header((12, attribute), (6, link), (6, struct.pack("<BBB1sQ", 1, 0, 1, b"m", 0))))
    root = header((12, attribute), (6, link), (6, struct.pack("<BBB1sQ", 1, 0, 1, b"m", 48 + size)))
    place = 48 + size + len(header((1, shape), (3, kind), (8, bytes(18))))
    array = header((1, shape), (3, kind), (8, struct.pack("<BBQQ", 3, 1, place, 16))) + b"\1" * 16
    end = 48 + len(root) + len(array)
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBxQQQQ", 2, 8, 8, 0, NOWHERE, end, 48)
    return [head.ljust(48, b"\0") + root + array]


def rds() -> list[bytes]:
    def ints(*values: int) -> bytes:
        return struct.pack(f">{len(values)}i", *values)

    symbol = ints(1, 0x40009, 5) + b"names"
    named = ints(0x20E, 2) + bytes(16) + ints(0x402) + symbol + ints(16, 1, 0x40009, 1) + b"a" + ints(254)
    return [
        b"X\n" + ints(3, 0x40301, 0x30500, 5) + b"UTF-8" + ints(19, 2) + named + ints(238, 2) + symbol + ints(254) * 3
    ]


def documents() -> dict[str, list[bytes]]:
    config = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "module": "keras.layers"}]}}
    cells = [{"cell_type": "code", "source": ["import os\n"], "outputs": [{"text": "x", "data": {"a": "b"}}]}]
    node = {"__loader__": "ObjectNode", "__module__": "sklearn.svm", "__class__": "SVC", "content": {}}
    template = "{% for m in messages %}{{ m['content'] ~ bos_token }}{% if m.role == 'x' %}{% endif %}{% endfor %}"
    weights = {"config": {"w": {"path_name": "w0", "use_pickle": False, "tensor_meta": {}}}}
    graph = {"nodes": [{"target": "torch.ops.aten.add.Tensor", "inputs": []}]}
    flavor = (
        b"flavors:\n  sklearn:\n    loader_module: mlflow.sklearn\n    model_path: m.pkl\n    env: {conda: c.yaml}\n"
    )
    return {
        "json": [
            json.dumps({"auto_map": {"A": "m.A"}, "chat_template": template, "weight_map": {"w": "a.bin"}}).encode()
        ],
        "notebook": [json.dumps({"nbformat": 4, "cells": cells}).encode()],
        "mlmodel": [flavor],
        "pmml": [b'<?xml version="1.0"?><PMML version="4.4"><DataDictionary path="a"><x/></DataDictionary></PMML>'],
        "other": [
            b"FROM a:1\nRUN curl x | sh\nENV TOKEN=abcdefgh\n",
            b"numpy==1.0\nx @ git+https://h/x@0123 --hash=a\n",
        ],
        "keras-zip": [zipped(("config.json", json.dumps(config).encode()), ("metadata.json", b"{}"))],
        "skops": [zipped(("schema.json", json.dumps({**node, "content": node}).encode()), ("a.npy", arrays()[0]))],
        "pt2": [
            zipped(
                ("m/archive_format", b"pt2"),
                ("m/archive_version", b"0"),
                ("m/models/model.json", json.dumps(graph).encode()),
                ("m/data/weights/model_weights_config.json", json.dumps(weights).encode()),
                ("m/data/weights/w0", bytes(16)),
            )
        ],
    }


def compressed() -> dict[str, list[bytes]]:
    plain = pickle.dumps({"a": list(range(20))})
    frame = b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", 8) + b"\x20N.\x02\x00\x20N." + bytes(4)
    return {
        "gzip": [gzip.compress(plain, mtime=0)],
        "zlib": [zlib.compress(plain)],
        "bz2": [bz2.compress(plain)],
        "xz": [lzma.compress(plain)],
        "lzma": [lzma.compress(plain, lzma.FORMAT_ALONE)],
        "lz4": [frame],
    }


def tflite() -> list[bytes]:
    import flatbuffers

    builder = flatbuffers.Builder(256)

    def table(**values: tuple[str, Any]) -> int:
        builder.StartObject(12)
        for name, (kind, value) in values.items():
            if kind == "offset":
                builder.PrependUOffsetTRelativeSlot(int(name[1:]), value, 0)
            else:
                getattr(builder, f"Prepend{kind}Slot")(int(name[1:]), value, 0)
        return int(builder.EndObject())

    def vector(*offsets: int) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    node = field(1, b"n") + field(2, b"Erf")
    flex = (
        b"\3Erf\0" + bytes([len(node)]) + node + b"\0" + b"\2" + bytes([len(node) + 7, len(node) + 3, 20, 20, 4, 40, 1])
    )
    buffers = vector(table(), table(_0=("offset", builder.CreateByteVector(b"\1" * 16))))
    code = table(_0=("Int8", 32), _1=("offset", builder.CreateString("FlexErf")), _3=("Int32", 32))
    tensor = table(_2=("Uint32", 1), _3=("offset", builder.CreateString("x")))
    run = table(_0=("Uint32", 0), _5=("offset", builder.CreateByteVector(flex)))
    graph = table(_0=("offset", vector(tensor)), _3=("offset", vector(run)))
    group = table(_0=("offset", builder.CreateString("w.bin")))
    parts = {
        "_1": vector(code),
        "_2": vector(graph),
        "_3": builder.CreateString("note"),
        "_4": buffers,
        "_8": vector(group),
    }
    root = table(_0=("Uint32", 3), **{name: ("offset", value) for name, value in parts.items()})
    builder.Finish(root, file_identifier=b"TFL3")
    return [bytes(builder.Output())]


def _rows() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2


def xgboost(suffix: str) -> list[bytes]:
    import xgboost as library

    X, y = _rows()
    booster = library.train({"max_depth": 2}, library.DMatrix(X, y), 2)
    return [bytes(booster.save_raw(suffix))]


def lightgbm() -> list[bytes]:
    import lightgbm as library

    X, y = _rows()
    options = {"verbose": -1, "num_leaves": 4, "min_data_in_leaf": 2}
    return [library.train(options, library.Dataset(X, y), 2).model_to_string().encode()]


def catboost(suffix: str) -> list[bytes]:
    import catboost as library

    X, y = _rows()
    model = library.CatBoostClassifier(iterations=2, depth=2, verbose=False, allow_writing_files=False).fit(X, y)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model"
        model.save_model(str(path), format=suffix)
        return [path.read_bytes()]


_OPTIONAL: dict[str, tuple[str, Callable[[], list[bytes]]]] = {
    "tflite": ("flatbuffers", tflite),
    "xgboost-json": ("xgboost", lambda: xgboost("json")),
    "xgboost-ubj": ("xgboost", lambda: xgboost("ubj")),
    "lightgbm-text": ("lightgbm", lightgbm),
    "catboost-cbm": ("catboost", lambda: catboost("cbm")),
    "catboost-json": ("catboost", lambda: catboost("json")),
}


def seeds() -> dict[str, list[bytes]]:
    """Format id, as the scan names it, and sound files of it."""
    joblib = compressed()["zlib"]
    found = {
        "pickle": pickles(),
        "joblib": joblib,
        "zip": zips(),
        "npz": [zipped(("a.npy", arrays()[0]))],
        "torch-zip": torch(),
        "torch-legacy": torch_legacy(),
        "tar": tars(),
        "npy": arrays(),
        "safetensors": safetensors(),
        "onnx": onnx(),
        "savedmodel": savedmodel(),
        "coreml": coreml(),
        "gguf": gguf(),
        "hdf5": hdf5(),
        "rds": rds(),
    }
    found |= documents() | compressed()
    return found | {kind: make() for kind, (library, make) in _OPTIONAL.items() if find_spec(library) is not None}

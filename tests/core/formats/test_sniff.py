"""Formats by content: what each begins with, what a name cannot claim, and how little of a file is read."""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import marshal
import pickle
import struct
import tarfile
import zipfile
import zlib

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.core.formats.buffers import Fault, Window
from holdfast.core.formats.protobuf import fields
from holdfast.core.formats.sniff import compression_of, sniff, sniff_window


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return file.getvalue()


def saved(write, value) -> bytes:
    file = io.BytesIO()
    write(file, value)
    return file.getvalue()


TENSORS = json.dumps({"w": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}).encode()
PLAIN = pickle.dumps({"a": [1, 2]})
FILES = {
    "pickle": [PLAIN, pickle.dumps([1], 0), pickle.dumps((None, 2.5), 1), b"cos\nsystem\n(S'id'\ntR.", b"N."],
    "joblib": [
        saved(lambda file, value: joblib.dump(value, file), np.arange(3)),
        *(pack(PLAIN) for pack in (gzip.compress, zlib.compress, bz2.compress, lzma.compress)),
        lzma.compress(PLAIN, lzma.FORMAT_ALONE),
    ],
    "torch-legacy": [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."],
    "torch-zip": [zipped("m/data.pkl", "m/version")],
    "npz": [zipped("a.npy", "b.npy")],
    "keras-zip": [zipped("config.json", "metadata.json", "model.weights.h5")],
    "skops": [zipped("schema.json", "1.npy")],
    "zip": [zipped("readme.txt"), zipped("data.txt", "version")],
    "gzip": [gzip.compress(b"hello")],
    "zlib": [zlib.compress(b"hello")],
    "bz2": [bz2.compress(b"hello")],
    "xz": [lzma.compress(b"hello")],
    "tar": [tarred()],
    "npy": [saved(np.save, np.arange(3))],
    "safetensors": [struct.pack("<Q", len(TENSORS)) + TENSORS],
    "onnx": [b"\x08\x08\x3a\x02\x12\x00\x42\x02\x10\x11"],
    "savedmodel": [b"\x08\x01\x12\x02\x0a\x00"],
    "hdf5": [b"\x89HDF\r\n\x1a\n" + bytes(9)],
    "gguf": [b"GGUF\x03\x00\x00\x00"],
    "tflite": [b"\x1c\x00\x00\x00TFL3"],
    "catboost-cbm": [b"CBM1" + bytes(9)],
    "xgboost-json": [b'{"learner":{"attributes":{}}', b'{"version":[3,0,0],"learner":{}}'],
    "xgboost-ubj": [b"{L" + struct.pack(">q", 7) + b"learner{"],
    "lightgbm-text": [b"tree\nversion=v4\nnum_class=1\n"],
    "catboost-json": [b'{"model_info":{},"oblivious_trees":[]}'],
    "notebook": [b'{"cells": [], "nbformat": 4}'],
    "json": [b'{"a": 1}', b"[1, 2]"],
    "pmml": [b'<?xml version="1.0"?>\n<PMML version="4.4"/>'],
    "mlmodel": [b"artifact_path: model\nflavors:\n  python_function:\n"],
    "executable": [
        *(b"\x7fELF" + bytes(9), b"MZ" + bytes(70), b"BC\xc0\xde" + bytes(9), b"!<arch>\nlibx.o"),
        importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile("1", "x", "exec")),
    ],
    "ole": [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9)],
    "sqlite": [b"SQLite format 3\0" + bytes(9)],
    "rds": [b"X\n\0\0\0\3", b"B\n\3\0\0\0\3"],
    "7z": [b"7z\xbc\xaf\x27\x1c"],
    "zstd": [b"\x28\xb5\x2f\xfd\x00"],
    "other": [b"hello\n", "é\n".encode(), b"click\nrich\nnumpy==2.0\n", b"%PDF-1.7\n", b"I am text.\n", b"(a, b)\n"],
    "binary": [b"\xff\xfe\x01\x02" * 9, b"\x00" * 100],
    "empty": [b""],
}


CASES = [pytest.param(kind, data, id=f"{kind}-{n}") for kind, files in FILES.items() for n, data in enumerate(files)]


@pytest.mark.parametrize(("kind", "data"), CASES)
def test_formats(kind, data, tmp_path):
    assert sniff(data) == kind
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    assert sniff(path) == kind


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_something(data):
    assert sniff(data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([data for files in FILES.values() for data in files if data]), st.data())
def test_damaged_heads_are_something(data, draw):
    damaged = bytearray(data)
    damaged[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    assert sniff(bytes(damaged))


class Counting:
    """Bytes that count how many of them were looked at."""

    def __init__(self, data: bytes) -> None:
        self.data, self.read = data, 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key):
        found = self.data[key]
        self.read += 1 if isinstance(found, int) else len(found)
        return found

    def find(self, pattern: bytes, start: int, end: int) -> int:
        at = self.data.find(pattern, start, end)
        self.read += (at if at >= 0 else end) - start
        return at

    def rfind(self, pattern: bytes, start: int, end: int) -> int:
        self.read += end - start
        return self.data.rfind(pattern, start, end)


@pytest.mark.parametrize("kind", ["safetensors", "npy", "pickle"])
def test_numbers_are_not_read_to_tell_the_format(kind):
    size = 32 << 20
    header = TENSORS.replace(b"[0]", b"[8388608]").replace(b"[0, 0]", b"[0, 33554432]")
    data = {
        "safetensors": struct.pack("<Q", len(header)) + header + bytes(size),
        "npy": saved(np.save, np.zeros(size // 8)),
        "pickle": pickle.dumps(np.zeros(size // 8), 5),
    }[kind]
    counting = Counting(data)
    assert sniff_window(Window.whole(counting)) == kind
    assert counting.read <= 5 << 20


def test_compression_is_seen_behind_joblib():
    packed = zlib.compress(PLAIN)
    assert (sniff(packed), compression_of(Window.whole(packed))) == ("joblib", "zlib")
    assert compression_of(Window.whole(PLAIN)) is None


def test_a_file_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(FormatError) as caught:
            sniff(path)
        assert caught.value.code == "HF-FMT-001"


def test_windows_do_not_reach_outside():
    window = Window(b"0123456789", 2, 8)
    assert (len(window), window.read(0, 100), window.read(4, 1), window.find(b"89"), window.rfind(b"7", 0)) == (
        6, b"234567", b"6", -1, 5,
    )  # fmt: skip
    assert window.part(1, 3).read(0, 9) == b"345"
    with pytest.raises(Fault):
        window.part(4, 3)


def test_protobuf_fields_as_the_library_writes_them():
    onnx = pytest.importorskip("onnx")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []), producer_name="p" * 300)
    data = model.SerializeToString()
    found = {field.number: field for field in fields(Window.whole(data))}
    assert found[1].value == model.ir_version
    assert data[found[2].offset : found[2].offset + found[2].size].decode() == "p" * 300
    assert data[found[7].offset : found[7].offset + found[7].size] == model.graph.SerializeToString()


@pytest.mark.parametrize("data", [b"\x08", b"\x12\x05abc", b"\x00\x01", b"\x0b", b"\x0d\x01", b"\xff" * 12])
def test_bytes_that_are_no_message(data):
    with pytest.raises(Fault):
        list(fields(Window.whole(data)))

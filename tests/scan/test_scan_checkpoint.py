"""TensorFlow checkpoints: the index names every byte of the data files, and nothing else does."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from holdfast.scan import FileReport, scan, scan_paths
from wires import message, sstable

NUMBERS = np.random.default_rng(7).normal(size=24).astype("<f4").tobytes()
HARM = b"cos\nsystem\n(S'x'\ntR."


def shape(*sizes: int) -> bytes:
    return message(*((2, message((1, size))) for size in sizes))


def entry(kind: int, sizes: tuple[int, ...], offset: int, size: int, shard: int = 0) -> bytes:
    return message((1, kind), (2, shape(*sizes)), *([(3, shard)] if shard else []), (4, offset), (5, size))


def index(tensors: dict[str, bytes], shards: int = 1) -> bytes:
    header = message((1, shards), (3, message((1, 1))))
    return sstable({b"": header, **{name.encode(): value for name, value in tensors.items()}})


SOUND = {"w": entry(1, (4, 5), 0, 80), "s": entry(7, (2,), 80, 16)}


def saved(tmp_path: Path, table: bytes, *data: bytes) -> dict[str, FileReport]:
    (tmp_path / "v.index").write_bytes(table)
    for number, content in enumerate(data):
        (tmp_path / f"v.data-{number:05d}-of-{len(data):05d}").write_bytes(content)
    return {Path(report.path).name: report for report in scan_paths([tmp_path], hash=False)}


def test_a_checkpoint_explains_its_data(tmp_path: Path) -> None:
    found = saved(tmp_path, index(SOUND), NUMBERS)
    assert (found["v.index"].format, found["v.index"].verdict) == ("checkpoint-index", "clean")
    data = found["v.data-00000-of-00001"]
    assert (data.format, data.verdict, data.coverage.skipped_by_shape) == ("weights", "clean", 96)
    assert scan(tmp_path / "v.data-00000-of-00001").verdict == "clean"


def test_data_in_two_files(tmp_path: Path) -> None:
    table = index({"a": entry(1, (24,), 0, 96), "b": entry(1, (24,), 0, 96, 1)}, 2)
    assert {report.verdict for report in saved(tmp_path, table, NUMBERS, NUMBERS).values()} == {"clean"}


@pytest.mark.parametrize(
    ("table", "data", "verdict"),
    [
        (index(SOUND), NUMBERS + b"\x93\x97\xff", "unknown"),
        (index(SOUND), NUMBERS + HARM, "blocked"),
        (index(SOUND), NUMBERS[:-4], "unknown"),
        (index(SOUND | {"v": entry(21, (1,), 80, 16)}), NUMBERS, "unknown"),
        (index(SOUND | {"w": entry(1, (4, 5), 0, 96)}), NUMBERS, "unknown"),
        (index(SOUND | {"w": entry(1, (4, 5), 0, 80, 3)}), NUMBERS, "unknown"),
        (index(SOUND, 1 << 40), NUMBERS, "unknown"),
        (sstable({b"w": SOUND["w"]}), NUMBERS, "unknown"),
    ],
    ids=itertools.count(),
)
def test_what_the_index_does_not_name(tmp_path: Path, table: bytes, data: bytes, verdict: str) -> None:
    assert saved(tmp_path, table, data)["v.data-00000-of-00001"].verdict == verdict


def test_a_fingerprint_is_numbers_and_a_version(tmp_path: Path) -> None:
    path = tmp_path / "fingerprint.pb"
    path.write_bytes(message((1, 2**63), (2, 5), (3, 7), (4, 9), (5, 11), (6, message((1, 2))), (7, b"u" * 39)))
    assert (scan(path).format, scan(path).verdict) == ("savedmodel-fingerprint", "clean")
    path.write_bytes(path.read_bytes().replace(b"u" * 39, b"password = 'correct-horse-battery'   ou"[:39]))
    assert scan(path).verdict == "review"


def test_what_tensorflow_writes(tmp_path: Path) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    module = tensorflow.Module()
    module.w = tensorflow.Variable(np.ones((4, 3), np.float32))
    tensorflow.saved_model.save(module, str(tmp_path))
    assert {report.verdict for report in scan_paths([tmp_path], hash=False)} == {"clean"}

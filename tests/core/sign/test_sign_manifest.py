"""File manifests against hashlib over whole files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import SignatureError
from holdfast.core.sign import file_digest, manifest
from holdfast.core.sign.manifest import PIECE_BYTES


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7])
def test_the_digest_is_sha256_of_the_whole_file(tmp_path: Path, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    (tmp_path / "f").write_bytes(data)
    assert file_digest(tmp_path / "f") == ("sha256:" + hashlib.sha256(data).hexdigest(), size)


@settings(max_examples=20)
@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e"]), st.binary(max_size=50), min_size=1))
def test_folders_are_walked_and_order_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("m")
    for name, data in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    whole = manifest([root], root=root, workers=1)
    assert {file.name: file.digest for file in whole.files} == {
        name: "sha256:" + hashlib.sha256(data).hexdigest() for name, data in files.items()
    }
    assert whole.bytes == sum(map(len, files.values()))
    listed = [root / name for name in sorted(files, reverse=True)]
    assert manifest(listed, root=root, workers=4).digest == whole.digest


def test_a_renamed_or_changed_file_gives_another_manifest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    first = manifest([tmp_path], root=tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = manifest([tmp_path], root=tmp_path)
    (tmp_path / "b").write_bytes(b"y")
    third = manifest([tmp_path], root=tmp_path)
    assert len({first.digest, second.digest, third.digest}) == 3


def refused(paths: list[Path]) -> str:
    with pytest.raises(SignatureError) as raised:
        manifest(paths)
    assert raised.value.code == "HF-SIG-010"
    return raised.value.cause


def test_what_cannot_be_hashed_whole_is_refused(tmp_path: Path) -> None:
    assert refused([tmp_path / "none"]) == "No such file or directory"
    os.mkfifo(tmp_path / "pipe")
    assert refused([tmp_path / "pipe"]) == "it is not a regular file"
    (tmp_path / "linked").symlink_to(tmp_path.parent)
    assert refused([tmp_path]) == "it is a link to a folder"


def test_a_file_that_is_larger_than_it_says_is_refused() -> None:
    assert refused([Path("/proc/self/status")]) == "it changed while it was read"

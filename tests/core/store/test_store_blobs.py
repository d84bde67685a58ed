"""Blobs: whole or not there, and never other bytes than their name says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.errors import StoreError
from holdfast.core.store import Blobs
from holdfast.core.store.blobs import PIECE_BYTES


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_come_back_by_their_digest(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    blobs = Blobs(tmp_path_factory.mktemp("b"))
    digest = blobs.put(data)
    assert digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data
    assert blobs.put(data) == digest


def test_a_large_file_is_kept_in_pieces(blobs: Blobs, tmp_path: Path) -> None:
    data = bytes(range(256)) * (2 * PIECE_BYTES // 256) + b"tail"
    (tmp_path / "large").write_bytes(data)
    digest = blobs.put_file(tmp_path / "large")
    assert blobs.put(data) == digest
    assert blobs.get(digest) == data


def test_files_are_spread_private_and_nothing_else_is_left(blobs: Blobs) -> None:
    digest = blobs.put(b"x")
    name = digest.removeprefix("sha256:")
    path = blobs.path(digest)
    assert path.relative_to(blobs.folder).parts == (name[:2], name[2:4], name)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [item for item in blobs.folder.rglob("*") if item.is_file()] == [path]


def test_damage_is_noticed_on_reading(blobs: Blobs) -> None:
    digest = blobs.put(b"some bytes")
    blobs.path(digest).chmod(0o600)
    blobs.path(digest).write_bytes(b"some Bytes")
    with pytest.raises(StoreError) as raised:
        blobs.get(digest)
    assert raised.value.code == "HF-STO-012"


def test_a_missing_blob_is_told(blobs: Blobs) -> None:
    digest = "sha256:" + "0" * 64
    assert not blobs.has(digest)
    with pytest.raises(StoreError) as raised:
        blobs.get(digest)
    assert raised.value.code == "HF-STO-013"


@pytest.mark.parametrize("digest", ["", "sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 64, "0" * 64])
def test_only_a_digest_names_a_blob(blobs: Blobs, digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        blobs.path(digest)


def test_a_write_that_fails_leaves_nothing(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreError) as raised:
        blobs.put(b"x")
    assert (raised.value.code, raised.value.cause) == ("HF-STO-014", "No space left on device")
    assert not [item for item in blobs.folder.rglob("*") if item.is_file()]


def test_bytes_reach_the_disk_before_their_name(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda handle: (order.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr("os.replace", lambda *paths: (order.append("rename"), replace(*paths))[1])
    blobs.put(b"x")
    assert order[:2] == ["fsync", "rename"]
    assert order[2:] == ["fsync"] * 3, "then the names, up to the top"

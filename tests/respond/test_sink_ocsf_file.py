"""OCSF lines are whole, on disk, never overwritten, and what our schema of class 2004 says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from holdfast.respond.interface import Sink, SinkError
from holdfast.respond.sinks.ocsf_file import OcsfFile
from holdfast.testing.sinks import SinkContract, notice


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class TestOcsfFile(SinkContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "deep" / "findings.ndjson"

    def make_sink(self) -> Sink:
        return OcsfFile(self.path, 1_000_000)

    def make_dead_sink(self) -> Sink:
        self.path.parent.mkdir()
        self.path.mkdir()
        return OcsfFile(self.path, 1_000_000)

    def received(self) -> list[str]:
        return [line["metadata"]["uid"] for line in lines(self.path)]  # type: ignore[index]


def test_a_full_file_is_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    sink = OcsfFile(path, 3_000)
    for number in range(8):
        sink.send(notice(number))
    files = sorted(tmp_path.glob("findings*.ndjson"))
    assert len(files) > 2
    found = [line["metadata"]["uid"] for file in files for line in lines(file)]  # type: ignore[index]
    assert sorted(found) == sorted(notice(number).id for number in range(8))
    assert all(file.stat().st_size < 3_000 + 3_000 for file in files)


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "findings.ndjson"
    path.write_bytes(b'{"half": ')
    OcsfFile(path, 1_000_000).send(notice())
    half, whole = path.read_text("utf-8").splitlines()
    assert half == '{"half": '
    assert json.loads(whole)["metadata"]["uid"] == notice().id


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("")
    (tmp_path / "findings.ndjson").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        OcsfFile(tmp_path / "findings.ndjson", 1_000_000).send(notice())
    assert target.read_text() == ""


def test_a_write_that_falls_short_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: written(handle, data[:-5]))
    with pytest.raises(SinkError):
        OcsfFile(tmp_path / "findings.ndjson", 1_000_000).send(notice())

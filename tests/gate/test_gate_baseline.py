"""Baseline files: what is written reads back, and nothing else does."""

from __future__ import annotations

import contextlib
import json
import math
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Measurement
from holdfast.core.errors import PolicyError
from holdfast.core.policy import Baseline
from holdfast.gate import BaselineFile


def written(desk: Any, path: Path) -> BaselineFile:
    auc = Measurement("quality.auc", 0.77, "share", n=300)
    recall = Measurement("evasion.robust_recall", 1 / 3, "share", {"linf": 0.005}, 200, 0)
    rows = Measurement("data.train_rows", 30_000, "rows")
    file = BaselineFile.collect(
        str(path),
        desk.now,
        [("credit", "sha256:1", [desk.record("a", auc), desk.record("b", recall, rows)]), ("fraud", "sha256:2", [])],
    )
    file.save(path)
    return file


def test_what_is_written_reads_back_the_same(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    file = written(desk, path)
    read = BaselineFile.load(path)
    assert read == file
    assert read.of("credit") is not None
    assert read.of("credit").digest == file.of("credit").digest  # type: ignore[union-attr]
    assert [one.name for one in read.models["credit"].measurements] == [
        "data.train_rows",
        "evasion.robust_recall",
        "quality.auc",
    ]
    assert read.of("none") is None


def test_the_same_numbers_are_the_same_bytes(desk: Any, tmp_path: Path) -> None:
    one, two = tmp_path / "1" / "b.json", tmp_path / "2" / "b.json"
    for path in (one, two):
        written(desk, path)
    assert one.read_bytes() == two.read_bytes()
    assert stat.S_IMODE(one.stat().st_mode) == 0o644
    assert [path.name for path in one.parent.iterdir()] == ["b.json"]


def test_what_is_no_number_is_nothing_to_compare_with(desk: Any, tmp_path: Path) -> None:
    values = [Measurement("a.x", value, "share") for value in (math.nan, math.inf, 0.5)]
    file = BaselineFile.collect("f", desk.now, [("credit", "v", [desk.record("a", *values)])])
    file.save(tmp_path / "b.json")
    assert [one.value for one in BaselineFile.load(tmp_path / "b.json").models["credit"].measurements] == [0.5]


@given(cut=st.integers(0, 2_000), data=st.data())
@settings(max_examples=60)
def test_a_cut_off_or_changed_file_is_refused(
    desk: Any, tmp_path_factory: pytest.TempPathFactory, cut: int, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("baseline") / "b.json"
    file = written(desk, path)
    whole = path.read_bytes()
    place = cut % (len(whole) - 2)
    damaged = data.draw(
        st.sampled_from([whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :], whole + b"x"])
    )
    path.write_bytes(damaged)
    # A change that is not refused must be one without meaning, such as a blank for a line feed.
    with contextlib.suppress(PolicyError):
        assert BaselineFile.load(path) == file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"version": "1"}, "version"),
        ({"more": 1}, "more"),
        ({"as_of": "2026-01-05"}, "timezone"),
        ({"digest": "sha256:0"}, "digest does not match"),
        ({"models": {"credit": {"version": "v"}}}, "measurements"),
        ({"models": {"credit": {"version": "v", "measurements": [{"name": "x"}]}}}, "missing"),
        ({"models": []}, "models"),
    ],
)
def test_another_form_is_refused(desk: Any, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "b.json"
    written(desk, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(PolicyError) as caught:
        BaselineFile.load(path)
    assert caught.value.code == "HF-GAT-002"
    assert words in caught.value.cause


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 9999, b'{"version": 1, "version": 1}', b'{"version": NaN}']
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(data)
    with pytest.raises(PolicyError) as caught:
        BaselineFile.load(path)
    assert caught.value.code == "HF-GAT-002"


def test_a_missing_file_or_folder_is_refused(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        BaselineFile.load(tmp_path / "none.json")
    assert caught.value.code == "HF-GAT-001"
    (tmp_path / "file").touch()
    with pytest.raises(PolicyError) as caught:
        BaselineFile("x", desk.now, {}).save(tmp_path / "file" / "b.json")
    assert caught.value.code == "HF-GAT-001"


def test_a_body_kept_elsewhere_reads_back(desk: Any) -> None:
    baseline = Baseline.of("deployed v", "v", [desk.record("a", Measurement("a.x", 3, "rows", {"k": 1}))])
    assert Baseline.from_json("deployed v", baseline.to_json()) == baseline
    for body in ({}, {"version": "v"}, {"version": "v", "measurements": [], "more": 1}):
        with pytest.raises(ValueError, match="Object"):
            Baseline.from_json("x", body)

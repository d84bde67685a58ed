"""Which files are scanned, in which order, and what is said of those that are not opened."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest

from holdfast.core.errors import UsageError
from holdfast.scan import Budget, scan, scan_paths


@pytest.fixture
def folder(tmp_path):
    for name in ("b/2.pkl", "b/10.pkl", "a.pkl", "c/deep/x.pkl"):
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(name))
    return tmp_path / "models"


def test_one_row_for_each_file_in_a_stable_order(folder):
    rows = [os.path.relpath(report.path, folder) for report in scan_paths([folder])]
    assert rows == ["a.pkl", "b/10.pkl", "b/2.pkl", "c/deep/x.pkl"]
    assert rows == [os.path.relpath(report.path, folder) for report in scan_paths([folder])]


def test_paths_are_given_as_they_were_asked_for(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [report.path for report in scan_paths(["b", "a.pkl"])] == ["b/10.pkl", "b/2.pkl", "a.pkl"]


def test_hashing_is_apart_and_can_be_left_out(folder):
    report = scan(folder / "a.pkl")
    assert report.sha256 == hashlib.sha256((folder / "a.pkl").read_bytes()).hexdigest()
    assert report.inspect_ms > 0 < report.hash_ms
    bare = scan(folder / "a.pkl", hash=False)
    assert (bare.sha256, bare.hash_ms) == (None, 0.0)


def test_links_inside_are_read_and_links_outside_are_not(folder, tmp_path):
    outside = tmp_path / "secret.pkl"
    outside.write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    (folder / "in").symlink_to(folder / "a.pkl")
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / "broken").symlink_to(folder / "nothing")
    reports = {Path(report.path).name: report for report in scan_paths([folder])}
    assert reports["in"].verdict == "clean"
    assert [hit.rule.id for hit in reports["out"].hits] == ["link-outside"]
    assert [hit.rule.id for hit in reports["up"].hits] == ["link-outside"]
    assert [hit.rule.id for hit in reports["broken"].hits] == ["unreadable"]
    assert scan(folder / "out").verdict == "blocked"


def test_a_linked_folder_inside_is_not_walked_twice(folder):
    (folder / "again").symlink_to(folder / "b")
    reports = {os.path.relpath(report.path, folder): report for report in scan_paths([folder])}
    assert [hit.rule.id for hit in reports["again"].hits] == ["link-outside"]
    assert "again/2.pkl" not in reports


def test_a_pipe_is_named_and_does_not_hold_the_scan_up(folder):
    os.mkfifo(folder / "pipe")
    report = next(report for report in scan_paths([folder]) if report.path.endswith("pipe"))
    assert [hit.rule.id for hit in report.hits] == ["special-file"]


def test_a_missing_path_is_an_error_before_anything_is_scanned(folder):
    with pytest.raises(UsageError) as caught:
        scan_paths([folder, folder / "missing"])
    assert caught.value.code == "HF-SCN-001"
    with pytest.raises(UsageError) as caught:
        scan(folder)
    assert caught.value.code == "HF-SCN-002"


def test_a_budget_that_is_spent_is_unknown(folder):
    path = folder / "many.pkl"
    path.write_bytes(pickle.dumps(list(range(10_000))))
    assert scan(path).verdict == "clean"
    report = scan(path, budget=Budget(opcodes=100))
    assert (report.verdict, report.hits[0].rule.id) == ("unknown", "budget")

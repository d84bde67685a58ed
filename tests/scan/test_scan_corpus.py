"""The labelled corpus of other people's files. Nothing in it is ever loaded; the scan is watched while it reads."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.scan import scan

pytestmark = pytest.mark.shared
WATCHED = Path(__file__).with_name("audited_scan.py")


@pytest.fixture(scope="module")
def corpus(shared):
    folder = shared / "corpus" / "artifacts"
    with (folder / "labels.csv").open() as file:
        return [(row, scan(folder / row["path"], hash=False)) for row in csv.DictReader(file)]


def test_scanning_imports_runs_and_writes_nothing(shared):
    done = subprocess.run(
        [sys.executable, str(WATCHED), str(shared / "corpus" / "artifacts")], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert told["files"] > 900
    assert told["events"] == []
    assert told["modules"] == []
    named = {
        "torch",
        "catboost",
        "sklearn",
        "pandas",
        "xgboost",
        "lightgbm",
        "joblib",
        "onnx",
        "antigravity",
        "idlelib",
    }
    assert not named & set(told["loaded"])


def test_no_byte_is_unaccounted_for(corpus):
    for row, report in corpus:
        seen = report.coverage
        assert seen.parsed + seen.skipped_by_shape + seen.unread == report.bytes == int(row["bytes"]), row["path"]
        assert report.verdict != "clean" or seen.unread == 0, row["path"]


def test_pickles_that_run_something_are_never_clean(corpus):
    family = ("pickle", "joblib", "torch", "numpy", "compressed-pickle", "pickle-renamed", "archive")
    inert = "nothing runs at load"
    passed = [
        row["path"]
        for row, report in corpus
        if row["label"] == "malicious" and row["format"] in family and inert not in row["technique"]
        and report.verdict in ("clean", "review")
    ]  # fmt: skip
    assert passed == []


def test_models_of_the_analysed_libraries_are_clean(corpus):
    family = ("joblib", "lightgbm", "xgboost", "numpy", "safetensors", "pickle", "torch", "keras", "savedmodel", "rds")
    marked = [
        row["path"]
        for row, report in corpus
        if row["label"] == "benign" and row["format"] in family and report.verdict != "clean"
    ]
    assert marked == []

"""Files made to cost more than they are long: every scan ends in time, whatever repeats, nests or points at itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.scan import FileReport, scan

MOST_S = 2.0
"""Processor time for a scan of any of these; each took ten times as long, or did not end, when it was written."""


@pytest.fixture
def cost(tmp_path: Path) -> Callable[[bytes], FileReport]:
    def look(data: bytes) -> FileReport:
        path = tmp_path / "file"
        path.write_bytes(data)
        begun = time.process_time()
        report = scan(path, hash=False)
        assert time.process_time() - begun < MOST_S
        coverage = report.coverage
        assert coverage.parsed + coverage.skipped_by_shape + coverage.unread == len(data)
        assert report.verdict != "clean" or not coverage.unread
        return report

    return look


@pytest.mark.parametrize(
    "text",
    [
        b"-eyJaaaaaaaa" * 60_000,
        b"curl " * 300_000,
        b"FROM a\nRUN " + b"curl " * 90 + b"|" + b" " * 1_000_000 + b"x\n",
        b"FROM a\nRUN " + b"eval " * 200_000,
        b"FROM a\nENV " + b"_" * 400_000,
        b"FROM a\nENV " + b"TOKEN_" * 100_000,
        b"a==1" + b"  ==1" * 30 + b" (\nb==2\n",
        b"a==1 " + b"--hash=x" * 30 + b" (\nb==2\n",
        (b"a @ " + b"@" * 1_900 + b"\n") * 1_200 + b"b==2\n",
    ],
)
def test_text_that_a_pattern_could_begin_in_everywhere(cost, text):
    cost(text)

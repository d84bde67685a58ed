"""The frame of pages: it allows its own style sheet and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re

from holdfast.core.report.page import figure, page, state, table
from holdfast.core.report.plot import Plot, Series

WORD = '"><script>alert(1)</script>'


def test_the_policy_names_the_very_sheet_of_the_page() -> None:
    text = page("t", [], style=".more{color:red}")
    (sheet,) = re.findall(r"<style>(.*)</style>", text, re.DOTALL)
    mark = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{mark}'" in text
    assert ".more{color:red}" in sheet


def test_nothing_of_a_page_needs_more_than_that() -> None:
    plot = Plot(WORD, WORD, "x", "y", "line", (Series(WORD, ((0.0, 1.0), (1.0, 2.0))),))
    text = page(WORD, [state(WORD), *table((WORD,), [(WORD,)]), *figure(plot)])
    assert "<script" not in text
    assert not re.search(r"\sstyle=|\son\w+=|\ssrc=|@import|url\(", text)


def test_a_figure_has_its_numbers() -> None:
    plot = Plot("Title", "What", "x", "y", "line", (Series("s", ((0.0, 0.25), (1.0, 0.5))),))
    text = "\n".join(figure(plot))
    assert "<td>0.25</td>" in text
    assert 'aria-label="Title"' in text

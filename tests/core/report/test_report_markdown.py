"""Markdown for step summaries: tables that hold, and words that stay words."""

from __future__ import annotations

import re
from typing import Any

from holdfast.core.report import render
from holdfast.core.report.markdown import MAX_ROWS


def rows(text: str) -> list[list[str]]:
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]


def test_a_gate_lists_every_reason_with_its_fix(samples: Any) -> None:
    text = render(samples.gate(), "markdown")
    assert text.startswith("## Holdfast gate: ❌ failed\n")
    assert "Blocked, as of 2026-01-05T09:00:00Z, valid until 2026-01-07T09:00:00Z." in text
    assert "| robust-recall | ❌ failed | recall is 0.05 | harden it |" in text
    assert "| ratchet | 🛈 note | no baseline | save one |" in text


def test_every_table_is_a_rectangle(samples: Any) -> None:
    for report in (samples.gate(), samples.audit(), samples.scan(), *samples.hostile_reports()):
        for table in re.findall(r"(?:^\|.*\n)+", render(report, "markdown"), flags=re.MULTILINE):
            assert len({len(row) for row in rows(table)}) == 1


def test_a_share_has_a_bar_beside_its_number(samples: Any) -> None:
    text = render(samples.audit(), "markdown")
    assert "| evasion.robust\\_recall | linf=0.005 | 0.23 | share | █████░░░░░░░░░░░░░░░ |" in text


def test_hostile_words_stay_words(samples: Any) -> None:
    for report in samples.hostile_reports():
        text = render(report, "markdown")
        assert all(character.isprintable() or character == "\n" for character in text)
        assert "<script>" not in text
        assert "http://" not in text
        assert "`" not in text
        assert not re.search(r"@me", text)
        assert not re.search(r"(?<!\\)\[x(?<!\\)\]", text)


def test_a_long_table_is_cut_and_says_so(samples: Any) -> None:
    text = render(samples.scan(*(samples.row("blocked", f"f{n}") for n in range(MAX_ROWS + 5))), "markdown")
    assert "5 more rows are not shown" in text
    assert "f199 " in text
    assert "f200 " not in text

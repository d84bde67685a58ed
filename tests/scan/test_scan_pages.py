"""Every rule of the scanner has its page and its row, and they say what the rule says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.cli.explain import page
from holdfast.scan import RULES, Rule

REPO = Path(__file__).resolve().parents[2]
PAGES = REPO / "src" / "holdfast" / "pages" / "scan"
SECTIONS = ["What it means", "Why it matters", "Before", "After"]


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {path.stem for path in PAGES.iterdir()} == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_says_what_the_rule_says(rule: Rule) -> None:
    lines = (PAGES / f"{rule.id}.md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# {rule.id}: {rule.title}"
    assert lines[2] == f"Verdict: **{rule.verdict}**. Fact: `{rule.kind}`. Technique: {rule.technique}."


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_page_shows_what_is_refused_and_what_passes(rule: Rule) -> None:
    text = (PAGES / f"{rule.id}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    _, means, why, before, after = re.split(r"^## .+$", text, flags=re.MULTILINE)
    assert len(means.split()) >= 4
    assert len(why.split()) >= 6
    for shown in (before, after):
        assert shown.count("```") == 2


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_row_of_the_table_says_what_the_rule_says(rule: Rule) -> None:
    table = (REPO / "docs" / "scan.md").read_text(encoding="utf-8")
    start = f"| `{rule.id}`{{ #{rule.id} }} | `{rule.kind}` | {rule.verdict} | {rule.title} |"
    row = next((line for line in table.splitlines() if line.startswith(start)), "")
    assert row.endswith(f"| {rule.technique} |")


def test_the_command_line_explains_a_rule() -> None:
    assert (page("keras-code") or "").startswith("# keras-code: holds a layer that runs code of its own")

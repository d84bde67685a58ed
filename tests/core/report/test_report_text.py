"""Text: complete without colour, the same words with it, and deaf to what names try to say to a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest

from holdfast.core.domain import Verdict
from holdfast.core.report import render

ESCAPE = re.compile(r"\033\[[0-9;]*m")

GATE = """\
FAILED  credit-default  sha256:aaaaaaaaaaaa
  policy baseline (sha256:bbbbbbbbbbbb), 2 of 4 rules passed
  failed  robust-recall: recall is 0.05
    fix: harden it
    next: holdfast audit credit-default
  unknown  known: no lock file
    fix: name one
  unknown  isolation: ran without (does not block at this tier)
    fix: see doctor
  note  ratchet: no baseline
    fix: save one

failed: blocked, 1 model, as of 2026-01-05T09:00:00Z, valid until 2026-01-07T09:00:00Z
"""

AUDIT = """\
credit-default  sha256:aaaaaaaaaaaa

check            status    time    shows
evasion.search   measured  cached  evasion.robust_recall 0.23 at linf=0.005 (share, n=200); MORE
scan.artifact    measured  0.5 s   scan.verdict: clean; import: os.system
deps.advisories  unknown   0.2 s   memory

high  robust-recall  AML.T0015 Evade AI Model
  recall is 0.05

1 model, 3 checks, 1 cached, 1 finding, as of 2026-01-05T09:00:00Z (checks 0.8 s; hashing apart: 0.40 s for 123.5 kB)
""".replace("MORE", "evasion.median_linf nan (train-range)")

SCAN = """\
blocked  models/a.pkl  (torch-zip, 1.1 GB)
  import: os.system in archive/data.pkl at byte 812
unknown  c.bin  (torch-zip, 1.1 GB)
  import: os.system in archive/data.pkl at byte 812
review  d.onnx  (torch-zip, 1.1 GB)
  import: os.system in archive/data.pkl at byte 812

4 files (4.3 GB): 1 blocked, 1 unknown, 1 review, 1 clean; inspecting 0.01 s, hashing 5.61 s
"""


def test_a_gate_reads_like_this(samples: Any) -> None:
    assert render(samples.gate(), "text") == GATE


def test_an_audit_reads_like_this(samples: Any) -> None:
    assert render(samples.audit(), "text") == AUDIT


def test_a_scan_reads_like_this(samples: Any) -> None:
    assert render(samples.scan(), "text") == SCAN


def test_colour_changes_no_word(samples: Any) -> None:
    painted = render(samples.gate(), "text", color=True)
    assert ESCAPE.search(painted)
    assert ESCAPE.sub("", painted) == GATE


def test_a_table_on_a_terminal_fits_it_and_says_the_same(samples: Any) -> None:
    drawn = ESCAPE.sub("", render(samples.audit(), "text", color=True, width=70))
    body = drawn.split("high  robust-recall")[0]
    assert max(len(line) for line in body.splitlines()) <= 70
    for word in ("evasion.search", "cached", "memory", "deps.advisories"):
        assert word in drawn


def test_plain_text_holds_no_escape_sequence(samples: Any) -> None:
    for report in (samples.gate(), samples.audit(), samples.scan()):
        assert "\033" not in render(report, "text")


@pytest.mark.parametrize("color", [False, True])
def test_hostile_words_cannot_act_on_the_terminal(samples: Any, color: bool) -> None:
    for report in samples.hostile_reports():
        text = ESCAPE.sub("", render(report, "text", color=color))
        assert all(character.isprintable() or character == "\n" for character in text)
        # The word's own escape sequence is spelt out, so it is not among those that were just taken away.
        assert "\\x1b[31m" in text


def test_a_gate_that_passes_says_that_it_may_go(samples: Any) -> None:
    passed = samples.model(Verdict.PASSED, (samples.note,), ())
    text = render(samples.gate(passed, verdict=Verdict.PASSED, exit_code=0), "text")
    assert text.splitlines()[-1].startswith("passed: may go, 1 model")


def test_a_file_with_many_facts_shows_the_first_and_counts_the_rest(samples: Any) -> None:
    from holdfast.core.domain import Fact

    many = [Fact("import", f"os.f{n}", n) for n in range(40)]
    text = render(samples.scan(samples.row("blocked", "a.pkl", *many)), "text")
    assert "os.f11" in text
    assert "os.f12" not in text
    assert "28 more facts" in text

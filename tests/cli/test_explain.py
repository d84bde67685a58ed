"""`explain` prints pages that are installed with the package."""

from __future__ import annotations

import pytest

from holdfast.cli.explain import topics
from holdfast.cli.main import run

ALL = [name for names in topics().values() for name in names]


@pytest.mark.parametrize("topic", ALL)
def test_every_page_can_be_shown(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", topic]) == 0
    assert topic in capsys.readouterr().out.splitlines()[0]


def test_case_does_not_matter_for_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "hf-cfg-001"]) == 0
    assert capsys.readouterr().out.startswith("# HF-CFG-001")


def test_without_a_topic_everything_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    listed = capsys.readouterr().out.split()
    assert set(ALL) <= set(listed)
    assert {"evasion.search", "robust-recall", "ratchet", "AML.T0015", "HF-CFG-001"} <= set(listed)


def test_a_rule_is_shown_as_it_is_written_with_its_technique(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "robust-recall"]) == 0
    text = capsys.readouterr().out
    assert "min: {medium: 0.05, high: 0.20}" in text
    assert "# AML.T0015: " in text
    assert "data-contract" not in text


@pytest.mark.parametrize("topic", ["HF-CFG-999", "../../core/errors", "..", "x" * 5000, "no.such", ""])
def test_an_unknown_topic_is_a_usage_error(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", topic]) == 2
    assert capsys.readouterr().err.startswith("error[HF-USE-004]")

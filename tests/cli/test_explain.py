"""`explain` prints pages that are installed with the package."""

from __future__ import annotations

import pytest

from holdfast.cli.explain import checks, error_codes
from holdfast.cli.main import run


@pytest.mark.parametrize("topic", [*error_codes(), *checks()])
def test_every_page_can_be_shown(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", topic]) == 0
    assert topic in capsys.readouterr().out.splitlines()[0]


def test_case_does_not_matter_for_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "hf-cfg-001"]) == 0
    assert capsys.readouterr().out.startswith("# HF-CFG-001")


def test_without_a_topic_everything_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    listed = capsys.readouterr().out.split()
    assert {*error_codes(), *checks()} <= set(listed)


@pytest.mark.parametrize("topic", ["HF-CFG-999", "../../core/errors", "..", "x" * 5000, "no.such", ""])
def test_an_unknown_topic_is_a_usage_error(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", topic]) == 2
    assert capsys.readouterr().err.startswith("error[HF-USE-004]")

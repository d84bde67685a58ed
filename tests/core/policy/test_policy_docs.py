"""The policy page shows a policy and a snapshot that are read as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.core.policy import Policy, Snapshot

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "concepts" / "policy.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_policy_on_the_page_is_sound() -> None:
    assert len(Policy.parse(block("yaml"), "the page").rules) == 3


def test_the_snapshot_on_the_page_is_read() -> None:
    hits = Snapshot.parse(block("json").encode(), "the page").hits("pkg:pypi/torch@2.5")
    assert hits is not None
    assert [hit.advisory.id for hit in hits] == ["PYSEC-2025-41"]


def test_the_code_on_the_page_runs() -> None:
    exec(compile(block("python"), "the page", "exec"), {})

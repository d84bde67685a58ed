"""YAML that reads back as what was meant."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.contract.mining.draft import yaml_rule, yaml_text


@given(st.text(max_size=20).filter(lambda text: not any(0xD800 <= ord(c) <= 0xDFFF for c in text)))
def test_any_text_survives_yaml(text: str) -> None:
    for layout in ("x: {{a: {}, b: 1}}", "x: [{}, 1]", "{}: 1"):
        found = yaml.safe_load(layout.format(yaml_text(text)))
        inner = found["x"] if "x" in found and layout[0] == "x" else next(iter(found))
        assert (inner["a"] if isinstance(inner, dict) else inner[0] if isinstance(inner, list) else inner) == text


def test_words_that_yaml_reads_otherwise_are_quoted() -> None:
    for word in ("yes", "No", "null", "on", "1", "1e5", "2024-01-01", "", "a b", ".inf", "~"):
        assert yaml.safe_load(f"[{yaml_text(word)}]") == [word]
    assert yaml_text("PAY_0") == "PAY_0"


def test_rules_are_written_plainly_where_that_is_safe() -> None:
    assert yaml_rule("a + b <= 3.5") == "a + b <= 3.5"
    for rule in ("-1 <= a", "`a: b` <= 1", "if a == 'x' then b > 0", "a <= 1 # no"):
        assert yaml.safe_load(f"{{rule: {yaml_rule(rule)}}}") == {"rule": rule}

"""SARIF of other tools: their dialects mean the same here, and a hostile report neither hides, reaches nor exhausts."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.errors import FormatError
from holdfast.scan import sarif
from holdfast.scan.sarif import Found, Imported, parse_sarif, read_sarif


def log(*results: dict[str, Any], rules: list[Any] | None = None, tool: str = "tool", **run: Any) -> bytes:
    driver = {"name": tool, **({} if rules is None else {"rules": rules})}
    return json.dumps(
        {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results), **run}]}
    ).encode()


def one(data: bytes) -> Found:
    (found,) = parse_sarif(data).found
    return found


def at(uri: str, line: int = 3) -> list[Any]:
    return [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}}]


SEMGREP = log(
    {"ruleId": "python.exec", "message": {"text": "exec of input"}, "locations": at("src/score.py", 12)},
    rules=[{"id": "other"}, {"id": "python.exec", "defaultConfiguration": {"level": "error"}}],
    tool="Semgrep OSS",
    invocations=[{"executionSuccessful": True}],
)
BANDIT = log(
    {
        "ruleId": "B301",
        "ruleIndex": 0,
        "level": "warning",
        "message": {"text": "pickle"},
        "locations": at("app/load.py", 7),
        "properties": {"issue_confidence": "HIGH", "issue_severity": "MEDIUM"},
    },
    rules=[{"id": "B301", "name": "blacklist"}],
    tool="Bandit",
)
TRIVY = log(
    {
        "ruleId": "CVE-2024-1",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "x"},
        "locations": at("usr/lib/x", 1),
    },
    rules=[{"id": "CVE-2024-1", "properties": {"security-severity": "9.8"}}],
    tool="Trivy",
)
CHECKOV = log(
    {"ruleId": "CKV_1", "level": "note", "message": {"markdown": "*root*"}, "locations": at("Dockerfile", 1)},
    rules=[{"id": "CKV_1", "properties": {"security-severity": 5}}],
    tool="checkov",
)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (SEMGREP, ("Semgrep OSS", "python.exec", "high", "src/score.py", 12, "exec of input")),
        (BANDIT, ("Bandit", "B301", "medium", "app/load.py", 7, "pickle")),
        (TRIVY, ("Trivy", "CVE-2024-1", "critical", "usr/lib/x", 1, "x")),
        (CHECKOV, ("checkov", "CKV_1", "medium", "Dockerfile", 1, "*root*")),
    ],
    ids=["semgrep", "bandit", "trivy", "checkov"],
)
def test_the_dialects_of_tools(data: bytes, wanted: tuple[str, str, str, str, int, str]) -> None:
    found = one(data)
    assert (found.tool, found.rule, found.severity, found.place, found.line, found.message) == wanted
    assert not found.suppressed
    assert parse_sarif(data).gaps == ()


@pytest.mark.parametrize(
    ("result", "rule", "severity"),
    [
        ({}, {}, "medium"),
        ({"level": "none"}, {}, "info"),
        ({"level": "harmless"}, {}, "medium"),
        ({"level": "note"}, {"properties": {"security-severity": "99"}}, "low"),
        ({"level": "note"}, {"properties": {"security-severity": "nan"}}, "low"),
        (
            {"level": "none", "properties": {"security-severity": "0.1"}},
            {"properties": {"security-severity": "8"}},
            "high",
        ),
    ],
)
def test_the_gravest_word_counts(result: dict[str, Any], rule: dict[str, Any], severity: str) -> None:
    assert one(log({"ruleId": "r", **result}, rules=[{"id": "r", **rule}])).severity == severity


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("./a/b%20c.py", "a/b c.py"),
        ("../../etc/passwd", "(outside) passwd"),
        ("a/%2e%2e/%2e%2e/x", "(outside) x"),
        ("file:///srv/build/x.py", "(outside) x.py"),
        ("C:\\secret\\x.py", "(outside) x.py"),
        ("/", "(outside)"),
        ("a\u202eyp.x\x1b[31m", "a\\u202eyp.x\\x1b[31m"),
    ],
)
def test_places_are_words_and_stay_inside(uri: str, place: str) -> None:
    assert one(log({"ruleId": "r", "locations": at(uri)})).place == place


def test_what_is_no_finding_and_what_was_accepted() -> None:
    quiet = [{"ruleId": "r", "kind": kind} for kind in ("pass", "notApplicable", "informational")]
    assert parse_sarif(log(*quiet)).found == ()
    accepted = {"ruleId": "r", "suppressions": [{"kind": "inSource"}]}
    assert one(log(accepted)).suppressed
    rejected = {"ruleId": "r", "suppressions": [{"kind": "inSource"}, {"kind": "external", "status": "rejected"}]}
    assert not one(log(rejected)).suppressed


@pytest.mark.parametrize(
    "data",
    [
        b'{"version": "2.1.0", "runs": []}',
        b'{"version": "2.1.0"}',
        b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t"}}}]}',
        log(invocations=[{"executionSuccessful": False}]),
        log(invocations=[{}]),
    ],
    ids=["no runs", "no list", "no results", "failed", "silent"],
)
def test_a_run_that_broke_off_is_not_a_clean_one(data: bytes) -> None:
    read = parse_sarif(data)
    assert read.found == ()
    assert read.gaps


def test_too_many_results_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 2)
    read = parse_sarif(log(*[{"ruleId": str(i)} for i in range(3)]))
    assert [found.rule for found in read.found] == ["0", "1"]
    assert read.gaps


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"version": "2.0.0", "runs": []}',
        b'{"version": "2.1.0", "runs": [], "runs": []}',
        b'{"version": "2.1.0", "runs": [NaN]}',
        b'{"version": "2.1.0", "runs": {}}',
        b'{"version": "2.1.0", "runs": [[]]}',
        b'{"version": "2.1.0", "runs": [{"tool": {}, "results": []}]}',
        b'{"version": "2.1.0", "runs": ' + b"[" * 100_000,
        b'{"version": "2.1.0", "n": ' + b"9" * 10_000 + b"}",
        b'"' + b'\\"' * 500_000,
        b"[" + b"0," * 2_100_000 + b"0]",
        log({"ruleId": "r", "locations": 5}),
        log(rules=[5]),
    ],
)
def test_what_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.sarif"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="HF-SCN-022"):
        read_sarif(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="HF-SCN-022"):
        read_sarif(tmp_path / "gone.sarif")


def test_brackets_in_texts_are_no_nesting() -> None:
    assert one(log({"ruleId": "r", "message": {"text": '{"[' * 500}})).message.startswith('{"[')
    assert one(log({"ruleId": "r", "message": {"text": 'a\\\\"{[' * 500}})).message.startswith("a")


def test_nesting_hides_in_no_text() -> None:
    with pytest.raises(ValueError, match="nested"):
        parse_sarif(b'{"version": "2.1.0", "a": "\\\\", "b": ' + b"[" * 70 + b"]" * 70 + b', "c": "x"}')


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                _KEYS := [
                    "tool",
                    "driver",
                    "name",
                    "rules",
                    "results",
                    "ruleId",
                    "ruleIndex",
                    "rule",
                    "id",
                    "level",
                    "message",
                    "text",
                    "locations",
                    "physicalLocation",
                    "artifactLocation",
                    "uri",
                    "suppressions",
                    "status",
                    "properties",
                    "security-severity",
                    "invocations",
                    "executionSuccessful",
                    "kind",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(st.lists(_JSON, max_size=3))
def test_any_runs_are_read_or_refused(runs: list[Any]) -> None:
    data = json.dumps({"version": "2.1.0", "runs": runs}).encode()
    with contextlib.suppress(ValueError):
        assert isinstance(parse_sarif(data), Imported)

"""The JSON that others read: exactly the keys of schema_version 1, in their order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.core.report import render

AUDIT_MODEL = ["model", "version", "results", "findings"]
GATE_MODEL = ["model", "version", "verdict", "reasons", "valid_until", "results", "findings"]
RESULT = [
    "check",
    "check_version",
    "observation_key",
    "status",
    "reason",
    "cached",
    "elapsed_s",
    "facts",
    "measurements",
]
MEASUREMENT = ["name", "value", "unit", "at", "n", "seed"]


def read(report: Any) -> Any:
    text = render(report, "json")
    assert text == render(report, "json")
    assert text.endswith("}\n")
    return json.loads(text, parse_constant=pytest.fail)


def test_an_audit_has_the_agreed_keys_and_values(samples: Any) -> None:
    value = read(samples.audit())
    assert list(value) == ["schema_version", "as_of", "models"]
    assert (value["schema_version"], value["as_of"]) == (1, "2026-01-05T09:00:00Z")
    (model,) = value["models"]
    assert list(model) == AUDIT_MODEL
    assert [list(result) for result in model["results"]] == [RESULT] * 3
    search, scan, blind = model["results"]
    assert list(search["measurements"][0]) == MEASUREMENT
    assert search["measurements"][0] == {
        "name": "evasion.robust_recall",
        "value": 0.23,
        "unit": "share",
        "at": {"linf": 0.005},
        "n": 200,
        "seed": 0,
    }
    assert (search["cached"], search["elapsed_s"], scan["elapsed_s"]) == (True, 0.0, 0.5)
    assert (blind["status"], blind["reason"], blind["observation_key"]) == ("unknown", "memory", None)
    assert model["findings"] == [
        {
            "fingerprint": samples.finding().fingerprint,
            "rule": "robust-recall",
            "severity": "high",
            "technique": "AML.T0015",
        }
    ]


def test_what_is_no_number_is_null(samples: Any) -> None:
    assert read(samples.audit())["models"][0]["results"][0]["measurements"][1]["value"] is None


def test_a_fact_has_four_keys_and_its_detail_where_there_is_one(samples: Any) -> None:
    facts = read(samples.audit())["models"][0]["results"][1]["facts"]
    assert facts[0] == {"kind": "scan.verdict", "value": "clean", "offset": None, "member": None}
    assert facts[1] == {"kind": "import", "value": "os.system", "offset": 812, "member": "data.pkl", "detail": "called"}


def test_a_gate_adds_verdict_reasons_and_expiry(samples: Any) -> None:
    value = read(samples.gate())
    assert list(value) == ["schema_version", "as_of", "verdict", "reasons", "valid_until", "models"]
    assert (value["verdict"], value["valid_until"]) == ("failed", "2026-01-07T09:00:00Z")
    assert list(value["models"][0]) == GATE_MODEL
    assert value["reasons"][0] == {
        "rule": "robust-recall",
        "why": "recall is 0.05",
        "fix": "harden it",
        "next_command": "holdfast audit credit-default",
    }
    assert value["reasons"] == value["models"][0]["reasons"]


def test_a_scan_has_one_row_per_file(samples: Any) -> None:
    value = read(samples.scan())
    assert list(value) == ["schema_version", "files"]
    first = value["files"][0]
    assert list(first) == ["path", "sha256", "format", "verdict", "inspect_ms", "hash_ms", "bytes", "coverage", "facts"]
    assert first["coverage"] == {"parsed": 912, "skipped_by_shape": 10, "unread": 0}
    assert first["facts"] == [{"kind": "import", "value": "os.system", "offset": 812, "member": "archive/data.pkl"}]
    assert [item["verdict"] for item in value["files"]] == ["blocked", "clean", "unknown", "review"]


def test_no_byte_of_the_text_can_act_on_a_terminal(samples: Any) -> None:
    for report in samples.hostile_reports():
        text = render(report, "json")
        assert text.isascii()
        assert all(character.isprintable() or character == "\n" for character in text)
        json.loads(text)


@pytest.mark.parametrize(
    ("verdicts", "review", "code"),
    [
        ([], False, 0),
        (["clean"], False, 0),
        (["clean", "review"], False, 0),
        (["review"], True, 1),
        (["unknown", "clean"], False, 3),
        (["unknown", "blocked"], False, 1),
        (["odd"], False, 3),
        (["unknown", "review"], True, 1),
    ],
)
def test_the_exit_code_of_a_scan(samples: Any, verdicts: list[str], review: bool, code: int) -> None:
    from holdfast.core.report import ScanReport

    report = ScanReport(tuple(samples.row(word) for word in verdicts))
    assert report.exit_code(fail_on_review=review) == code

"""SARIF 2.1.0: the structure the standard asks for, the limits GitHub sets."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

import pytest

from holdfast.core.domain import Fact, Reason, Severity, Verdict
from holdfast.core.report import FileRow, ScanReport, render
from holdfast.core.report import sarif as module

LEVELS = {"none", "note", "warning", "error"}


def check(text: str) -> dict[str, Any]:
    """The run of a log whose structure is sound."""
    log = json.loads(text, parse_constant=pytest.fail)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith(".json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    rules = driver["rules"]
    assert driver["name"] == "Holdfast"
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert len(rule["properties"]["tags"]) <= 20
        assert 0.0 <= float(rule["properties"]["security-severity"]) <= 10.0
    for result in run["results"]:
        check_result(result, rules)
    assert isinstance(run["invocations"][0]["executionSuccessful"], bool)
    return dict(run)


def check_result(result: dict[str, Any], rules: list[dict[str, Any]]) -> None:
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["message"]["text"]
    assert len(result["message"]["text"]) < 1_100
    assert result["level"] in LEVELS
    # The standard: a kind other than "fail" goes with level "none".
    assert (result["kind"] == "fail") != (result["level"] == "none")
    assert re.fullmatch(r"[0-9a-f]{32}:1", result["partialFingerprints"]["primaryLocationLineHash"])
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"]["startLine"] >= 1
    for place in (*result["locations"], *result.get("relatedLocations", [])):
        check_uri(place["physicalLocation"]["artifactLocation"]["uri"])


def check_uri(uri: str) -> None:
    assert uri.isascii()
    assert re.fullmatch(r"[A-Za-z0-9\-._~%/:+!$&'()*,;=@]+", uri)
    assert urlparse(uri).scheme in ("", "file")


def test_findings_lie_at_the_manifest_with_the_artifact_beside_them(samples: Any) -> None:
    run = check(render(samples.audit(), "sarif"))
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "holdfast.yaml"}, "region": {"startLine": 3}}
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "models/model.ubj"
    assert (result["level"], result["kind"]) == ("error", "fail")
    assert result["partialFingerprints"]["holdfast/v1"] == samples.finding().fingerprint
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["properties"]["security-severity"] == "7.0"
    assert "AML.T0015" in rule["properties"]["tags"]
    assert rule["helpUri"] == "https://atlas.mitre.org/techniques/AML.T0015"


def test_a_gate_shows_what_is_open_and_how_it_ended(samples: Any) -> None:
    run = check(render(samples.gate(), "sarif"))
    kinds = [(result["ruleId"], result["kind"]) for result in run["results"]]
    assert kinds == [("robust-recall", "fail"), ("known", "open"), ("isolation", "open")]
    assert run["invocations"][0]["exitCode"] == 1


@pytest.mark.parametrize(
    ("severity", "level", "score"),
    [
        (Severity.CRITICAL, "error", "9.0"),
        (Severity.HIGH, "error", "7.0"),
        (Severity.MEDIUM, "warning", "4.0"),
        (Severity.LOW, "note", "2.0"),
        (Severity.INFO, "note", "0.0"),
    ],
)
def test_severity_becomes_level_and_score(samples: Any, severity: Severity, level: str, score: str) -> None:
    model = samples.model(findings=(samples.finding(severity=severity),))
    run = check(render(samples.audit(model), "sarif"))
    assert run["results"][0]["level"] == level
    assert run["tool"]["driver"]["rules"][0]["properties"]["security-severity"] == score


def test_a_rule_takes_the_score_of_its_gravest_result(samples: Any) -> None:
    found = [samples.finding(severity=word, fingerprint=f"sha256:{n:064x}") for n, word in enumerate(Severity)]
    run = check(render(samples.audit(samples.model(findings=tuple(found))), "sarif"))
    assert [rule["properties"]["security-severity"] for rule in run["tool"]["driver"]["rules"]] == ["9.0"]


def test_a_scan_places_results_at_their_files(samples: Any) -> None:
    run = check(render(samples.scan(), "sarif"))
    places = [item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for item in run["results"]]
    assert sorted(places) == ["c.bin", "d.onnx", "models/a.pkl"]
    assert "os.system at byte 812" in run["results"][0]["message"]["text"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü#?.pkl", "a%20b/%C3%BC%23%3F.pkl"),
        ("./x.pkl", "x.pkl"),
        ("/srv/x.pkl", "file:///srv/x.pkl"),
        ("C:\\m\\x.pkl", "file:///C:/m/x.pkl"),
        ("bad\udcff.pkl", "bad%FF.pkl"),
        ("worse\ud800.pkl", "worse%ED%A0%80.pkl"),
        ("a\\b:c.pkl", "a%5Cb%3Ac.pkl"),
        ("a\n\x1b.pkl", "a%0A%1B.pkl"),
    ],
)
def test_paths_become_uri_references(samples: Any, path: str, uri: str) -> None:
    run = check(render(samples.scan(samples.row("blocked", path)), "sarif"))
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_fingerprints_do_not_depend_on_wording_severity_or_version(samples: Any) -> None:
    one = check(render(samples.gate(), "sarif"))
    other = samples.model(
        findings=(samples.finding(message="other words", severity=Severity.LOW),), version="sha256:zz"
    )
    two = check(render(samples.gate(other), "sarif"))
    marks = [
        {result["ruleId"]: result["partialFingerprints"]["holdfast/v1"] for result in run["results"]}
        for run in (one, two)
    ]
    assert marks[0] == marks[1]


def test_too_many_results_are_cut_with_the_gravest_kept_and_said(samples: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RESULTS", 10)
    rows = [samples.row("review", f"r{n}") for n in range(20)] + [samples.row("blocked", f"b{n}") for n in range(5)]
    run = check(render(samples.scan(*rows), "sarif"))
    assert [result["ruleId"] for result in run["results"]] == ["scan.blocked"] * 5 + ["scan.review"] * 5
    assert "15 results" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def test_hostile_words_stay_words(samples: Any) -> None:
    for report in samples.hostile_reports():
        text = render(report, "sarif")
        assert text.isascii()
        check(text)


def test_a_clean_report_is_a_log_without_results(samples: Any) -> None:
    passed = samples.model(Verdict.PASSED, (), ())
    assert check(render(samples.gate(passed, verdict=Verdict.PASSED, exit_code=0), "sarif"))["results"] == []


def test_what_a_verdict_owes_to_additions_is_told_and_is_no_finding(samples: Any) -> None:
    said = Reason("names", Verdict.PASSED, "judged with acme.Scorer added by this policy", "train it anew", None, False)
    gated = samples.gate()
    (model,) = gated.audit.models
    judged = replace(model.judgement, reasons=(*model.judgement.reasons, said))
    audit = replace(gated.audit, models=(replace(model, judgement=judged),))
    results = check(render(replace(gated, audit=audit), "sarif"))["results"]
    (told,) = (result for result in results if result["ruleId"] == "names")
    assert (told["kind"], told["level"]) == ("informational", "none")
    assert "acme.Scorer added" in told["message"]["text"]
    row = FileRow("a.pkl", None, "pickle", "clean", 1.0, 0.0, 9, {}, (Fact("scan.addition", "acme.Scorer"),))
    plain = replace(row, path="b.pkl", facts=(Fact("import", "numpy.ndarray"),))
    (told,) = check(render(ScanReport((row, plain)), "sarif"))["results"]
    assert (told["ruleId"], told["kind"], told["level"]) == ("scan.added", "informational", "none")

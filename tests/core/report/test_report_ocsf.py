"""OCSF events are what a structural schema of Detection Finding (class 2004, version 1.8) demands.

The schema is written by us from the published class: required attributes, types, and enumerations that belong together.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.domain.response import Notice
from holdfast.core.report.ocsf import OCSF_VERSION, detection_finding

MOMENT = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
MILLIS = {"type": "integer", "minimum": 946684800000, "maximum": 4102444800000}
TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1}
TECHNIQUE = {
    "type": "object",
    "properties": {"uid": {"type": "string"}, "name": TEXT, "src_url": {"type": "string", "pattern": "^https://"}},
    "required": ["uid"],
    "additionalProperties": False,
}
ANALYTIC = {
    "type": "object",
    "properties": {"type_id": {"enum": [0, 1, 2, 3, 4, 5, 99]}, "type": TEXT, "name": TEXT, "uid": TEXT},
    "required": ["type_id"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "activity_id": {"enum": [0, 1, 2, 3, 99]},
        "activity_name": TEXT,
        "category_uid": {"const": 2},
        "category_name": {"const": "Findings"},
        "class_uid": {"const": 2004},
        "class_name": {"const": "Detection Finding"},
        "type_uid": {"enum": [200400, 200401, 200402, 200403, 200499]},
        "type_name": TEXT,
        "time": MILLIS,
        "severity_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
        "severity": TEXT,
        "status_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
        "status": TEXT,
        "is_alert": {"type": "boolean"},
        "message": TEXT,
        "metadata": {
            "type": "object",
            "properties": {
                "version": {"const": OCSF_VERSION},
                "uid": NAME,
                "correlation_uid": TEXT,
                "labels": {"type": "array", "items": TEXT},
                "product": {
                    "type": "object",
                    "properties": {"name": NAME, "vendor_name": NAME, "version": NAME},
                    "required": ["vendor_name"],
                    "additionalProperties": False,
                },
            },
            "required": ["version", "product"],
            "additionalProperties": False,
        },
        "finding_info": {
            "type": "object",
            "properties": {
                "uid": TEXT,
                "title": TEXT,
                "types": {"type": "array", "items": TEXT},
                "created_time": MILLIS,
                "first_seen_time": MILLIS,
                "last_seen_time": MILLIS,
                "analytic": ANALYTIC,
                "related_analytics": {"type": "array", "items": ANALYTIC},
                "attacks": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"technique": TECHNIQUE, "sub_technique": TECHNIQUE},
                        "anyOf": [{"required": ["technique"]}, {"required": ["sub_technique"]}],
                        "additionalProperties": False,
                    },
                },
                "related_events": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"uid": TEXT}, "required": ["uid"]},
                },
            },
            "required": ["uid"],
            "additionalProperties": False,
        },
        "resources": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"uid": TEXT, "name": TEXT, "type": TEXT, "version": TEXT, "criticality": TEXT},
                "additionalProperties": False,
            },
        },
        "unmapped": {"type": "object"},
    },
    "required": [
        "activity_id",
        "category_uid",
        "class_uid",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    ],
    "additionalProperties": False,
}
jsonschema.Draft202012Validator.check_schema(SCHEMA)
READER = jsonschema.Draft202012Validator(SCHEMA)


def event(state: str = "raised", kind: str = "alert", **body: Any) -> dict[str, Any]:
    ordinary = {
        "alert": "alr_1",
        "title": "near-duplicate queries climb",
        "message": "they climb",
        "model": "card-fraud",
        "version": "sha256:1",
        "tier": "high",
        "technique": "AML.T0024.002",
        "severity": "high",
        "detectors": ["near-duplicates", "budget"],
        "events": ["e1"],
        "started_at": "2026-01-05T08:58:00Z",
        "last_at": "2026-01-05T09:00:00Z",
        "clients": ["c1"],
        "incident": None,
    }
    found = detection_finding(Notice(kind, "alr_1", state, MOMENT, "amber", {**ordinary, **body}), version="0.1.0")
    READER.validate(found)
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    return found


def test_an_alert_is_a_new_finding_with_its_atlas_technique() -> None:
    found = event()
    assert (found["activity_name"], found["status"], found["is_alert"]) == ("Create", "New", True)
    assert found["time"] == 1767603600123
    [attack] = found["finding_info"]["attacks"]
    assert (attack["technique"]["uid"], attack["sub_technique"]["uid"]) == ("AML.T0024", "AML.T0024.002")
    assert found["finding_info"]["first_seen_time"] == 1767603480000
    assert found["metadata"]["labels"] == ["tlp:amber"]
    assert found["unmapped"]["clients"] == ["c1"]
    assert "incident" not in found["unmapped"]


def test_one_story_has_one_finding_id_and_each_notice_its_own() -> None:
    raised, closed = event("raised"), event("withdrawn")
    assert raised["finding_info"]["uid"] == closed["finding_info"]["uid"] == "alr_1"
    assert raised["metadata"]["uid"] != closed["metadata"]["uid"]
    assert (closed["activity_name"], closed["status"], closed["is_alert"]) == ("Close", "Resolved", False)
    assert event("raised") == raised


@pytest.mark.parametrize("state", ["raised", "waiting", "undone", "withdrawn", "test", "something new"])
@pytest.mark.parametrize("severity", ["info", "low", "medium", "high", "critical", "odd", None, 3])
def test_every_state_and_severity_has_a_place(state: str, severity: object) -> None:
    found = event(state, severity=severity)
    assert (found["severity_id"] == 0) is (severity in ("odd", None, 3))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("alert", "title", "message", "model", "technique", "severity", "detectors", "events", "clients", "other")


@given(st.dictionaries(st.sampled_from(KEYS), json_values), st.text(max_size=10), st.text(min_size=1, max_size=10))
def test_whatever_a_body_holds_the_event_is_well_formed(body: dict[str, Any], kind: str, state: str) -> None:
    READER.validate(detection_finding(Notice(kind, "x", state, MOMENT, "odd", body), version="0.1.0"))


def test_what_the_schema_forbids_would_be_noticed() -> None:
    for broken in ({"class_uid": 2003}, {"time": "now"}, {"extra": 1}, {"finding_info": {}}):
        with pytest.raises(jsonschema.ValidationError):
            READER.validate({**event(), **broken})

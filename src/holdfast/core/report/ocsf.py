"""Notices as OCSF Detection Findings (class 2004), the form most SIEM read. Written against OCSF 1.8.

An alert and what becomes of it are one finding: `finding_info.uid` stays, `metadata.uid` is the notice's own id, so a
receiver drops doubles by the one and follows the story by the other. What OCSF has no word for is under `unmapped`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from holdfast.core.domain.clock import from_iso
from holdfast.core.domain.response import Notice
from holdfast.core.domain.severity import Severity

OCSF_VERSION: Final = "1.8.0"
CLASS_UID: Final = 2004
SEVERITIES: Final = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
ACTIVITIES: Final = {
    "raised": (1, "Create", 1, "New"),
    "waiting": (2, "Update", 2, "In Progress"),
    "undone": (2, "Update", 2, "In Progress"),
    "withdrawn": (3, "Close", 4, "Resolved"),
    "test": (1, "Create", 3, "Suppressed"),
}
"""State of a notice -> activity and status of the finding. Unknown states are updates."""

ATLAS_URL: Final = "https://atlas.mitre.org/techniques/"
MAPPED: Final = frozenset(
    {"title", "message", "model", "version", "tier", "technique", "technique_name", "severity", "detectors", "events"}
    | {"started_at", "last_at", "alert"}
)


def detection_finding(notice: Notice, *, version: str) -> dict[str, Any]:
    """The notice as an OCSF 2004 event. `version`: of the product that tells."""
    body = notice.body
    activity, activity_name, status, status_name = ACTIVITIES.get(notice.state, ACTIVITIES["waiting"])
    severity, severity_name = _severity(body)
    return {
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity,
        "type_name": f"Detection Finding: {activity_name}",
        "time": _millis(notice.at),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "is_alert": notice.state == "raised",
        "message": _words(body, "message") or _words(body, "title") or notice.kind,
        "metadata": _metadata(notice, version),
        "finding_info": _finding_info(notice),
        "resources": _resources(body),
        "unmapped": _unmapped(notice),
    }


def _metadata(notice: Notice, version: str) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": notice.id,
        "correlation_uid": notice.subject,
        "product": {"name": "Holdfast", "vendor_name": "Holdfast", "version": version},
        "labels": [f"tlp:{notice.tlp}"],
    }


def _finding_info(notice: Notice) -> dict[str, Any]:
    body = notice.body
    found: dict[str, Any] = {
        "uid": _words(body, "alert") or notice.subject,
        "title": _words(body, "title") or notice.kind,
        "types": [f"ai-model-{notice.kind}"],
        "created_time": _millis(notice.at),
    }
    if attack := _attack(body):
        found["attacks"] = [attack]
    for name, key in (("first_seen_time", "started_at"), ("last_seen_time", "last_at")):
        if (text := _words(body, key)) is not None:
            found[name] = _millis(from_iso(text))
    if detectors := [str(name) for name in _list(body, "detectors")]:
        first, *others = ({"type_id": 2, "type": "Behavioral", "name": name, "uid": name} for name in detectors)
        found |= {"analytic": first, "related_analytics": others}
    if events := _list(body, "events"):
        found["related_events"] = [{"uid": str(uid)} for uid in events]
    return found


def _attack(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The ATLAS technique; a sub-technique is named beside its parent."""
    technique = _words(body, "technique")
    if technique is None:
        return None
    parent = ".".join(technique.split(".")[:2])
    names = {technique: _words(body, "technique_name") or technique}
    found: dict[str, Any] = {"technique": _named(parent, names)}
    if technique != parent:
        found["sub_technique"] = _named(technique, names)
    return found


def _named(technique: str, names: Mapping[str, str]) -> dict[str, str]:
    """Readers want a name beside the id; where none is known the id is the name."""
    return {"uid": technique, "name": names.get(technique, technique), "src_url": ATLAS_URL + technique}


def _resources(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    model = _words(body, "model")
    if model is None:
        return []
    found: dict[str, Any] = {"uid": model, "name": model, "type": "AI model"}
    found |= {
        key: body[source] for key, source in (("version", "version"), ("criticality", "tier")) if body.get(source)
    }
    return [found]


def _unmapped(notice: Notice) -> dict[str, Any]:
    rest = {key: value for key, value in notice.body.items() if key not in MAPPED and value not in (None, [], ())}
    return {"notice_kind": notice.kind, "notice_state": notice.state, **rest}


def _severity(body: Mapping[str, Any]) -> tuple[int, str]:
    word = body.get("severity")
    return SEVERITIES[Severity(word)] if word in list(Severity) else (0, "Unknown")


def _words(body: Mapping[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) and value else None


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    return list(value) if isinstance(value, list | tuple) else []


def _millis(moment: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return int(moment.timestamp() * 1000)

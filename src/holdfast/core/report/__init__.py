"""Reports: what was seen and decided, as text, JSON, SARIF, JUnit and Markdown. Everything hostile is escaped."""

from holdfast.core.report.documents import (
    AcceptedFinding,
    AuditReport,
    CheckResult,
    FileRow,
    GateReport,
    ModelReport,
    NamesUsed,
    Report,
    ScanReport,
)
from holdfast.core.report.render import FORMATS, render

__all__ = [
    "FORMATS",
    "AcceptedFinding",
    "AuditReport",
    "CheckResult",
    "FileRow",
    "GateReport",
    "ModelReport",
    "NamesUsed",
    "Report",
    "ScanReport",
    "render",
]

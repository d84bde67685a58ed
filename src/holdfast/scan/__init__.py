"""What a model file contains and what loading it would do, without loading it."""

from holdfast.scan.inspect import Budget
from holdfast.scan.report import Coverage, FileReport
from holdfast.scan.rules import RULES, Hit, Rule, ScanVerdict, judge, verdict_of
from holdfast.scan.walk import scan, scan_paths

__all__ = [
    "RULES",
    "Budget",
    "Coverage",
    "FileReport",
    "Hit",
    "Rule",
    "ScanVerdict",
    "judge",
    "scan",
    "scan_paths",
    "verdict_of",
]

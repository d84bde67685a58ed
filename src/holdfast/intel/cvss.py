"""CVSS vectors as severities. Version 3.x by FIRST's formula (first.org/cvss/v3.1/specification-document, section 7).

A version 4 vector is scored by the 3.1 formula on the metrics the two share: an estimate of the class, no more.
"""

from __future__ import annotations

import math
from typing import Final

from holdfast.core.domain.severity import Severity

_AV: Final = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_AC: Final = {"L": 0.77, "H": 0.44}
_PR: Final = {False: {"N": 0.85, "L": 0.62, "H": 0.27}, True: {"N": 0.85, "L": 0.68, "H": 0.5}}
_UI: Final = {"N": 0.85, "R": 0.62, "P": 0.62, "A": 0.62}
_CIA: Final = {"H": 0.56, "L": 0.22, "N": 0.0}
MAX_VECTOR: Final = 300


def severity_of(vector: str) -> Severity | None:
    """The class of a vector's base score; None where it cannot be read."""
    score = base_score(vector)
    return None if score is None else rated(score)


def rated(score: float) -> Severity:
    """The qualitative scale (section 5); none is info."""
    for least, severity in (
        (9.0, Severity.CRITICAL),
        (7.0, Severity.HIGH),
        (4.0, Severity.MEDIUM),
        (0.1, Severity.LOW),
    ):
        if score >= least:
            return severity
    return Severity.INFO


def base_score(vector: str) -> float | None:
    """The base score of a version 3.x vector, 0 to 10; of a version 4 vector an estimate."""
    head, _, rest = vector[:MAX_VECTOR].partition("/")
    metrics = dict(part.split(":", 1) for part in rest.split("/") if ":" in part)
    if head.startswith("CVSS:4."):
        metrics = _as_version_3(metrics)
    elif not head.startswith("CVSS:3."):
        return None
    try:
        return _score(metrics)
    except KeyError:
        return None


def _as_version_3(metrics: dict[str, str]) -> dict[str, str]:
    beyond = any(metrics.get(name, "N") != "N" for name in ("SC", "SI", "SA"))
    hard = metrics.get("AC") == "H" or metrics.get("AT") == "P"
    shared: dict[str, str] = {name: metrics[name] for name in ("AV", "PR", "UI") if name in metrics}
    impact = {name: metrics[f"V{name}"] for name in "CIA" if f"V{name}" in metrics}
    return {**shared, **impact, "AC": "H" if hard else "L", "S": "C" if beyond else "U"}


def _score(metrics: dict[str, str]) -> float:
    changed = {"U": False, "C": True}[metrics["S"]]
    spared = math.prod(1 - _CIA[metrics[name]] for name in "CIA")
    base = 1 - spared
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    ease = 8.22 * _AV[metrics["AV"]] * _AC[metrics["AC"]] * _PR[changed][metrics["PR"]] * _UI[metrics["UI"]]
    if impact <= 0:
        return 0.0
    return _round_up(min((1.08 if changed else 1.0) * (impact + ease), 10.0))


def _round_up(value: float) -> float:
    """To one decimal, upward (appendix A: in integers, so that 4.02 does not become 4.1 by binary chance)."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10

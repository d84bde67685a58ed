"""What every benchmark prints: measured values, each beside its rival and its target."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """What a value has to be."""

    op: str
    value: float

    def met(self, value: float) -> bool:
        return value >= self.value if self.op == ">=" else value <= self.value


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured value; `rival` and its value are None where none was measured."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    rival: str | None = None
    rival_value: float | None = None


def report(metrics: Sequence[Metric], path: Path | None) -> int:
    """Print a table, write JSON where asked; 1 if a target is missed, else 0."""
    for metric in metrics:
        assert math.isfinite(metric.value), metric
        wanted = f"{metric.target.op} {metric.target.value:g}" if metric.target else ""
        verdict = "" if metric.target is None else ("met" if metric.target.met(metric.value) else "MISSED")
        rival = f"{metric.rival}: {metric.rival_value:.6g}" if metric.rival_value is not None else ""
        print(f"{metric.name:44} {metric.value:12.6g} {metric.unit:7} {wanted:10} {verdict:7} {rival}")
    if path is not None:
        path.write_text(json.dumps({"metrics": [asdict(metric) for metric in metrics]}, indent=2) + "\n")
    return int(any(metric.target is not None and not metric.target.met(metric.value) for metric in metrics))

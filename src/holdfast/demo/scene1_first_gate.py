"""Scene 1: the bank's first morning. Two models are registered, audited and gated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from holdfast.core.domain.clock import Clock
from holdfast.core.settings import MANIFEST_NAME, Settings
from holdfast.demo.bank import INTEL_NAME, build
from holdfast.demo.cast import FIRST_DAY

if TYPE_CHECKING:
    from holdfast.app import Judged
    from holdfast.audit.reconcile import Watcher
    from holdfast.gate import Decision

BETWEEN_RUNS = timedelta(minutes=1)
"""Simulated time between two runs of the demo: longer than any lease, so that a killed run holds nothing up."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the scene ended, and where."""

    folder: Path
    judged: Judged
    decision: Decision
    elapsed_s: float

    @property
    def evening(self) -> datetime:
        """A simulated moment after the run, at which the gate can be asked again."""
        return max(item.as_of for item in self.judged.judgements).replace(hour=18, minute=0, second=0, microsecond=0)

    @property
    def fresh(self) -> int:
        """Results computed in this run; the others were there already."""
        return sum(not result.cached for model in self.judged.audit.models for result in model.results)


def play(folder: Path, seed: int, *, say: Callable[[str], None], watch: Watcher, settings: Settings) -> Ending:
    """Build the bank in `folder` where it is not there yet; register, audit and gate all its models."""
    from holdfast.app import Holdfast
    from holdfast.gate import decide

    started = monotonic()
    stamp = build(folder, seed, say)
    here = settings.model_copy(
        update={"config": folder / MANIFEST_NAME, "home": None, "intel": folder / INTEL_NAME, "database": None}
    )
    with Holdfast.open(here, clock=_simulated_clock(FIRST_DAY + stamp.runs * BETWEEN_RUNS)) as holdfast:
        first = "; on a new machine kernels are compiled first, about half a minute" if stamp.runs == 0 else ""
        say(f"registering and auditing {len(holdfast.manifest.subjects)} models{first}")
        judged = holdfast.audit(seed=seed, watch=watch)
        say("gating them under their policies")
        decision = decide(judged.judgements)
    return Ending(folder, judged, decision, monotonic() - started)


def _simulated_clock(start: datetime) -> Clock:
    """Time runs as fast as ours, but from `start`."""
    origin = monotonic()
    return lambda: start + timedelta(seconds=monotonic() - origin)

"""Which packages the model's lock file pins; the policy joins them with known advisories at judgement."""

from __future__ import annotations

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation


@check(id="deps.advisories", version=3, needs=("lock",), covers=("AML.T0010",))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """One `package` fact (a purl) per pinned package; `package.unpinned` for lines that pin nothing.

    `package.lookalike` names what, pinned or not, has a name that looks like a well-known one's, and how.
    """
    from holdfast.scan.lockfile import read_lock
    from holdfast.scan.lookalikes import near_names

    assert target.parts.lock is not None
    lock = read_lock(target.parts.lock)
    lookalikes = [
        Fact("package.lookalike", near.way, member=purl, detail=f"looks like {near.known}")
        for purl, _, near in near_names(lock)
    ]
    return Observation.of(
        [Fact("package", package.purl) for package in lock.packages],
        [Fact("package.unpinned", line.text, detail=f"line {line.number}") for line in lock.unpinned],
        lookalikes,
        Measurement("deps.packages", len(lock.packages), "packages"),
        Measurement("deps.lookalikes", len(lookalikes), "packages"),
    )

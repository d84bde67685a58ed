"""Which packages the model's lock file pins; the policy joins them with known advisories at judgement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    from holdfast.scan.packages import Lock


@check(id="deps.advisories", version=2, needs=("lock",), covers=("AML.T0010",))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """One `package` fact (a purl) per pinned package; `package.unpinned` for lines that pin nothing.

    `package.lookalike` names packages whose name looks like a well-known one's, and how.
    """
    from holdfast.scan.lockfile import read_lock

    assert target.parts.lock is not None
    lock = read_lock(target.parts.lock)
    lookalikes = list(_lookalikes(lock))
    return Observation.of(
        [Fact("package", package.purl) for package in lock.packages],
        [Fact("package.unpinned", line.text, detail=f"line {line.number}") for line in lock.unpinned],
        lookalikes,
        Measurement("deps.packages", len(lock.packages), "packages"),
        Measurement("deps.lookalikes", len(lookalikes), "packages"),
    )


def _lookalikes(lock: Lock) -> Iterator[Fact]:
    from holdfast.scan.lookalikes import likeness

    for package in lock.packages:
        near = likeness(package.name) if package.kind == "pypi" else None
        if near is not None:
            yield Fact("package.lookalike", near.way, member=package.purl, detail=f"looks like {near.known}")

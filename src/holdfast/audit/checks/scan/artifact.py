"""What is in the model file: the scanner's facts and verdict, and what kind of model it is."""

from __future__ import annotations

from holdfast.audit.interface import Budget, NoParams, check
from holdfast.audit.target import Target
from holdfast.core.domain.observation import Fact, Observation
from holdfast.core.errors import FormatError

MAX_FACTS = 2_000


@check(id="scan.artifact", version=4, needs=("artifact",), covers=("AML.T0010", "AML.T0011"))
def observe(target: Target, params: NoParams, budget: Budget) -> Observation:  # noqa: ARG001
    """The scanner's facts on the artifact, its verdict, and whether it reads as trees or as a net."""
    from holdfast.scan import scan
    from holdfast.scan.again import DROPPED, concluded
    from holdfast.scan.allowlist import Allowlist

    # What is beside the artifact is in no key, so it may not decide what is remembered of these bytes.
    report = scan(target.parts.artifact, hash=False, neighbours=False)
    kept = report.facts[:MAX_FACTS]
    dropped = len(report.facts) - len(kept)
    more = [Fact(DROPPED, dropped)] if dropped else []
    # By the list inside, and no site's additions: those judge what is seen here, and may change without a new look.
    said, additions = concluded(report.facts, Allowlist.builtin())
    return Observation.of(said, Fact("scan.format", report.format), _kind(target), kept, more, additions)


def _kind(target: Target) -> Fact:
    from holdfast.core.formats.read import NetModel

    try:
        model = target.described
    except FormatError as fault:
        return Fact("model.kind", "opaque", detail=f"{fault.message}: {fault.cause}")
    if isinstance(model, NetModel):
        net = model.net
        return Fact("model.kind", "net", detail=f"{len(net.layers)} layers, {net.n_weights} weights, {net.source}")
    trees = model.ensemble
    return Fact("model.kind", "tree", detail=f"{trees.n_trees} trees, {trees.feature.size} nodes, {trees.source}")

"""How a hardened version was made, as a signed SLSA provenance statement beside its file.

The file alone is checked with `core.sign`: envelope, statement, digest.
"""

from __future__ import annotations

from typing import Any, Final

from holdfast.core.domain.hardening import Hardening, HardeningFigures
from holdfast.core.sign import Material, Provenance, SigningKey, Statement, Subject
from holdfast.core.sign.provenance import HARDENING_BUILD, HARDENING_SUFFIX, PROVENANCE_TYPE

PREDICATE_TYPE: Final = PROVENANCE_TYPE
BUILD_TYPE: Final = HARDENING_BUILD
SUFFIX: Final = HARDENING_SUFFIX
_ROLES: Final = ("train", "test", "contract")


def provenance(run: Hardening) -> Statement:
    """What was built from what, by which recipe with which seed, and what was measured. Needs a kept version."""
    return _provenance(run).statement()


def signed(run: Hardening, key: SigningKey) -> bytes:
    """The DSSE envelope around the provenance."""
    return _provenance(run).sign(key).to_json()


def _provenance(run: Hardening) -> Provenance:
    assert run.version is not None, "nothing was built"
    point = next(point for point in run.points if point.number == run.chosen)
    made_from = dict(run.made_from)
    inputs = [Material("artifact", run.source)]
    inputs += [Material(role, made_from.pop(role)) for role in _ROLES if role in made_from]
    return Provenance(
        subjects=(Subject.of(run.file, run.version),),
        build_type=BUILD_TYPE,
        external={
            "model": run.model,
            "recipe": point.recipe,
            "parameters": dict(point.params),
            "seed": run.seed,
            "linf": run.linf,
            "max_auc_loss": run.max_auc_loss,
        },
        internal={"libraries": made_from, "candidates": len(run.points)},
        materials=tuple(inputs),
        invocation=run.id,
        finished_at=run.recorded_at,
        said={"measured": {"before": _figures(run.before), "after": _figures(point.figures)}},
    )


def _figures(figures: HardeningFigures) -> dict[str, Any]:
    return {
        "auc": figures.auc,
        "recall": figures.recall,
        "flag_rate": figures.flag_rate,
        "boxes": [[box.linf, box.robust_recall, box.proven_recall] for box in figures.boxes],
    }

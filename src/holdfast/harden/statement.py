"""How a hardened version was made, as a signed SLSA provenance statement beside its file.

Source: slsa.dev/spec/v1.0/provenance. The file alone is checked with `core.sign`: envelope, statement, digest.
"""

from __future__ import annotations

from typing import Any, Final

from holdfast import __version__
from holdfast.core.domain.clock import to_iso
from holdfast.core.domain.hardening import Hardening, HardeningFigures
from holdfast.core.sign import PAYLOAD_TYPE, SigningKey, Statement, Subject, dsse_sign

PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:holdfast:harden:v1"
SUFFIX: Final = ".provenance.json"
_ROLES: Final = ("train", "test", "contract")


def provenance(run: Hardening) -> Statement:
    """What was built from what, by which recipe with which seed, and what was measured. Needs a kept version."""
    assert run.version is not None, "nothing was built"
    point = next(point for point in run.points if point.number == run.chosen)
    made_from = dict(run.made_from)
    inputs = [{"name": "artifact", "digest": _sha256(run.source)}]
    inputs += [{"name": role, "digest": _sha256(made_from.pop(role))} for role in _ROLES if role in made_from]
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "model": run.model,
                "recipe": point.recipe,
                "parameters": dict(point.params),
                "seed": run.seed,
                "linf": run.linf,
                "max_auc_loss": run.max_auc_loss,
            },
            "internalParameters": {"libraries": made_from, "candidates": len(run.points)},
            "resolvedDependencies": inputs,
        },
        "runDetails": {
            "builder": {"id": "urn:holdfast", "version": {"holdfast": __version__}},
            "metadata": {"invocationId": run.id, "finishedOn": to_iso(run.recorded_at)},
            "holdfast_measured": {"before": _figures(run.before), "after": _figures(point.figures)},
        },
    }
    return Statement((Subject.of(run.file, run.version),), PREDICATE_TYPE, predicate)


def signed(run: Hardening, key: SigningKey) -> bytes:
    """The DSSE envelope around the provenance."""
    return dsse_sign(PAYLOAD_TYPE, provenance(run).to_json(), key).to_json()


def _sha256(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _figures(figures: HardeningFigures) -> dict[str, Any]:
    return {
        "auc": figures.auc,
        "recall": figures.recall,
        "flag_rate": figures.flag_rate,
        "boxes": [[box.linf, box.robust_recall, box.proven_recall] for box in figures.boxes],
    }

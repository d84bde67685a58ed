"""Whether a few values, put together, force the model's decision because somebody planted them in the training rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.checks.poison.labels import sample
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation
from holdfast.core.errors import FormatError, TargetError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack.poisoning.inversion import Leaning
    from holdfast.attack.poisoning.verdict import Suspect
    from holdfast.core.data.poison.patterns import Pattern

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BackdoorParams:
    """At most `rows` training rows are read, a seeded sample; an accused pattern names `examples` of its rows."""

    rows: int = 100_000
    examples: int = 5
    seed: int = 0


@check(
    id="poison.backdoor",
    version=1,
    needs=("model", "train_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0018", "AML.T0018.000", "AML.T0020"),
    depth=Depth.FULL,
)
def observe(target: Target, params: BackdoorParams, budget: Budget) -> Observation:
    """Patterns that the rows make suspicious and the model obeys, confirmed by the model's own library."""
    import numpy as np

    from holdfast.attack.poisoning.verdict import cells_of, verdict

    labels = target.labels(target.train)
    rows = sample(len(labels), min(params.rows, budget.rows), params.seed)
    cells = cells_of(target.contract, target.matrix(target.train.take(rows)))
    y = labels[rows]
    lean, white = _leaning(target)
    found = verdict(cells, y, int(labels.max()) + 1, lean, seed=params.seed, invert_model=white)
    accused = [one for one in found if one.accused]
    shares = [_confirmed(target, one.pattern, cells.X, y) for one in accused]
    kept = [(one, share) for one, share in zip(accused, shares, strict=True) if share >= FLIPS_CONFIRMED]
    facts = [_fact(one, share, np.asarray(rows), params.examples) for one, share in kept]
    measured = _measured(found, kept, len(rows), params.seed)
    return Observation.of(measured, target.walls if accused else (), facts)


FLIPS_CONFIRMED = 0.65


def _leaning(target: Target) -> tuple[Leaning, bool]:
    """How the model leans: by its own trees where it has them, else by what it decides in the sandbox."""
    from holdfast.attack.poisoning.verdict import leaning

    try:
        return leaning(target.trees.scores, target.model.task), True
    except (FormatError, TargetError):
        return lambda rows, t: (target.decided(rows) == t) * 2.0 - 1.0, False


def _confirmed(target: Target, pattern: Pattern, X: Floats, y: NDArray[np.int64]) -> float:
    """Share of rows of other classes, decided for them, that the model's own library gives up with the pattern."""
    from holdfast.attack.poisoning.verdict import STAMPED, stamp

    others = X[y != pattern.target][: 20 * STAMPED]
    others = others[target.decided(others) != pattern.target][:STAMPED]
    if not len(others):
        return 0.0
    return float((target.decided(stamp(others, pattern, X)) == pattern.target).mean())


def _measured(found: list[Suspect], kept: list[tuple[Suspect, float]], n: int, seed: int) -> Iterator[Measurement]:
    yield Measurement("poison.pattern.accused", len(kept), "patterns", {}, n, seed)
    strongest = max((one.pattern.strength for one in found), default=0.0)
    yield Measurement("poison.pattern.strongest", strongest, "deviations", {}, n, seed)
    for number, (one, share) in enumerate(kept, start=1):
        at = {"pattern": float(number)}
        seen = one.pattern.evidence
        yield Measurement("poison.pattern.rows", one.pattern.rows.size, "rows", at, n, seed)
        yield Measurement("poison.pattern.strength", one.pattern.strength, "deviations", at, n, seed)
        yield Measurement("poison.pattern.contradiction", seen.contra, "deviations", at, n, seed)
        yield Measurement("poison.pattern.lift", seen.lift, "deviations", at, n, seed)
        yield Measurement("poison.pattern.flips", share, "share", at, n, seed)


def _fact(one: Suspect, share: float, rows: NDArray[np.intp], examples: int) -> Fact:
    pattern = one.pattern
    some = ", ".join(str(int(rows[row])) for row in pattern.rows[:examples])
    detail = (
        f"{pattern.rows.size} training rows of class {pattern.target}, such as {some}; their other values and the "
        f"model of all other rows say otherwise; put into rows of another class it moves {share:.0%} of them"
    )
    return Fact("poison.pattern", " and ".join(pattern.words), member="train", detail=detail)

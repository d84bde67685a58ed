"""Whether a model's answers tell who was in its training data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.audit.checks.privacy.answers import REASONS, classes_of, probabilities
from holdfast.audit.interface import Budget, check
from holdfast.audit.target import Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Fact, Measurement, Observation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack.privacy import Game, Membership, Shadows
    from holdfast.core.learn.design import Design

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MembershipParams:
    """`rows` of each kind are asked about; `work` bounds training, in rows times trees times levels."""

    rows: int = 7_500
    population: int = 2_000
    shadows: int = 16
    train_rows: int = 30_000
    work: int = 600_000_000
    fprs: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    seed: int = 0


FEWEST_SHADOWS = 2
FEWEST_FOR_LIRA = 4


@check(
    id="privacy.membership",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0024.000",),
    depth=Depth.FULL,
)
def observe(target: Target, params: MembershipParams, budget: Budget) -> Observation:  # noqa: ARG001
    """Shadows of the model are trained on rows drawn anew; what only models that saw a row say of it gives it away."""
    from holdfast.core.errors import PrerequisiteError, TargetError, UsageError
    from holdfast.core.learn.reading import read_design

    if target.test_is_train:
        return Observation.unknown("no held-out rows are declared, so nobody is known not to have been trained on")
    design = read_design(target.parts.artifact)
    try:
        return _attacked(target, params, design)
    except (PrerequisiteError, TargetError, UsageError) as fault:
        if fault.code not in REASONS:
            raise
        return Observation.unknown(f"{fault.message}: {fault.cause}")


def _attacked(target: Target, params: MembershipParams, design: Design) -> Observation:
    from holdfast.attack.privacy.confidence import scaled

    game, classes, twins = _game(target, params, design)
    count = _affordable(params, len(game.y) * _effort(design, len(classes)))
    answers = probabilities(target, game.X[: game.judged], classes)
    if answers is None:
        return Observation.unknown("the model gives no score per class, so its confidence in a row is not known")
    confidence = scaled(answers, game.y[: game.judged], design.coarse)
    shadows = _shadows(target, params, design, game, count, len(classes))
    played = _played(game, confidence, shadows, params)
    return Observation.of(
        _measurements(played, game, shadows, params), _facts(played, design, count, twins), target.walls
    )


def _game(target: Target, params: MembershipParams, design: Design) -> tuple[Game, Labels, int]:
    """Members are training rows, others held-out rows; held-out rows with a twin among the training rows stay out."""
    import numpy as np

    from holdfast.attack.privacy import Game
    from holdfast.attack.privacy.game import FEWEST_ROWS

    own, foreign = target.labels(target.train), target.labels(target.test)
    classes = classes_of(own, foreign)
    X, Z = target.matrix(target.train), target.matrix(target.test)
    alone = ~_among(np.column_stack([Z, foreign]), np.column_stack([X, own]))
    most = min(params.train_rows, params.work // (FEWEST_SHADOWS * _effort(design, len(classes))))
    rows = min(params.rows, max(most // 2, FEWEST_ROWS))
    game = Game.of(
        (X, np.searchsorted(classes, own)),
        (Z[alone], np.searchsorted(classes, foreign[alone])),
        rows=rows,
        population=min(params.population, rows),
        rest=max(0, most - 2 * rows),
        seed=params.seed,
    )
    return game, classes, int((~alone).sum())


def _among(rows: Floats, others: Floats) -> NDArray[np.bool_]:
    """(n,) whether a row stands among the others, value by value; missing is equal to missing."""
    import numpy as np

    known = {row.tobytes() for row in np.nan_to_num(others, nan=np.inf) + 0.0}
    return np.array([row.tobytes() in known for row in np.nan_to_num(rows, nan=np.inf) + 0.0], np.bool_)


def _effort(design: Design, classes: int) -> int:
    """What training costs per row: 10 to 20 ns for each unit, a level of one of XGBoost's trees."""
    from holdfast.core.learn.design import Library

    forests = (Library.FOREST, Library.EXTRA_TREES)
    slow = {Library.FOREST: 4, Library.EXTRA_TREES: 4, Library.BOOSTING: 40, Library.HISTOGRAM: 2, Library.NET: 8}
    levels = design.depth or max(design.leaves, 256).bit_length()
    outputs = classes if classes > 2 and design.library not in forests else 1
    return max(design.trees, 50) * levels * outputs * slow.get(design.library, 1)


def _affordable(params: MembershipParams, one: int) -> int:
    """An even number of shadows that training can pay for; at least two."""
    return max(FEWEST_SHADOWS, min(params.shadows, params.work // one // 2 * 2))


def _shadows(target: Target, params: MembershipParams, design: Design, game: Game, count: int, classes: int) -> Shadows:
    from holdfast.attack.privacy import Task, train

    codes = tuple(number for number, feature in enumerate(target.contract.features) if feature.type == "category")
    inside = game.draws(count, params.seed + 1)
    (trained,) = train([Task(design, game.X, game.y, inside, game.judged, classes, codes, seed=params.seed + 2)])
    return trained.shadows


def _played(game: Game, confidence: Floats, shadows: Shadows, params: MembershipParams) -> dict[str, Membership]:
    """Every attack that the shadows allow."""
    from holdfast.attack.privacy import Method, play

    enough = shadows.count >= FEWEST_FOR_LIRA
    methods = (Method.LIRA, Method.LIRA_OFFLINE, Method.RMIA) if enough else (Method.RMIA,)
    return {method.value: play(game, confidence, shadows, method=method, seed=params.seed) for method in methods}


def _strongest(played: dict[str, Membership]) -> Membership:
    """Of the attacks by the owner himself, the one with the greater AUC."""
    return max((one for one in played.values() if one.method.online), key=lambda one: one.roc.auc)


def _measurements(
    played: dict[str, Membership], game: Game, shadows: Shadows, params: MembershipParams
) -> Iterator[Measurement]:
    from holdfast.attack.privacy.membership import control

    n, seed = game.asked, params.seed
    yield from _of("privacy.membership", _strongest(played), params, n)
    for name, one in played.items():
        yield from _of(f"privacy.{name.removesuffix('-online').replace('-', '_')}", one, params, n, bounds=False)
    if shadows.count >= FEWEST_FOR_LIRA:
        chance = control(game, shadows, method=_strongest(played).method, seed=seed).roc
        yield Measurement("privacy.membership.control_auc", chance.auc, "share", {}, n, seed)


def _of(name: str, one: Membership, params: MembershipParams, n: int, *, bounds: bool = True) -> Iterator[Measurement]:
    """AUC, and the share found at each share of false alarms, with intervals."""
    seed, auc = params.seed, one.roc.auc_estimate()
    yield Measurement(f"{name}.auc", auc.value, "share", {}, n, seed)
    if bounds:
        yield Measurement(f"{name}.auc_low", auc.low, "share", {}, n, seed)
        yield Measurement(f"{name}.auc_high", auc.high, "share", {}, n, seed)
    for fpr in (fpr for fpr in params.fprs if one.roc.resolves(fpr)):
        found = one.roc.tpr_estimate(fpr, seed)
        yield Measurement(f"{name}.tpr", found.value, "share", {"fpr": fpr}, n, seed)
        if bounds:
            yield Measurement(f"{name}.tpr_low", found.low, "share", {"fpr": fpr}, n, seed)
            yield Measurement(f"{name}.tpr_high", found.high, "share", {"fpr": fpr}, n, seed)


def _facts(played: dict[str, Membership], design: Design, count: int, twins: int) -> Iterator[Fact]:
    best = _strongest(played)
    told = ", ".join(design.read) or "nothing"
    yield Fact("privacy.membership.attack", best.method.value, detail=best.threat.words)
    yield Fact("privacy.membership.shadows", count, detail=f"{design.library.value}; the file told: {told}")
    if twins:
        yield Fact("privacy.membership.twins", twins, detail="held-out rows that also stand in the training data")

"""Whether a model's answers tell a personal column that the other columns do not."""

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
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from holdfast.attack.privacy import Inference
    from holdfast.attack.privacy.attribute import Hidden, Side
    from holdfast.core.contract import Contract

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AttributeParams:
    """`rows` people are attacked, with as many others known; at most `columns` columns are hidden, one at a time.

    The model is asked about `asked` rows at most, and about fewer people where columns have many values.
    """

    rows: int = 2_000
    asked: int = 60_000
    columns: int = 4
    digits: int = 2
    seed: int = 0


class _NoScoresError(Exception):
    """The model answers with something else than a score per class."""


@check(
    id="privacy.attribute",
    version=1,
    needs=("model", "train_data", "test_data", "contract"),
    requires=("scan.artifact",),
    covers=("AML.T0024.001",),
    depth=Depth.FULL,
)
def observe(target: Target, params: AttributeParams, budget: Budget) -> Observation:  # noqa: ARG001
    """The gain in naming a hidden column over imputing it: same learner, same rows, with and without the model."""
    from holdfast.core.errors import PrerequisiteError, TargetError

    if target.test_is_train:
        return Observation.unknown("no held-out rows are declared, from which an attacker would learn")
    try:
        return _attacked(target, params)
    except _NoScoresError:
        return Observation.unknown("the model gives no score per class")
    except (PrerequisiteError, TargetError) as fault:
        if fault.code not in REASONS:
            raise
        return Observation.unknown(f"{fault.message}: {fault.cause}")


def _attacked(target: Target, params: AttributeParams) -> Observation:
    from holdfast.attack.privacy import infer

    victims, known = _sides(target, params)
    hidden = _hidden(target.contract, known.X, params)
    if not hidden:
        # Nothing to hide is an answer, not a gap.
        return Observation.of(_count(0, len(victims.X), params.seed), target.walls)
    people = params.asked // (2 * (1 + sum(len(one.values) for one in hidden)))
    found = infer(
        victims.first(people),
        known.first(people),
        hidden,
        _asker(target),
        digits=(None, params.digits),
        seed=params.seed,
    )
    exact = [one for one in found if one.digits is None]
    rounded = [one for one in found if one.digits is not None]
    return Observation.of(_measurements(exact, rounded, params), _facts(target.contract, exact), target.walls)


def _sides(target: Target, params: AttributeParams) -> tuple[Side, Side]:
    """Training rows are attacked; held-out rows are known to the attacker."""
    import numpy as np

    from holdfast.attack.privacy.attribute import Side

    sides = []
    for number, table in enumerate((target.train, target.test)):
        order = np.random.default_rng(params.seed + number).permutation(table.n_rows)
        part = table.take(order[: params.rows])
        sides.append(Side(target.matrix(part), target.labels(part)))
    return sides[0], sides[1]


def _hidden(contract: Contract, X: Floats, params: AttributeParams) -> list[Hidden]:
    """Categories that nobody moves, and one-hot groups of such: what people are, not what they do."""
    from holdfast.attack.privacy.attribute import Hidden

    grouped = {column for group in contract.groups for column in group}
    alone = [
        (number,)
        for number, feature in enumerate(contract.features)
        if feature.type == "category" and number not in grouped and feature.derived is None
    ]
    whole = [tuple(group) for group in contract.groups]
    fixed = [one for one in alone + whole if all(contract.features[column].move == "never" for column in one)]
    found = [Hidden.seen_in(X, columns) for columns in sorted(fixed)]
    return [one for one in found if len(one.values) > 1][: params.columns]


def _asker(target: Target) -> Callable[[Floats], Floats]:
    classes = classes_of(target.labels(target.train), target.labels(target.test))

    def ask(rows: Floats) -> Floats:
        answers = probabilities(target, rows, classes)
        if answers is None:
            raise _NoScoresError
        return answers

    return ask


def _measurements(
    exact: Sequence[Inference], rounded: Sequence[Inference], params: AttributeParams
) -> Iterator[Measurement]:
    """The greatest gain first, then each column by its number in the contract."""
    seed = params.seed
    yield _count(len(exact), exact[0].n, seed)
    worst = max(exact, key=lambda one: one.gain.value)
    yield from _gain("privacy.attribute.gain", worst, {}, seed)
    coarse = max(rounded, key=lambda one: one.gain.value)
    yield from _gain("privacy.attribute.gain", coarse, {"digits": float(params.digits)}, seed)
    for one in exact:
        at = {"column": float(one.columns[0])}
        yield from _gain("privacy.attribute.gain", one, at, seed)
        yield Measurement("privacy.attribute.imputed", one.imputed, "share", at, one.n, seed)
        yield Measurement("privacy.attribute.inferred", one.with_model, "share", at, one.n, seed)


def _count(columns: int, n: int, seed: int) -> Measurement:
    return Measurement("privacy.attribute.columns", float(columns), "columns", {}, n, seed)


def _gain(name: str, one: Inference, at: dict[str, float], seed: int) -> Iterator[Measurement]:
    yield Measurement(name, one.gain.value, "share", at, one.n, seed)
    yield Measurement(f"{name}_low", one.gain.low, "share", at, one.n, seed)
    yield Measurement(f"{name}_high", one.gain.high, "share", at, one.n, seed)


def _facts(contract: Contract, exact: Sequence[Inference]) -> Iterator[Fact]:
    worst = max(exact, key=lambda one: one.gain.value)
    yield Fact("privacy.attribute.worst", _name(contract, worst), detail=worst.threat.words)
    for one in exact:
        words = f"column {one.columns[0]}: named {one.with_model:.1%} with the model, {one.imputed:.1%} without"
        yield Fact("privacy.attribute.column", _name(contract, one), detail=words)


def _name(contract: Contract, one: Inference) -> str:
    return " | ".join(contract.names[column] for column in one.columns)

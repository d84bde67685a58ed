"""Attacks of the Adversarial Robustness Toolbox (ART), as they are, with projection onto the contract.

HopSkipJump and ZOO ask a model that itself projects what it is sent, row by row: the fairest way to run them here.
HopSkipJump draws its starts from a generator that cannot be seeded, so its results differ from run to run.
AutoPGD is given gradients in units of distance, once per radius, and what it finds is projected afterwards.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from holdfast.attack.adapters.frame import Frame, needed
from holdfast.attack.interface import Budget, EvasionResult, Goal, attack
from holdfast.attack.nets.aim import aim_at

if TYPE_CHECKING:
    from holdfast.attack.nets.target import NetTarget
    from holdfast.core.contract import Contract

Floats = NDArray[np.float64]
REQUIREMENT = "adversarial-robustness-toolbox==1.20.1"
RADII = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Where AutoPGD, which knows no smallest move, is asked for one."""
Make = Callable[[Any, Any, int], Any]


@attack(id="art.hopskipjump", version=1, needs=("decisions",))
def hop_skip_jump(
    target: Any, rows: Floats, *, goal: Goal, budget: Budget, contract: Contract, scales: Floats, seed: int
) -> EvasionResult:
    """HopSkipJump in L-inf on decisions, about `budget.queries_per_row` of them. PrerequisiteError without ART."""
    return _row_by_row("art.hopskipjump", _hop_skip_jump, Frame(target, rows, goal, contract, scales), budget, seed)


@attack(id="art.zoo", version=1, needs=("scores",))
def zoo(
    target: Any, rows: Floats, *, goal: Goal, budget: Budget, contract: Contract, scales: Floats, seed: int
) -> EvasionResult:
    """Zeroth-order optimisation on scores, about `budget.queries_per_row` of them. PrerequisiteError without ART."""
    return _row_by_row("art.zoo", _zoo, Frame(target, rows, goal, contract, scales), budget, seed)


def _hop_skip_jump(evasion: Any, classifier: Any, queries: int) -> Any:
    steps = max(1, queries // 400)
    most = max(10, queries // (2 * steps))
    sizes = {"init_eval": min(50, most), "max_eval": most, "init_size": min(100, queries // 4 + 1)}
    return evasion.HopSkipJump(classifier, norm=np.inf, max_iter=steps, verbose=False, **sizes)


def _zoo(evasion: Any, classifier: Any, queries: int) -> Any:
    return evasion.ZooAttack(
        classifier,
        learning_rate=0.1,
        max_iter=max(1, queries // 20),
        binary_search_steps=5,
        use_resize=False,
        use_importance=False,
        nb_parallel=1,
        variable_h=0.05,
        verbose=False,
    )


def _row_by_row(method: str, make: Make, frame: Frame, budget: Budget, seed: int) -> EvasionResult:
    """ART draws from numpy's own generator, which is seeded per row and put back afterwards."""
    evasion = needed("art.attacks.evasion", REQUIREMENT)
    classification = needed("art.estimators.classification", REQUIREMENT)
    # One limit for all columns, as ZOO wants it; what is asked is projected in any case.
    low, high = (float(side) for side in (frame.clip[0].min(), frame.clip[1].max()))
    for row in frame.rows:
        own = np.array([row])
        was = frame.best.was[own] / frame.scales
        if frame.asked(frame.best.was[own], own)[0] > 0:
            frame.offer(was, own)
            continue
        classifier = classification.BlackBoxClassifier(
            _answers(frame, int(row)), input_shape=(was.shape[1],), nb_classes=2, clip_values=(low, high)
        )
        with _seeded(frame.best.was[row], seed):
            found = make(evasion, classifier, budget.queries_per_row).generate(x=was.astype(np.float32))
        frame.offer(found, own)
    return frame.best.result(method, seed, ~frame.best.success)


def _answers(frame: Frame, row: int) -> Callable[[Floats], NDArray[np.float32]]:
    """The model as ART asks it: two probabilities, the second that of what the attacker wants."""

    def predict(Z: Floats) -> NDArray[np.float32]:
        own = np.full(len(Z), row)
        wanted = 1.0 / (1.0 + np.exp(-np.clip(frame.asked(frame.projected(Z, own), own), -50, 50)))
        return np.stack([1.0 - wanted, wanted], axis=1).astype(np.float32)

    return predict


@contextmanager
def _seeded(row: Floats, seed: int) -> Iterator[None]:
    mixed = hashlib.blake2b(row.tobytes(), digest_size=4, key=seed.to_bytes(16, "little", signed=True)).digest()
    before = np.random.get_state()
    np.random.seed(int.from_bytes(mixed, "little"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(before)


@attack(id="art.autopgd", version=1, needs=("net",))
def auto_pgd(
    target: NetTarget,
    rows: Floats,
    *,
    goal: Goal,
    budget: Budget,  # noqa: ARG001 - AutoPGD has steps, not a budget
    contract: Contract,
    scales: Floats,
    seed: int,
) -> EvasionResult:
    """AutoPGD in L-inf at each of RADII; the smallest that survives projection. PrerequisiteError without ART."""
    evasion = needed("art.attacks.evasion", REQUIREMENT)
    frame = Frame(target, rows, goal, contract, scales)
    estimator = _gradients(target, goal, frame)
    start = frame.best.was[frame.rows] / frame.scales
    if not frame.rows.size:
        return frame.best.result("art.autopgd", seed, ~frame.best.success)
    frame.offer(start, frame.rows)
    for radius in RADII:
        left = np.flatnonzero(~frame.best.success[frame.rows])
        if not left.size:
            break
        search = evasion.AutoProjectedGradientDescent(
            estimator, norm=np.inf, eps=radius, eps_step=radius / 4, max_iter=40, nb_random_init=1, verbose=False
        )
        search.set_params(batch_size=max(1, left.size))
        with _seeded(start[left].ravel(), seed):
            found = search.generate(x=start[left].astype(np.float32), y=_labels(left.size))
        frame.offer(found, frame.rows[left])
    return frame.best.result("art.autopgd", seed, ~frame.best.success)


def _labels(count: int) -> NDArray[np.float32]:
    """All rows are of the class the attacker wants to leave."""
    return np.tile(np.array([1.0, 0.0], np.float32), (count, 1))


def _gradients(target: NetTarget, goal: Goal, frame: Frame) -> Any:
    """The net as an estimator of ART: logits (0, gap), and the gap's gradient in units of distance."""
    estimators, mixins = (
        needed(f"art.estimators.{name}", REQUIREMENT) for name in ("estimator", "classification.classifier")
    )
    aim = aim_at(target.net, goal)

    class Gap(estimators.BaseEstimator, mixins.ClassifierMixin, estimators.LossGradientsMixin):  # type: ignore[misc, name-defined]
        """Two classes: what is, and what the attacker wants."""

        input_shape = (len(frame.scales),)
        nb_classes = 2

        def predict(self, x: Any, **_: Any) -> NDArray[np.float32]:
            gaps = self._look(x)[0]
            return np.stack([np.zeros_like(gaps), gaps], axis=1).astype(np.float32)

        def compute_loss(self, x: Any, y: Any, **_: Any) -> Floats:  # noqa: ARG002
            return self._look(x)[0]

        def loss_gradient(self, x: Any, y: Any, **_: Any) -> NDArray[np.float32]:  # noqa: ARG002
            return (self._look(x)[1] * frame.scales).astype(np.float32)

        def fit(self, x: Any, y: Any, **_: Any) -> None:
            raise NotImplementedError

        def _look(self, x: Any) -> tuple[Floats, Floats]:
            rows = target.contract.derive(np.asarray(x, np.float64) * frame.scales)
            gaps, inner = target.gradient(rows, aim)
            return gaps, target.lens.raw(inner, rows)

    low, high = frame.clip
    return Gap(model=None, clip_values=(low.astype(np.float32), high.astype(np.float32)))

"""Foreign attacks run on our targets, and what they report is valid, confirmed and never better than the truth."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import forests
import smallnets
from holdfast.attack import BlackBox, Budget, EvasionResult, Goal, NetTarget, TreeTarget, attack
from holdfast.attack.adapters import frame
from holdfast.attack.interface import ATTACKS
from holdfast.core.contract import Contract
from holdfast.core.errors import PrerequisiteError, TargetError

ART = ["art.hopskipjump", "art.zoo", "art.autopgd"]
GOAL = Goal(to=0)


def have_art() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("art.attacks.evasion", reason="ART is not installed", exc_type=ImportError)


def run(target: NetTarget, rows: np.ndarray, method: str) -> EvasionResult:
    return attack(
        target,
        rows,
        goal=GOAL,
        budget=Budget(queries_per_row=60),
        contract=smallnets.CONTRACT,
        scales=smallnets.SCALES,
        method=method,
    )


@pytest.mark.parametrize("method", ART)
def test_what_art_finds_is_judged_as_ours(method: str) -> None:
    have_art()
    target = smallnets.applicant_target(1)
    rows = smallnets.flagged(target, smallnets.applicants(40), GOAL)[:2]
    before = np.random.get_state()[1].copy()
    found = run(target, rows, method)
    assert (np.random.get_state()[1] == before).all()
    assert smallnets.CONTRACT.validate(found.adversarial, rows).valid.all()
    assert (target.margins(found.adversarial, GOAL)[found.success] > 0).all()
    assert (found.floor == 0).all()
    own = run(target, rows, "evasion.capgd")
    both = found.success & own.success
    assert own.success.sum() >= found.success.sum()
    assert (own.distance[both] <= found.distance[both] * 1.01).all()


def test_a_black_box_counts_what_art_asks() -> None:
    have_art()
    target = smallnets.applicant_target(1)
    rows = smallnets.flagged(target, smallnets.applicants(40), GOAL)[:2]
    box = BlackBox.of_scores(smallnets.CONTRACT, target.scores)
    found = attack(
        box, rows, goal=GOAL, budget=Budget(queries_per_row=60), contract=smallnets.CONTRACT,
        scales=smallnets.SCALES, method="art.hopskipjump",
    )  # fmt: skip
    assert (found.queries > 0).all()
    assert abs(int(found.queries.sum()) - box.queries) <= 3 * len(rows)


CONTRACT = Contract.parse(
    "version: 1\nfeatures:\n" + "".join(f"  c{i}: {{type: number, min: 0, max: 10, move: any}}\n" for i in range(4))
)


def small_trees(seed: int, operator: str) -> TreeTarget:
    rng = np.random.default_rng(seed)
    cuts = [sorted(rng.uniform(0, 10, 6)) for _ in range(4)]
    return forests.target_of(forests.forest(rng, cuts, trees=8, depth=3, operator=operator), CONTRACT)


@pytest.mark.parametrize("operator", ["<", "<="])
def test_veritas_and_our_search_agree_where_there_is_no_contract(operator: str) -> None:
    pytest.importorskip("veritas", reason="Veritas is not installed")
    scales = np.full(4, 10.0)
    close: list[bool] = []
    for seed in range(6):
        target = small_trees(seed, operator)
        rows = np.random.default_rng(seed).uniform(0, 10, size=(12, 4))
        rows = rows[target.scores(rows)[:, 1] > 0.55]
        if not len(rows):
            continue
        ours, theirs = (
            attack(target, rows, goal=GOAL, budget=Budget(), contract=CONTRACT, scales=scales, method=method)
            for method in ("evasion.search", "veritas.robustness")
        )
        assert (theirs.floor <= ours.linf).all()
        assert (ours.floor <= theirs.linf).all()
        assert CONTRACT.validate(theirs.adversarial, rows).valid.all()
        both = ours.success & theirs.success
        assert (ours.linf[both] <= theirs.linf[both] * 1.02 + 1e-6).all()
        # Its guard keeps it 1e-4 away from the least; projection costs it rows near the contract's bounds.
        close += np.isclose(ours.linf[both], theirs.linf[both], rtol=0.02, atol=2e-4).tolist()
    assert len(close) > 10
    assert np.mean(close) > 0.7


def test_veritas_refuses_what_it_cannot_read() -> None:
    pytest.importorskip("veritas", reason="Veritas is not installed")
    rng = np.random.default_rng(0)
    cuts = [[2.0, 5.0]] * 4
    target = forests.target_of(forests.forest(rng, cuts, outputs=3), CONTRACT)
    with pytest.raises(TargetError) as caught:
        attack(
            target, np.full((1, 4), 3.0), goal=GOAL, budget=Budget(), contract=CONTRACT, scales=np.ones(4),
            method="veritas.robustness",
        )  # fmt: skip
    assert caught.value.code == "HF-ATK-001"


def test_an_absent_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(frame.importlib, "import_module", absent)
    with pytest.raises(PrerequisiteError) as caught:
        frame.needed("art.attacks.evasion", "adversarial-robustness-toolbox==1.20.1")
    assert caught.value.code == "HF-PRE-001"
    assert caught.value.fix == "pip install adversarial-robustness-toolbox==1.20.1"


def test_adapters_are_known_without_their_packages() -> None:
    assert {*ART, "veritas.robustness"} <= {name for name, _ in ATTACKS}

"""evasion.exact: two sides that meet where every minimum is proven."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import bank
from holdfast.audit.checks.evasion.exact import ExactParams, observe
from holdfast.audit.checks.evasion.search import EvasionParams
from holdfast.audit.checks.evasion.search import observe as search
from holdfast.audit.interface import CHECKS, Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.depth import Depth
from holdfast.core.domain.observation import Observation

BOXES = (0.002, 0.01, 0.05)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("bank"))
    bank.train(made)
    return made


def look(parts: Parts, **params: object) -> Observation:
    with Target(parts) as target:
        return observe(target, ExactParams(boxes=BOXES, **params), Budget())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seen(parts: Parts) -> Observation:
    return look(parts, rows=12)


def numbers(seen: Observation) -> dict[tuple[str, float | None], float]:
    return {(m.name, m.at.get("linf")): m.value for m in seen.measurements}


def test_both_sides_are_true(seen: Observation) -> None:
    found = numbers(seen)
    for box in BOXES:
        assert found["evasion.robust_recall_low", box] <= found["evasion.robust_recall_high", box]
        if found["evasion.exact_share", None] == 1.0:
            assert found["evasion.robust_recall_low", box] == found["evasion.robust_recall_high", box]
    assert found["evasion.exact_share", None] > 0.9
    assert not [fact for fact in seen.facts if fact.kind == "evasion.unconfirmed"]


def test_no_search_goes_below_what_is_proven(parts: Parts, seen: Observation) -> None:
    found = numbers(seen)
    with Target(parts) as target:
        searched = numbers(search(target, EvasionParams(rows=12, boxes=BOXES), Budget()))
    for box in BOXES:
        assert searched["evasion.robust_recall", box] >= found["evasion.robust_recall_low", box] - 1e-12


def test_work_is_bounded_and_the_rows_are_counted(parts: Parts) -> None:
    short = look(parts, rows=12, nodes=1)
    assert {m.n for m in short.measurements} == {10}


def test_who_may_move_nothing_provably_gets_nowhere(parts: Parts, tmp_path: Path) -> None:
    frozen = tmp_path / "contract.yaml"
    frozen.write_text(bank.CONTRACT.replace("move: up, cost: 1.0", "move: never"))
    found = numbers(look(replace(parts, contract=frozen), rows=10))
    assert found["evasion.robust_recall_low", BOXES[-1]] == pytest.approx(found["evasion.recall", None])
    assert found["evasion.exact_share", None] == 1


def test_it_is_for_releases() -> None:
    assert CHECKS.get("evasion.exact").depth is Depth.FULL

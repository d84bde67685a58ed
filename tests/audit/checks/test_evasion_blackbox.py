"""evasion.blackbox: a real model in the sandbox, asked for decisions only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import bank
from holdfast.audit.checks.evasion.blackbox import BlackBoxParams, observe
from holdfast.audit.interface import Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.observation import Observation, Status

SMALL = BlackBoxParams(rows=10, queries=80, background=300)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("bank"), n=1500)
    bank.train(made)
    return made


def look(parts: Parts) -> Observation:
    with Target(parts) as target:
        return observe(target, SMALL, Budget())


def numbers(seen: Observation) -> dict[tuple[str, float | None], float]:
    return {(one.name, one.at.get("linf")): one.value for one in seen.measurements}


def test_figures_are_consistent_and_repeatable(parts: Parts) -> None:
    seen = look(parts)
    found = numbers(seen)
    assert 0.1 <= found["blackbox.success_share", None] <= 1
    assert found["blackbox.queries_per_row", None] <= SMALL.queries
    assert found["blackbox.queries_per_success", None] >= found["blackbox.queries_per_row", None]
    robust = [found["blackbox.robust_recall", box] for box in SMALL.boxes]
    assert robust == sorted(robust, reverse=True)
    assert look(parts) == seen


def test_an_attacker_who_may_move_nothing_gets_nowhere(parts: Parts, tmp_path: Path) -> None:
    frozen = tmp_path / "contract.yaml"
    frozen.write_text(bank.CONTRACT.replace("move: up, cost: 1.0", "move: never"))
    found = numbers(look(replace(parts, contract=frozen)))
    assert found["blackbox.success_share", None] == 0
    assert ("blackbox.median_linf", None) not in found


def test_without_caught_cases_it_is_unknown(parts: Parts) -> None:
    task = replace(parts.model.task, threshold=0.9999999)
    seen = look(replace(parts, model=replace(parts.model, task=task)))
    assert seen.status is Status.UNKNOWN
    assert "nothing to attack" in str(seen.reason)

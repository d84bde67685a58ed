"""extraction.surrogate: a real model in the sandbox is copied from its answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("sklearn", reason="copies are scikit-learn's")

import bank
from holdfast.audit.checks.extraction.surrogate import SurrogateParams, observe
from holdfast.audit.interface import Budget
from holdfast.audit.target import Parts, Target
from holdfast.core.domain.observation import Observation, Status

SMALL = SurrogateParams(queries=300, few=40, owned=800, judged=400)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    made = bank.write(tmp_path_factory.mktemp("bank"), n=1500)
    bank.train(made)
    return made


def look(parts: Parts) -> Observation:
    with Target(parts) as target:
        return observe(target, SMALL, Budget())


def test_copies_are_better_than_the_constant_and_repeatable(parts: Parts) -> None:
    seen = look(parts)
    found = {(one.name, one.at.get("queries")): one.value for one in seen.measurements}
    base = found["extraction.base", None]
    assert found["extraction.natural.fidelity", 300.0] > max(0.85, base)
    assert found["extraction.natural.fidelity", 300.0] >= found["extraction.natural.fidelity", 40.0]
    assert found["extraction.scores.fidelity", 300.0] > base
    assert {name.split(".")[1] for name, _ in found} == {"uniform", "natural", "active", "scores", "base"}
    assert look(parts) == seen


def test_too_few_rows_are_unknown(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> None:
    few = bank.write(tmp_path_factory.mktemp("few"), n=60)
    seen = look(replace(parts, test=few.test))
    assert seen.status is Status.UNKNOWN

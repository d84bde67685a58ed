"""privacy.membership and privacy.attribute on models whose leaks are known, from their files to the figures."""

from __future__ import annotations

import dataclasses
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bank
from holdfast.attack.privacy import trainer
from holdfast.audit.checks.privacy import attribute, membership
from holdfast.audit.interface import Budget
from holdfast.audit.pool import Done, Pool
from holdfast.audit.target import Parts, Target
from holdfast.audit.worker import Job
from holdfast.core.domain.observation import Observation, Status
from holdfast.core.learn.design import Design, Library
from holdfast.core.learn.process import TrainingProcess

CONTRACT = bank.CONTRACT.replace("relations:", "  branch: {type: category, values: [1, 2], move: never}\nrelations:")
SMALL = membership.MembershipParams(rows=500, population=150, shadows=8, train_rows=1_200, fprs=(0.001, 0.01, 0.1))
FEW = attribute.AttributeParams(rows=500)


def write(folder: Path, *, noise: float, trees: int, depth: int, rate: float) -> Parts:
    """A bank with a branch that nothing else tells, labels of which `noise` is chance, and a model of them."""
    import xgboost

    parts = bank.write(folder, n=1200)
    (folder / "contract.yaml").write_text(CONTRACT)
    draw = np.random.default_rng(8)
    for role, count, seed in (("train", 1200, 1), ("test", 1000, 2)):
        columns = bank.rows(count, seed)
        columns["branch"] = draw.integers(1, 3, count)
        columns["y"] = np.where(draw.random(count) < noise, draw.integers(0, 2, count), columns["y"])
        pq.write_table(pa.table(columns), folder / f"{role}.parquet")
    with Target(parts) as target:
        given, labels = target.features(target.train), target.labels(target.train)
    data = xgboost.DMatrix(np.column_stack([given[name] for name in given]), labels, feature_names=list(given))
    settings = {"objective": "binary:logistic", "max_depth": depth, "eta": rate, "nthread": 1}
    xgboost.train(settings, data, trees).save_model(parts.artifact)
    return parts


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Deep trees on labels of pure chance: whatever it gets right, it knows by heart."""
    return write(tmp_path_factory.mktemp("leaky"), noise=1.0, trees=60, depth=8, rate=0.3)


@pytest.fixture(scope="module")
def dull(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Two stumps: they remember nobody, and never look at the branch."""
    return write(tmp_path_factory.mktemp("dull"), noise=0.2, trees=2, depth=1, rate=0.3)


def numbers(seen: Observation) -> dict[tuple[Any, ...], float]:
    return {(one.name, *one.at.items()): one.value for one in seen.measurements}


def members(parts: Parts, params: membership.MembershipParams = SMALL) -> Observation:
    with Target(parts) as target:
        return membership.observe(target, params, Budget())


def test_a_model_that_learned_by_heart_is_found(leaky: Parts) -> None:
    seen = members(leaky)
    found = numbers(seen)
    assert found["privacy.membership.tpr", ("fpr", 0.01)] > 0.1
    assert found["privacy.membership.tpr", ("fpr", 0.1)] > 0.4
    assert found["privacy.membership.auc_low",] > 0.8
    assert abs(found["privacy.membership.control_auc",] - 0.5) < 0.08
    # 500 strangers cannot show one false alarm in a thousand.
    assert ("privacy.membership.tpr", ("fpr", 0.001)) not in found
    for name in ("lira", "lira_offline", "rmia"):
        assert f"privacy.{name}.auc" in {key[0] for key in found}
    low, value, high = (found[f"privacy.membership.tpr{end}", ("fpr", 0.1)] for end in ("_low", "", "_high"))
    assert low <= value <= high
    facts = {fact.kind: fact for fact in seen.facts}
    assert "knows" not in str(facts["privacy.membership.attack"].detail)
    assert "population" in str(facts["privacy.membership.attack"].detail)
    assert "rate" in str(facts["privacy.membership.shadows"].detail)


@pytest.fixture(scope="module")
def of_dull(dull: Parts) -> Observation:
    return members(dull)


def test_a_model_that_remembers_nobody_is_at_chance(of_dull: Observation) -> None:
    found = numbers(of_dull)
    assert found["privacy.membership.auc_low",] < 0.53
    assert found["privacy.membership.auc_high",] > 0.47


def test_a_bounded_worker_process_sees_the_same(dull: Parts, of_dull: Observation, tmp_path: Path) -> None:
    params = dataclasses.asdict(SMALL)
    with Pool(1, timeout_s=120, memory_bytes=8 << 30, log_folder=tmp_path) as pool:
        pool.submit("one", Job("privacy.membership", params, dull, Budget()))
        done: list[Done] = []
        while not pool.idle:
            done += pool.step(0.1)
    answer = done[0].answer
    assert answer.failure is None
    assert answer.observation == of_dull


def test_work_is_bounded_by_fewer_shadows_and_then_by_fewer_rows(leaky: Parts) -> None:
    found = members(leaky, replace(SMALL, work=1_500_000))
    facts = {fact.kind: fact.value for fact in found.facts}
    assert facts["privacy.membership.shadows"] == 2
    assert facts["privacy.membership.attack"] == "rmia-online"
    assert {one.n for one in found.measurements if one.name == "privacy.membership.auc"} == {1_000}
    assert "privacy.lira.auc" not in {one.name for one in found.measurements}
    with Target(leaky) as target:
        game, _, _ = membership._game(target, replace(SMALL, work=1), Design(Library.XGBOOST))
    assert (game.asked, len(game.y)) == (100, 150)


def test_held_out_rows_that_were_trained_on_are_left_out(leaky: Parts, tmp_path: Path) -> None:
    train, test = (pq.read_table(path) for path in (leaky.train, leaky.test))
    pq.write_table(pa.concat_tables([test, train.slice(0, 40)]), tmp_path / "test.parquet")
    with Target(replace(leaky, test=tmp_path / "test.parquet")) as target:
        game, _, twins = membership._game(target, SMALL, Design(Library.XGBOOST))
        inner = {row.tobytes() for row in target.matrix(target.train)}
    assert twins >= 40
    assert not any(row.tobytes() in inner for row in game.X[500 : game.judged])


@pytest.mark.parametrize(
    "look", [lambda t: membership.observe(t, SMALL, Budget()), lambda t: attribute.observe(t, FEW, Budget())]
)
def test_a_killed_trainer_and_no_held_out_rows_are_unknown_with_a_reason(
    leaky: Parts, monkeypatch: pytest.MonkeyPatch, look: Any
) -> None:
    class Killed(TrainingProcess):
        def __enter__(self) -> TrainingProcess:
            os.kill(self.pid, signal.SIGKILL)
            return self

    monkeypatch.setattr(trainer, "TrainingProcess", Killed)
    with Target(leaky) as target:
        seen = look(target)
    assert (seen.status, "SIGKILL" in str(seen.reason)) == (Status.UNKNOWN, True)
    with Target(replace(leaky, test=None)) as target:
        assert "held-out" in str(look(target).reason)


def test_a_column_that_the_model_uses_is_told_by_its_answers(leaky: Parts, dull: Parts) -> None:
    found = {}
    for name, parts in (("leaky", leaky), ("dull", dull)):
        with Target(parts) as target:
            found[name] = attribute.observe(target, replace(FEW, asked=2_400), Budget())
    told, silent = numbers(found["leaky"]), numbers(found["dull"])
    # Each of 400 and 400 people is asked about as he is and with either branch.
    assert {one.n for one in found["leaky"].measurements} == {400}
    assert told["privacy.attribute.gain_low",] > 0.2
    assert told["privacy.attribute.gain", ("digits", 2.0)] < told["privacy.attribute.gain",]
    assert told["privacy.attribute.inferred", ("column", 5.0)] > told["privacy.attribute.imputed", ("column", 5.0)]
    assert silent["privacy.attribute.gain_low",] <= 0 <= silent["privacy.attribute.gain_high",]
    worst = next(fact for fact in found["leaky"].facts if fact.kind == "privacy.attribute.worst")
    assert worst.value == "branch"


def test_without_a_fixed_category_there_is_nothing_to_hide(leaky: Parts, tmp_path: Path) -> None:
    moved = tmp_path / "contract.yaml"
    moved.write_text(CONTRACT.replace("values: [1, 2], move: never", "values: [1, 2], move: any"))
    with Target(replace(leaky, contract=moved)) as target:
        seen = attribute.observe(target, FEW, Budget())
    assert seen.status is Status.MEASURED
    assert [(one.name, one.value) for one in seen.measurements] == [("privacy.attribute.columns", 0.0)]

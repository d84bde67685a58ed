"""The reconciler with a real store and real workers: what is missing runs once, and only then."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from holdfast.audit.interface import CHECKS
from holdfast.audit.plan import Work
from holdfast.audit.pool import Pool
from holdfast.audit.reconcile import Progress, Reconciler, Result
from holdfast.audit.target import Parts
from holdfast.core.domain import FrozenClock, ModelVersion, from_iso
from holdfast.core.domain.ids import digest
from holdfast.core.domain.model import Model, Task
from holdfast.core.domain.observation import Status
from holdfast.core.domain.severity import Tier
from holdfast.core.errors import ContractError
from holdfast.core.store import Store
from plugin_dist import install


def forget(module: str) -> None:
    """Undo what importing a plug-in's module did to this process, for the tests that come after."""
    sys.modules.pop(module, None)
    for name in [name for name, check in CHECKS if check.module == module]:
        del CHECKS._plugins[name], CHECKS._origins[name]
    CHECKS._points.clear()


START = from_iso("2026-01-05T09:00:00Z")


class WalkingClock(FrozenClock):
    """A fifth of a second passes at each look."""

    def __call__(self) -> datetime:
        self.advance(timedelta(seconds=0.2))
        return super().__call__()


class Desk:
    """A store, a plug-in, and a way to run works through both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FrozenClock(START)
        self.store = Store.open(None, folder / "home", self.clock)
        self.seen: list[Progress] = []
        self.artifact = folder / "model.bin"
        self.artifact.write_bytes(b"x" * 17)

    def work(self, check: str, model: str = "m", *, requires: tuple[str, ...] = (), inputs: str = "a") -> Work:
        parts = Parts(Model(model, "u", "eu", "o", Tier.HIGH, "p", Task("binary")), self.artifact, "other")
        with self.store.transaction() as tx:
            tx.models.register(parts.model, ModelVersion(model, "sha256:v", "other"), {})
        return Work(digest([check, inputs]), check, 1, requires, {}, parts)

    def run(self, *works: Work, retry: bool = False) -> tuple[dict[tuple[str, str], Result], list[Exception]]:
        self.seen.clear()
        pool = Pool(2, timeout_s=3, memory_bytes=2 << 30, log_folder=self.folder, plugins=["acme-checks"])
        with pool:
            reconciler = Reconciler(self.store, pool, self.clock, retry=retry, watch=self.seen.append)
            results, faults = reconciler.run([(work, "sha256:v") for work in works])
        return {(r.work.model, r.work.check): r for r in results}, list(faults)

    def started(self) -> list[str]:
        return [progress.check for progress in self.seen if progress.state == "started"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(install(site)))
    monkeypatch.syspath_prepend(str(site))
    CHECKS.load_named(["acme-checks"])
    made = Desk(tmp_path)
    yield made
    made.store.close()
    forget("acme_checks")


def test_the_second_run_runs_nothing(desk: Desk) -> None:
    works = [desk.work("good.size"), desk.work("good.late", requires=("good.size",))]
    first, _ = desk.run(*works)
    assert [r.cached for r in first.values()] == [False, False]
    assert desk.started() == ["good.size", "good.late"]
    second, _ = desk.run(*works)
    assert [r.cached for r in second.values()] == [True, True]
    assert desk.started() == []
    assert [r.observation for r in second.values()] == [r.observation for r in first.values()]


def test_one_changed_input_runs_only_its_check(desk: Desk) -> None:
    desk.run(desk.work("good.size"), desk.work("good.late"))
    results, _ = desk.run(desk.work("good.size", inputs="b"), desk.work("good.late"))
    assert desk.started() == ["good.size"]
    assert results["m", "good.late"].cached


def test_two_models_with_the_same_inputs_share_one_run(desk: Desk) -> None:
    results, _ = desk.run(desk.work("good.size", "one"), desk.work("good.size", "two"))
    assert desk.started() == ["good.size"]
    assert set(results) == {("one", "good.size"), ("two", "good.size")}
    with desk.store.reading() as tx:
        assert [r.model for r in tx.observations.of("two", "sha256:v")] == ["two"]
        assert tx.observations.count() == 1


def test_a_failed_attempt_is_no_observation_and_backs_off(desk: Desk) -> None:
    results, _ = desk.run(desk.work("bad.target"))
    assert results["m", "bad.target"].observation.status is Status.UNKNOWN
    assert "ran out of time" in str(results["m", "bad.target"].observation.reason)
    with desk.store.reading() as tx:
        assert tx.observations.count() == 0
    again, _ = desk.run(desk.work("bad.target"))
    assert desk.started() == []
    assert "next try after 2026-01-05T09:01:00Z" in str(again["m", "bad.target"].observation.reason)
    desk.run(desk.work("bad.target"), retry=True)
    assert desk.started() == ["bad.target"]
    desk.clock.advance(timedelta(hours=1))
    desk.run(desk.work("bad.target"))
    assert desk.started() == ["bad.target"]


def test_what_requires_an_unknown_result_is_not_run(desk: Desk) -> None:
    results, _ = desk.run(desk.work("bad.crash"), desk.work("good.late", requires=("bad.crash",)))
    reason = str(results["m", "good.late"].observation.reason)
    assert desk.started() == ["bad.crash"]
    assert reason.startswith("not run: bad.crash is unknown")


def test_a_users_own_fault_comes_back_as_his_error(desk: Desk) -> None:
    results, faults = desk.run(desk.work("bad.user"), desk.work("good.size"))
    assert set(results) == {("m", "good.size")}
    assert [type(fault) for fault in faults] == [ContractError]


def test_a_lease_held_elsewhere_is_waited_for(desk: Desk) -> None:
    work = desk.work("good.size")
    with desk.store.transaction() as tx:
        assert tx.leases.claim(work.key, "somebody else", 1)
    walking = WalkingClock(START)
    store = Store.open(None, desk.folder / "home", walking)
    pool = Pool(1, timeout_s=5, memory_bytes=2 << 30, log_folder=desk.folder, plugins=["acme-checks"])
    with pool:
        results, _ = Reconciler(store, pool, walking).run([(work, "sha256:v")])
    store.close()
    assert not results[0].cached
    assert walking() > START + timedelta(seconds=1)


def test_every_result_is_an_intent_for_the_ledger(desk: Desk) -> None:
    desk.run(desk.work("good.size"), desk.work("good.late"), desk.work("bad.target"))
    with desk.store.reading() as tx:
        kinds = [json.loads(entry)["kind"] for _, entry in tx.intents.pending(10)]
    assert kinds.count("observation.recorded") == 2


def test_progress_counts_to_the_end(desk: Desk) -> None:
    desk.run(desk.work("good.size"), desk.work("good.late", requires=("good.size",)))
    ended = [(p.state, p.done, p.total) for p in desk.seen if p.state != "started"]
    assert ended == [("measured", 1, 2), ("measured", 2, 2)]

"""Models, versions and deployments, in both times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.core.domain import FrozenClock, ModelVersion, People, Tier
from holdfast.core.errors import StoreError
from holdfast.core.store import Store

HOUR = timedelta(hours=1)


def test_a_version_is_new_once_and_a_model_is_as_last_said(store: Store, nouns: Any) -> None:
    with store.transaction() as tx:
        assert tx.models.find("m") is None
        assert tx.models.register(nouns.model(), nouns.version(), {"a": 1})
        assert not tx.models.register(nouns.model(tier=Tier.LOW), nouns.version(), {"a": 2})
        assert tx.models.register(nouns.model(people=People(True, True, False)), nouns.version(digest="v2"), {})
    with store.reading() as tx:
        assert tx.models.find("m") == nouns.model(people=People(True, True, False))
        assert tx.models.manifest("m", "v1") == {"a": 1}
        assert tx.models.manifest("m", "v9") is None
        assert tx.models.versions("m") == [ModelVersion("m", "v1", "onnx"), ModelVersion("m", "v2", "onnx")]
        assert [model.name for model in tx.models.all()] == ["m"]
        assert tx.models.count() == 1


def test_a_version_belongs_to_its_model(store: Store, nouns: Any) -> None:
    with pytest.raises(ValueError, match="other"), store.transaction() as tx:
        tx.models.register(nouns.model(), nouns.version("other"), {})


def register(store: Store, nouns: Any, *digests: str) -> None:
    with store.transaction() as tx:
        for digest in digests:
            tx.models.register(nouns.model(), nouns.version(digest=digest), {})


def test_what_was_deployed_last_is_deployed(store: Store, nouns: Any, clock: FrozenClock) -> None:
    register(store, nouns, "v1", "v2")
    with store.transaction() as tx:
        assert tx.models.deployed("m") is None
        tx.models.deploy("m", "v1")
        tx.models.deploy("m", "v1", "staging")
        clock.advance(HOUR)
        tx.models.deploy("m", "v2")
        assert tx.models.deployed("m") == "v2"
        assert tx.models.deployed("m", "staging") == "v1"


def test_both_times_of_a_deployment_are_kept(store: Store, nouns: Any, clock: FrozenClock) -> None:
    register(store, nouns, "v1", "v2", "v3")
    start = clock()
    clock.advance(3 * HOUR)
    with store.transaction() as tx:
        tx.models.deploy("m", "v1", effective_at=start)
        clock.advance(HOUR)
        tx.models.deploy("m", "v3")
        known_then = clock()
        clock.advance(HOUR)
        told_late = tx.models.deploy("m", "v2", effective_at=start + HOUR)
    assert told_late.recorded_at - told_late.effective_at == 4 * HOUR
    with store.reading() as tx:
        assert tx.models.deployed("m") == "v3", "what was learned late does not undo what came later"
        assert tx.models.deployed_at("m", start - HOUR) is None
        assert tx.models.deployed_at("m", start) == "v1"
        assert tx.models.deployed_at("m", start + 2 * HOUR) == "v2"
        assert tx.models.deployed_at("m", start + 2 * HOUR, known_at=known_then) == "v1"
        assert tx.models.deployed_at("m", clock()) == "v3"
        assert tx.models.deployed_at("m", clock(), "staging") is None
        assert [item.version for item in tx.models.history("m")] == ["v1", "v3", "v2"]


def test_of_two_deployments_at_one_moment_the_one_recorded_last_counts(store: Store, nouns: Any) -> None:
    register(store, nouns, "v1", "v2")
    with store.transaction() as tx:
        tx.models.deploy("m", "v2")
        tx.models.deploy("m", "v1")
        assert tx.models.deployed("m") == tx.models.deployed_at("m", store.clock()) == "v1"


@pytest.mark.parametrize(
    ("model", "version", "code"), [("unknown", "v1", "HF-STO-009"), ("m", "unknown", "HF-STO-005")]
)
def test_only_what_is_registered_can_be_deployed(store: Store, nouns: Any, model: str, version: str, code: str) -> None:
    register(store, nouns, "v1")
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.models.deploy(model, version)
    assert raised.value.code == code
    with store.reading() as tx:
        assert tx.models.history(model) == []


def test_a_deployment_in_the_future_is_refused(store: Store, nouns: Any, clock: FrozenClock) -> None:
    register(store, nouns, "v1")
    with pytest.raises(StoreError) as raised, store.transaction() as tx:
        tx.models.deploy("m", "v1", effective_at=clock() + HOUR)
    assert raised.value.code == "HF-STO-010"


def test_moments_need_a_timezone_and_come_back_in_utc(store: Store, nouns: Any) -> None:
    register(store, nouns, "v1")
    from datetime import timezone

    local = datetime(2026, 1, 5, 3, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with store.transaction() as tx:
        kept = tx.models.deploy("m", "v1", effective_at=local)
    assert kept.effective_at == datetime(2026, 1, 5, 1, 30, 0, 123456, tzinfo=UTC)
    assert kept.effective_at.tzinfo == UTC
    with pytest.raises(StoreError, match="cannot be used"), store.reading() as tx:
        tx.models.deployed_at("m", datetime(2026, 1, 5))  # noqa: DTZ001

"""Where models stand: what was judged last, and whether it still holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.domain import FrozenClock, Model, ModelVersion, Task, Tier, Verdict
from holdfast.core.report import AuditReport, ModelReport
from holdfast.core.store import Store
from holdfast.gate import decide
from holdfast.gate.queries import report, standing, standings, worst_first


@pytest.fixture
def store(tmp_path: Path, desk: Any) -> Iterator[Store]:
    store = Store.open(None, tmp_path, FrozenClock(desk.now))
    with store.transaction() as tx:
        for name in ("a", "b", "c"):
            model = Model(name, "u", "eu", "o", Tier.HIGH, "p", Task("binary"))
            tx.models.register(model, ModelVersion(name, "sha256:v", "onnx"), {})
    yield store
    store.close()


def test_models_stand_where_their_last_judgement_put_them(store: Store, desk: Any) -> None:
    later = desk.now + timedelta(days=1)
    with store.transaction() as tx:
        tx.judgements.add(desk.judgement(Verdict.FAILED, model="a", version="sha256:v", key="1"))
        tx.judgements.add(desk.judgement(Verdict.PASSED, model="a", version="sha256:v", key="2", as_of=later))
        tx.judgements.add(desk.judgement(Verdict.FAILED, model="b", version="sha256:v", key="3"))
    with store.reading() as tx:
        assert [(item.model, item.verdict) for item in standings(tx, later)] == [
            ("b", Verdict.FAILED),
            ("c", Verdict.UNKNOWN),
            ("a", Verdict.PASSED),
        ]
        assert standing(tx, "a", desk.now).verdict is Verdict.FAILED
        assert standing(tx, "a", desk.now - timedelta(days=1)).judgement is None


def test_what_passed_and_expired_is_unknown_and_what_failed_stays_failed(store: Store, desk: Any) -> None:
    with store.transaction() as tx:
        tx.judgements.add(desk.judgement(Verdict.PASSED, model="a", version="sha256:v", key="1"))
        tx.judgements.add(desk.judgement(Verdict.FAILED, model="b", version="sha256:v", key="2"))
    with store.reading() as tx:
        end = desk.now + timedelta(days=2)
        assert not standing(tx, "a", end - timedelta(seconds=1)).expired
        assert (standing(tx, "a", end).expired, standing(tx, "a", end).verdict) == (True, Verdict.UNKNOWN)
        assert standing(tx, "b", end).verdict is Verdict.FAILED


def test_a_report_carries_the_decision(desk: Any) -> None:
    decision = decide([desk.judgement(Verdict.UNKNOWN, True)])
    made = report(decision, AuditReport(desk.now, tuple(ModelReport(item) for item in decision.judgements)))
    assert (made.verdict, made.blocks, made.exit_code, made.valid_until) == (
        Verdict.UNKNOWN,
        True,
        3,
        decision.valid_until,
    )


def test_the_worst_model_is_read_first(desk: Any) -> None:
    models = [ModelReport(desk.judgement(verdict, model=verdict.value)) for verdict in Verdict]
    assert [item.model for item in worst_first(models)] == ["failed", "unknown", "passed"]

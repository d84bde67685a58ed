"""A quarantine stops a model at the gate, by whomever it was ordered, and only while it is in force and enforced."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.domain import Cause, Ceiling, Claim, FrozenClock, Verdict
from holdfast.core.store import Store
from holdfast.gate import decide
from holdfast.gate.orders import RULE, under_orders


def order(desk: Any, target: str, *, enforce: bool = True, effect: str = "quarantine") -> Claim:
    return Claim(
        Cause("alert", "alr_1"),
        effect,
        target,
        Ceiling.QUARANTINE,
        desk.now,
        body={"enforce": enforce, "playbook": "p"},
    )


def answered(desk: Any, home: Path, *claims: Claim, later: timedelta = timedelta()) -> Any:
    with Store.open(None, home, FrozenClock(desk.now)) as store:
        with store.transaction() as tx:
            for claim in claims:
                tx.claims.make(claim)
        with store.reading() as tx:
            return under_orders(tx, [desk.judgement()], desk.now + later)


@pytest.mark.parametrize("by", ["model", "version"])
def test_a_quarantined_model_does_not_pass(desk: Any, tmp_path: Path, by: str) -> None:
    judged = desk.judgement()
    target = "model:credit" if by == "model" else f"version:credit@{judged.version}"
    (item,) = answered(desk, tmp_path / "home", order(desk, target))
    assert (item.verdict, item.blocks) == (Verdict.FAILED, True)
    assert item.reasons[0].rule == RULE
    assert "alert:alr_1" in item.reasons[0].why
    assert decide([item]).exit_code == 1


@pytest.mark.parametrize(
    "claim",
    [
        {"target": "model:other"},
        {"target": "version:credit@sha256:00"},
        {"target": "model:credit", "enforce": False},
        {"target": "model:credit", "effect": "throttle"},
    ],
)
def test_other_orders_stop_nothing(desk: Any, tmp_path: Path, claim: dict[str, Any]) -> None:
    (item,) = answered(desk, tmp_path / "home", order(desk, **claim))
    assert item == desk.judgement()


def test_an_order_that_was_lifted_stops_nothing(desk: Any, tmp_path: Path) -> None:
    with Store.open(None, tmp_path / "home", FrozenClock(desk.now)) as store, store.transaction() as tx:
        tx.claims.make(order(desk, "model:credit"))
        tx.claims.withdraw(Cause("alert", "alr_1"))
        (item,) = under_orders(tx, [desk.judgement()], desk.now)
    assert item == desk.judgement()

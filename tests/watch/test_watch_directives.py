"""Orders in force: what they amount to for a call, how they are kept at hand, and that nothing here stops a model."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import happenings
from holdfast.core.domain import FrozenClock
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.directive import Action, Directive
from holdfast.watch.directives import FREE, Orders, Throttle, parse, plan


def order(action: Action, *, client: str | None = None, enforce: bool = True, **changes: Any) -> Directive:
    until = changes.pop("until", None)
    return Directive(action, "m", client, enforce, Ceiling.WARN, ("alert:a",), until, changes)


def planned(*orders: Directive, client: str = "c") -> Any:
    return plan(orders, client, Throttle(), 0.0)


def test_no_orders_mean_nothing_and_those_not_enforced_are_only_noted() -> None:
    assert planned() is FREE
    found = planned(order(Action.BLOCK, enforce=False), order(Action.COARSEN, enforce=False))
    assert not found.block
    assert found.digits is None
    assert (found.applied, found.would) == ((), ("block", "coarsen"))


def test_enforced_orders_say_what_to_do() -> None:
    found = planned(order(Action.COARSEN, digits=2), order(Action.STEP_UP), order(Action.SHADOW), order(Action.FREEZE))
    assert (found.digits, found.step_up, found.shadow, found.freeze, found.block) == (2, True, True, True, False)
    assert found.applied == ("coarsen", "freeze", "shadow", "step-up")
    assert planned(order(Action.QUARANTINE)).block
    assert planned(order(Action.BLOCK), order(Action.BLOCK, enforce=False)).would == ()


@given(st.one_of(st.none(), st.booleans(), st.text(), st.floats(), st.integers(), st.lists(st.integers())))
def test_numbers_of_an_order_that_make_no_sense_fall_back(value: Any) -> None:
    digits = planned(order(Action.COARSEN, digits=value)).digits
    assert digits is not None
    assert 0 <= digits <= 15
    planned(order(Action.THROTTLE, per_minute=value))


def test_a_throttle_lets_so_many_through_per_minute_and_client() -> None:
    throttle = Throttle()
    orders = [order(Action.THROTTLE, per_minute=3)]
    passed = [plan(orders, "a", throttle, 0.0).retry_s is None for _ in range(5)]
    assert passed == [True, True, True, False, False]
    assert plan(orders, "b", throttle, 0.0).retry_s is None
    late = plan(orders, "a", throttle, 0.0)
    assert late.retry_s == pytest.approx(20)
    assert late.applied == ("throttle",)
    assert plan(orders, "a", throttle, 20.1).retry_s is None
    assert plan([order(Action.THROTTLE, per_minute=0)], "z", throttle, 0.0).retry_s is not None


def test_orders_are_those_of_the_client_or_of_all_until_their_end() -> None:
    clock = FrozenClock(happenings.NOON)
    mine = order(Action.BLOCK, client="c", until=happenings.NOON + timedelta(minutes=1))
    everyones = order(Action.WATCH)
    orders = Orders(lambda: [mine, everyones], clock)
    orders.refresh()
    assert orders.of("c") == (mine, everyones)
    assert orders.of("d") == (everyones,)
    clock.advance(timedelta(minutes=1))
    assert orders.of("c") == (everyones,)


def test_a_source_that_fails_is_counted_and_the_last_orders_hold_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [[order(Action.BLOCK)], OSError("gone"), OSError("gone")]

    def source() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    orders = Orders(source, FrozenClock(happenings.NOON))
    orders.refresh()
    orders.refresh()
    assert orders.failures == 1
    assert len(orders.of("c")) == 1
    monkeypatch.setattr("holdfast.watch.directives.STALE_S", 0.0)
    assert orders.of("c") == ()


def test_a_call_never_waits_for_the_source() -> None:
    def slow() -> Any:
        time.sleep(5)
        return [order(Action.BLOCK)]

    orders = Orders(slow)
    began = time.monotonic()
    assert orders.of("c") == ()
    assert orders.of("c") == ()
    assert time.monotonic() - began < 4


def test_what_the_server_says_is_read_strictly_and_unknown_actions_are_left_out() -> None:
    row = {
        "action": "throttle",
        "model": "m",
        "client": "c",
        "enforce": True,
        "ceiling": "warn",
        "causes": ["alert:a"],
        "until": "2026-01-05T12:00:00Z",
        "body": {"per_minute": 3},
    }
    (found,) = parse(json.dumps({"directives": [row, {**row, "action": "dance"}]}).encode())
    assert found == Directive(
        Action.THROTTLE, "m", "c", True, Ceiling.WARN, ("alert:a",), happenings.NOON, {"per_minute": 3}
    )
    assert not parse(json.dumps({"directives": [{**row, "enforce": "yes"}]}).encode())[0].enforce


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["directives", "action", "model", "until", "body", "ceiling"]), inner)
        ),
    )
)
def test_any_answer_is_orders_or_a_value_error(value: Any) -> None:
    try:
        assert isinstance(parse(json.dumps(value).encode()), list)
    except ValueError:
        return

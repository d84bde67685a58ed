"""Whatever alerts, playbooks and people do in whatever order: taking one back leaves what the others want."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerted import START, fresh_store
from holdfast.core.domain import Cause, Ceiling, FrozenClock, derive, digest, state_digest
from holdfast.core.domain.claim import Claim
from holdfast.core.domain.response import Approval, Order, Run, by_hand, run_id
from holdfast.core.store import Transaction
from holdfast.respond.run import settle, standing_claims

EFFECTS = ("throttle", "block", "allow", "watch")
TARGETS = ("client:m/a", "client:m/b", "model:m")

orders = st.builds(
    Order,
    effect=st.sampled_from(EFFECTS),
    target=st.sampled_from(TARGETS),
    ceiling=st.sampled_from([Ceiling.WARN, Ceiling.BLOCK_NEW]),
    lasts_s=st.sampled_from([600.0, 3600.0, 7200.0]),
    asked=st.booleans(),
    needs=st.integers(0, 2),
    body=st.sampled_from([{}, {"per_minute": 1}, {"per_minute": 2}]),
)
causes = st.sampled_from(
    [
        Cause("alert", "A"),
        Cause("alert", "B"),
        by_hand("ana", "throttle"),
        by_hand("ana", "allow"),
        by_hand("ben", "block"),
    ]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), causes, st.sampled_from("pqr"), st.lists(orders, max_size=3)),
        st.tuples(st.just("undo"), st.integers(0, 20)),
        st.tuples(st.just("approve"), st.integers(0, 20), st.sampled_from(["x", "y", "z"])),
        st.tuples(st.just("wait"), st.sampled_from([60, 1200, 5000])),
    ),
    max_size=14,
)


def expected(runs: Iterable[Run], clock: FrozenClock) -> str:
    """The state by the plainest reading: every order of every standing run, the furthest-going for each claim."""
    best: dict[str, Claim] = {}
    for run in runs:
        for order in run.orders if run.undone_at is None else ():
            claim = run.claim(order)
            if not claim.active(clock()):
                continue
            rival = best.get(claim.id)
            if rival is None or _further(claim) > _further(rival):
                best[claim.id] = claim
    return state_digest(derive(best.values(), clock()))


def _further(claim: Claim) -> tuple[int, object, str]:
    return claim.ceiling.rank, claim.until, digest(dict(claim.body))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_the_state_is_always_what_the_standing_runs_want(script: list[tuple[object, ...]]) -> None:
    clock = FrozenClock(START)
    with tempfile.TemporaryDirectory() as folder, fresh_store(Path(folder), clock) as store:
        made: list[str] = []
        for step in script:
            store.run(lambda tx, step=step: _do(tx, clock, made, step))  # type: ignore[misc]
            with store.reading() as tx:
                runs = [tx.runs.find(name) for name in made]
                assert state_digest(tx.claims.effects()) == expected([run for run in runs if run], clock)


def _do(tx: Transaction, clock: FrozenClock, made: list[str], step: tuple[object, ...]) -> None:
    if step[0] == "wait":
        clock.advance(timedelta(seconds=int(str(step[1]))))
        # Time alone ends claims; only what a change touches is derived again, as in the house.
        for cause in {run.cause for run in map(tx.runs.find, made) if run}:
            settle(tx, cause)
    elif step[0] == "run":
        _, cause, name, wanted = step
        assert isinstance(cause, Cause)
        run = Run(run_id(str(name), cause), str(name), "", cause, "m", tuple(wanted), clock())  # type: ignore[arg-type]
        if tx.runs.add(run):
            made.append(run.id)
        settle(tx, cause)
    elif made:
        found = tx.runs.find(made[int(str(step[1])) % len(made)])
        assert found is not None
        if step[0] == "undo":
            tx.runs.undo(found.id, "ana", "a test")
        else:
            tx.runs.approve(found.id, Approval(str(step[2]), clock()))
        settle(tx, found.cause)


@given(st.lists(orders, max_size=4), st.lists(orders, max_size=4))
def test_claims_of_a_cause_do_not_depend_on_the_order_of_its_runs(one: list[Order], other: list[Order]) -> None:
    cause = Cause("alert", "A")
    first = Run("run_1", "p", "", cause, "m", tuple(one), START)
    second = Run("run_2", "q", "", cause, "m", tuple(other), START)
    assert standing_claims([first, second], START) == standing_claims([second, first], START)
    gone = replace(second, undone_at=START)
    assert standing_claims([first, gone], START) == standing_claims([first], START)

"""What follows from an alert is a pure function; its bounds hold for every input."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerted import START
from holdfast.core.domain import Severity, Tier
from holdfast.core.domain.alert import Alert, Campaign
from holdfast.core.domain.claim import Ceiling
from holdfast.core.domain.directive import Action, Directive
from holdfast.core.domain.response import Run
from holdfast.respond.decision import MAX_CLIENTS, Situation, approvals, decide
from holdfast.respond.playbook import Playbook
from holdfast.respond.schema import GRAVE, Mode

TEXT = """\
version: 1
id: {id}
mode: enforce
on: {{severity: ">= low"}}
steps:
  - {{do: throttle, on: client, for: 6h, ceiling: warn, body: {{per_minute: 30}}}}
  - {{do: block, on: client, for: 2h, ceiling: block-new}}
  - {{do: coarsen, on: model, for: 1h, ceiling: warn, body: {{digits: 2}}}}
  - {{do: quarantine, on: version, for: 1h, ceiling: quarantine}}
caps: {{enforced: {enforced}, clients_share: {clients}, models_share: {models}}}
cases:
  - {{given: {{technique: AML.T0015, severity: low, tier: low}}, expect: [throttle, block, coarsen, quarantine]}}
  - {{given: {{technique: AML.T0015, severity: info, tier: low}}, expect: []}}
"""


def playbook(name: str = "p", enforced: int = 20, clients: float = 0.1, models: float = 0.25) -> Playbook:
    return Playbook.parse(TEXT.format(id=name, enforced=enforced, clients=clients, models=models), f"{name}.yaml")


def alert(*clients: str, model: str = "m", severity: Severity = Severity.HIGH, technique: str = "AML.T0015") -> Alert:
    campaign = Campaign(
        "cmp_1", model, technique, "cell:1", ("near-duplicates",), clients, (), (), 1, 1.0, START, START
    )
    return Alert(campaign, None, severity, "an alert", START)


def situation(*clients: str, **more: object) -> Situation:
    basis = Situation(alert(*clients), Tier.HIGH, START, version="sha256:1", mode=Mode.ENFORCE, clients=100, models=100)
    return replace(basis, **more)  # type: ignore[arg-type]


def orders(run: Run) -> dict[str, tuple[bool, int]]:
    return {item.effect: (run.enforced(item), item.needs) for item in run.orders}


def test_mild_orders_are_enforced_and_grave_ones_wait_for_people() -> None:
    [planned] = decide([playbook(clients=1, models=1)], situation("c1"))
    assert orders(planned.run) == {
        "throttle": (True, 0),
        "block": (False, 2),
        "coarsen": (True, 0),
        "quarantine": (False, 2),
    }
    assert planned.run.missing == 2
    assert [item.target for item in planned.run.orders] == [
        "client:m/c1",
        "client:m/c1",
        "model:m",
        "version:m@sha256:1",
    ]


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("action", list(Action))
def test_who_must_approve(action: Action, tier: Tier) -> None:
    wanted = (2 if tier in (Tier.HIGH, Tier.CRITICAL) else 1) if action in GRAVE else 0
    assert approvals(action, tier) == wanted


def test_an_installation_that_observes_enforces_nothing_and_asks_nobody() -> None:
    [planned] = decide([playbook()], situation("c1", mode=Mode.OBSERVE))
    assert {enforced for enforced, _ in orders(planned.run).values()} == {False}
    assert planned.run.missing == 0


def test_the_shares_of_clients_and_models_are_capped() -> None:
    [planned] = decide([playbook(clients=0.02)], situation("c1", "c2", "c3"))
    throttled = [order for order in planned.run.orders if order.effect == "throttle"]
    assert [order.needs for order in throttled] == [0, 0, 1]
    assert any("3% of the model's clients" in note for note in throttled[2].notes)
    coarsen = next(order for order in planned.run.orders if order.effect == "coarsen")
    assert coarsen.needs == 1
    assert any("all clients" in note for note in coarsen.notes)


def test_models_are_counted_over_what_is_enforced_already() -> None:
    standing = tuple(
        Directive(Action.COARSEN, f"m{n}", None, True, Ceiling.WARN, ("alert:x",), None, {}) for n in range(25)
    )
    [planned] = decide([playbook(clients=1, enforced=100)], situation("c1", directives=standing))
    assert next(order for order in planned.run.orders if order.effect == "coarsen").needs == 1
    [fewer] = decide([playbook(clients=1, enforced=100)], situation("c1", directives=standing[1:]))
    assert next(order for order in fewer.run.orders if order.effect == "coarsen").needs == 0


def test_nobody_is_slowed_where_the_number_of_clients_is_not_known() -> None:
    [planned] = decide([playbook(clients=1)], situation("c1", clients=None))
    throttle = planned.run.orders[0]
    assert (throttle.needs, throttle.notes) == (1, ("cap: how many clients the model has is not known",))


def test_the_cap_on_orders_counts_over_playbooks() -> None:
    books = [playbook("a", enforced=2, clients=1, models=1), playbook("b", enforced=2, clients=1, models=1)]
    first, second = decide(books, situation("c1"))
    assert orders(first.run)["throttle"] == (True, 0)
    # The second playbook's orders are the same ones on the same targets, so nothing more is reached by them.
    assert orders(second.run)["throttle"] == (True, 0)
    [third] = decide([playbook(enforced=1, clients=1, models=1)], situation("c1", "c2"))
    assert [item.needs for item in third.run.orders if item.effect == "throttle"] == [0, 1]


def test_a_campaign_of_very_many_clients_is_cut_and_says_so() -> None:
    many = tuple(f"c{n}" for n in range(MAX_CLIENTS + 7))
    [planned] = decide([playbook()], situation(*many))
    throttled = [order for order in planned.run.orders if order.effect == "throttle"]
    assert len(throttled) == MAX_CLIENTS
    assert "7 more clients" in throttled[0].notes[0]


@pytest.mark.parametrize(
    ("trigger", "fires"),
    [
        ("{technique: [AML.T0015]}", True),
        ("{technique: [AML.T0024]}", False),
        ('{models: ["m"]}', True),
        ('{models: ["card-*"]}', False),
        ('{detectors: ["near-*"]}', True),
        ('{detectors: ["drift*"]}', False),
        ("{tiers: [high]}", True),
        ("{tiers: [critical]}", False),
        ("{finding: unpredicted}", True),
        ("{finding: predicted}", False),
        ('{technique: [AML.T0015], severity: "== high", finding: unpredicted}', True),
        ('{technique: [AML.T0015], severity: "> high"}', False),
    ],
)
def test_triggers(trigger: str, fires: bool) -> None:
    import yaml

    from holdfast.respond.decision import answers
    from holdfast.respond.schema import Trigger

    read = Trigger.model_validate(yaml.safe_load(trigger))
    assert answers(read, situation("c1")) is fires


def test_a_technique_covers_its_sub_techniques_and_not_its_neighbours() -> None:
    from holdfast.respond.decision import answers
    from holdfast.respond.schema import Trigger

    wide, narrow = Trigger(technique=("AML.T0024",)), Trigger(technique=("AML.T0024.002",))
    sub = situation(alert=alert("c", technique="AML.T0024.002"))
    whole = situation(alert=alert("c", technique="AML.T0024"))
    assert (answers(wide, sub), answers(wide, whole)) == (True, True)
    assert (answers(narrow, sub), answers(narrow, whole)) == (True, False)


names = st.text("abc/ :@é", min_size=1, max_size=8)
caps = st.fixed_dictionaries(
    {
        "enforced": st.integers(0, 8),
        "clients": st.sampled_from([0, 0.1, 0.5, 1]),
        "models": st.sampled_from([0, 0.5, 1]),
    }
)


@given(
    st.lists(names, max_size=12),
    st.sampled_from(list(Tier)),
    st.integers(1, 20) | st.none(),
    st.integers(1, 4),
    st.lists(caps, min_size=1, max_size=3),
)
def test_no_person_no_grave_order_and_no_cap_is_ever_passed(
    clients: list[str], tier: Tier, known: int | None, models: int, limits: list[dict[str, float]]
) -> None:
    books = [playbook(f"p{number}", **limit) for number, limit in enumerate(limits)]  # type: ignore[arg-type]
    state = situation(*clients, tier=tier, clients=known, models=models)
    planned = decide(books, state)
    enforced = [(item.run, order) for item in planned for order in item.run.orders if item.run.enforced(order)]
    assert not [order for _, order in enforced if Action(order.effect) in GRAVE]
    distinct = {(order.effect, order.target) for _, order in enforced}
    assert len(distinct) <= max(limit["enforced"] for limit in limits)
    reached = {order.target for _, order in enforced if order.target.startswith("client:")}
    if reached:
        assert known is not None
        assert len(reached) / known <= max(limit["clients"] for limit in limits)
    if any(order.target == "model:m" for _, order in enforced):
        assert 1 / models <= max(limit["models"] for limit in limits)
    assert decide(books, state) == planned


def test_an_order_ends_by_itself_and_counts_from_when_it_is_enforced() -> None:
    from holdfast.core.domain.response import Approval

    [planned] = decide([playbook()], situation("c1"))
    block = next(item for item in planned.run.orders if item.effect == "block")
    assert planned.run.ends(block) == START + timedelta(hours=2)
    later = START + timedelta(minutes=50)
    approved = replace(planned.run, approvals=(Approval("a", START), Approval("b", later)))
    assert approved.enforced(block)
    assert approved.ends(block) == later + timedelta(hours=2)

"""The ranking table: every row there, none of them absurd, and the reasons say which one was taken."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from holdfast.backlog.evidence import Evidence, exposure_of
from holdfast.backlog.ranking import Inputs, due, points, rank
from holdfast.backlog.table import ACCEPT_DAYS, DAYS, TABLE, Exploitation, Exposure, Utility
from holdfast.core.domain import Finding, Severity, Tier
from holdfast.core.domain.alert import CAMPAIGN_CHECK, Alert, AlertState, Campaign
from holdfast.core.domain.backlog import Urgency

from .conftest import NOW, Estate, finding

SCALES: tuple[Any, ...] = (Exploitation, Exposure, Utility, Tier)
PLACES = list(product(*SCALES))


def test_the_table_has_every_row_and_no_other() -> None:
    assert set(TABLE) == set(PLACES)
    assert len(PLACES) == 96
    assert set(TABLE.values()) == set(Urgency)


def worse(place: tuple[Any, ...], axis: int) -> tuple[Any, ...] | None:
    scale = list(SCALES[axis])
    at = scale.index(place[axis])
    return None if at + 1 == len(scale) else (*place[:axis], scale[at + 1], *place[axis + 1 :])


def test_worse_input_never_ranks_lower() -> None:
    steps = [(place, after) for place in PLACES for axis in range(4) if (after := worse(place, axis)) is not None]
    assert len(steps) > 200
    assert [(place, after) for place, after in steps if TABLE[after] < TABLE[place]] == []


def test_every_input_decides_somewhere() -> None:
    for axis in range(4):
        assert any((after := worse(place, axis)) is not None and TABLE[after] != TABLE[place] for place in PLACES)


@pytest.mark.parametrize("tiers", [DAYS[urgency] for urgency in Urgency] + [ACCEPT_DAYS])
def test_more_important_models_never_get_more_time(tiers: dict[Tier, int]) -> None:
    days = [tiers[tier] for tier in Tier]
    assert days == sorted(days, reverse=True)


@pytest.mark.parametrize("tier", list(Tier))
def test_more_urgent_work_never_gets_more_time(tier: Tier) -> None:
    ends = [due(urgency, tier, NOW) for urgency in Urgency]
    assert ends == sorted(ends, reverse=True)
    assert min(ends) > NOW


def inputs(**changes: Any) -> Inputs:
    said = {
        "exploitation": Exploitation.OWN,
        "exploitation_why": "share is 0.4",
        "exposure": Exposure.PUBLIC,
        "exposure_why": "no token",
        "utility": Utility.AUTOMATABLE,
        "utility_why": "a program",
        "tier": Tier.CRITICAL,
        "severity": Severity.HIGH,
        "success": 0.5,
    }
    return Inputs(**{**said, **changes})


def test_a_rank_prints_its_reasons_and_its_sum() -> None:
    found = rank(inputs())
    assert found.urgency is Urgency.IMMEDIATE
    assert found.score == 34.5
    assert found.reasons == (
        "exploitation: our own attack succeeded (share is 0.4)",
        "exposure: public (no token)",
        "utility: automatable (a program)",
        "impact: tier critical",
        "so: immediate",
        "tie-break: 34.5 = severity high 30 + success 0.5 x 9",
    )


def test_success_never_outweighs_a_step_of_severity() -> None:
    assert rank(inputs(success=1.0)).score < rank(inputs(success=0.0, severity=Severity.CRITICAL)).score


@pytest.mark.parametrize(
    ("endpoint", "exposure"),
    [
        (None, Exposure.INTERNAL),
        ({"url": "http://scoring:8080/v2"}, Exposure.INTERNAL),
        ({"url": "http://10.2.3.4/v2"}, Exposure.INTERNAL),
        ({"url": "http://[::1]:9000/v2"}, Exposure.INTERNAL),
        ({"url": "https://score.bank.internal/v2"}, Exposure.INTERNAL),
        ({"url": "https://models.bank.example/v2", "auth": {"bearer_env": "T"}}, Exposure.PARTNER),
        ({"url": "https://models.bank.example/v2"}, Exposure.PUBLIC),
        ({"url": "https://8.8.8.8/v2"}, Exposure.PUBLIC),
        ("nonsense", Exposure.INTERNAL),
    ],
)
def test_exposure_is_read_from_the_declared_endpoint(endpoint: Any, exposure: Exposure) -> None:
    assert exposure_of({"endpoint": endpoint})[0] is exposure


def asked(estate: Estate, **changes: Any) -> Inputs:
    def ask(tx: Any) -> Inputs:
        return Evidence(tx, tx.models.find("m")).inputs(finding(**changes))

    return estate.do(ask)


def test_a_measured_attack_counts_as_our_own(one: Estate) -> None:
    one.failing(success=0.6)
    found = asked(one)
    assert (found.exploitation, found.success) == (Exploitation.OWN, 0.6)
    assert "evasion.search.success_share is 0.6" in found.exploitation_why
    assert found.utility is Utility.AUTOMATABLE


def test_an_attack_that_never_succeeded_does_not(one: Estate) -> None:
    one.failing(success=0.0)
    assert asked(one).exploitation is Exploitation.PUBLIC
    assert asked(one, check="data.contract", technique=None).exploitation is Exploitation.NONE
    assert asked(one, check="data.contract").utility is Utility.MANUAL


def test_a_running_campaign_is_seen_live(one: Estate) -> None:
    one.failing()
    assert asked(one, check=CAMPAIGN_CHECK).exploitation is Exploitation.LIVE


def raised(estate: Estate, found: Finding) -> Alert:
    at = estate.clock()
    campaign = Campaign("cmp_1", "m", "AML.T0015", "client:c", ("d",), ("c",), ("x",), ("e1",), 3, 0.9, at, at)
    alert = Alert(campaign, "v1", Severity.HIGH, "probing", at)

    def work(tx: Any) -> None:
        tx.campaigns.keep(campaign, live=True)
        tx.alerts.add(alert)
        tx.alerts.set_finding(alert.id, found.fingerprint)

    estate.do(work)
    return alert


def test_a_joined_alert_ranks_its_finding_up_until_it_is_closed(estate: Estate) -> None:
    before = estate.failing(success=0.0)
    alert = raised(estate, finding())
    estate.later(hours=1)
    estate.sync(key=alert.id)
    live = estate.item()
    assert live.rank.urgency > before.rank.urgency
    assert f"exploitation: seen live (1 alert joined: {alert.id})" in live.rank.reasons
    estate.do(lambda tx: tx.alerts.set_state(alert.id, AlertState.CLOSED, by="ana", reason="blocked"))
    estate.sync(key=alert.id)
    assert estate.item().rank == before.rank
    assert estate.steps() == ["opened", "ranked", "ranked"]


def test_sizes_are_guessed_by_area() -> None:
    assert points("evasion.search") > points("deps.advisories")
    assert points("acme.own") == 5


def test_a_worse_rank_moves_the_due_date_from_the_same_start(one: Estate) -> None:
    before = one.failing(success=0.0)
    one.later(days=3)
    one.see("evasion.search", success=0.9)
    one.sync()
    after = one.item()
    assert after.rank.urgency > before.rank.urgency
    assert after.opened_at == before.opened_at
    assert after.due_at == before.opened_at + timedelta(days=DAYS[after.rank.urgency][Tier.HIGH])
    assert one.steps() == ["opened", "ranked"]

"""endpoint.availability against real servers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from endpoints import TOKEN, Behaviour, serving

import bank
from holdfast.audit.checks.endpoint.availability import AvailabilityParams, observe
from holdfast.audit.interface import Budget
from holdfast.audit.target import EndpointParts, Target
from holdfast.core.domain.observation import Observation, Status
from holdfast.core.errors import TargetError

QUICK = AvailabilityParams(patience_s=0.2, rows=(16, 512))
VARIABLE = "TEST_ENDPOINT_TOKEN"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def look(folder: Path, url: str, protocol: str = "open-inference-v2") -> Observation:
    parts = bank.write(folder, n=20)
    contract = None if protocol == "json" else parts.contract
    parts = replace(parts, contract=contract, endpoint=EndpointParts(url, protocol, VARIABLE))
    with Target(parts) as target:
        return observe(target, QUICK, Budget())


def facts(seen: Observation) -> dict[str, object]:
    return {fact.kind: fact.value for fact in seen.facts}


def test_a_decent_endpoint_holds(tmp_path: Path) -> None:
    with serving(Behaviour()) as url:
        seen = look(tmp_path, url)
    assert facts(seen) == {"endpoint.availability": "holds", "endpoint.payloads": "refused"}
    measured = {one.name: one.value for one in seen.measurements}
    assert measured["endpoint.broken_payloads"] == 0
    assert measured["endpoint.latency_s"] > 0
    assert TOKEN not in repr(seen)


@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [(Behaviour(validate=False), "breaks"), (Behaviour(validate=False, dies=True), "goes-down")],
)
def test_what_breaks_is_told(behaviour: Behaviour, verdict: str, tmp_path: Path) -> None:
    with serving(behaviour) as url:
        assert facts(look(tmp_path, url))["endpoint.availability"] == verdict


def test_plain_json_needs_no_contract(tmp_path: Path) -> None:
    with serving(Behaviour(plain=True)) as url:
        assert facts(look(tmp_path, url, "json"))["endpoint.availability"] == "holds"


def test_an_endpoint_that_answers_nothing_valid_is_an_attempt(tmp_path: Path) -> None:
    with serving(Behaviour(token="other")) as url, pytest.raises(TargetError) as raised:
        look(tmp_path, url)
    assert raised.value.code == "HF-AUD-002"


def test_tensors_without_a_contract_are_unknown(tmp_path: Path) -> None:
    parts = replace(bank.write(tmp_path, n=20), contract=None, endpoint=EndpointParts("http://127.0.0.1:9/", "x"))
    with Target(parts) as target:
        assert observe(target, QUICK, Budget()).status is Status.UNKNOWN

"""Endpoints that do one thing wrong, as real servers; the decent one passes the baseline policy."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from endpoints import TOKEN, Behaviour, serving

import bank
from holdfast.app import Holdfast
from holdfast.audit.checks.endpoint.hygiene import HygieneParams, observe
from holdfast.audit.checks.endpoint.leaks import leaks
from holdfast.audit.checks.endpoint.wire import Reply
from holdfast.audit.interface import Budget
from holdfast.audit.run import LIVE_RESULTS_AGE
from holdfast.audit.target import EndpointParts, Target
from holdfast.core.domain.observation import Observation, Status
from holdfast.core.domain.verdict import Verdict
from holdfast.core.errors import TargetError
from holdfast.core.settings import Settings

QUICK = HygieneParams(max_bytes=2**20, max_rows=1024)
VARIABLE = "TEST_ENDPOINT_TOKEN"
DECENT = {
    "endpoint.authentication": "demanded",
    "endpoint.malformed": "refused",
    "endpoint.methods": "strict",
    "endpoint.content_type": "checked",
    "endpoint.size_limit": "bounded",
    "endpoint.batch_limit": "bounded",
    "endpoint.precision": "rounded",
    "endpoint.transport": "http-local",
    "endpoint.errors": "silent",
}


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)


def look(folder: Path, url: str, protocol: str = "open-inference-v2", variable: str | None = VARIABLE) -> Observation:
    parts = bank.write(folder, n=20)
    if protocol == "json":
        parts = replace(parts, contract=None)
    parts = replace(parts, endpoint=EndpointParts(url, protocol, variable))
    with Target(parts) as target:
        return observe(target, QUICK, Budget())


def facts(seen: Observation) -> dict[str, object]:
    return {fact.kind: fact.value for fact in seen.facts}


def test_a_decent_endpoint_is_decent_in_every_aspect(tmp_path: Path) -> None:
    with serving(Behaviour()) as url:
        seen = look(tmp_path, url)
    assert facts(seen) == DECENT
    measured = {one.name: one.value for one in seen.measurements}
    assert measured["endpoint.max_accepted_rows"] == 256
    assert measured["endpoint.max_accepted_bytes"] == 2**18
    assert measured["endpoint.output_digits"] == 3
    assert measured["endpoint.requests"] < 60


@pytest.mark.parametrize(
    ("behaviour", "wrong"),
    [
        (Behaviour(token=None), {"endpoint.authentication": "not-demanded"}),
        (Behaviour(any_token=True), {"endpoint.authentication": "any-token"}),
        (Behaviour(max_bytes=None), {"endpoint.size_limit": "unbounded"}),
        (Behaviour(max_rows=None), {"endpoint.batch_limit": "unbounded"}),
        (Behaviour(validate=False), {"endpoint.malformed": "breaks"}),
        (Behaviour(validate=False, trace=True), {"endpoint.malformed": "breaks", "endpoint.errors": "leak"}),
        (Behaviour(digits=17), {"endpoint.precision": "float64"}),
        (Behaviour(digits=8), {"endpoint.precision": "float32"}),
        (Behaviour(methods=("DELETE",)), {"endpoint.methods": "loose"}),
        (Behaviour(any_type=True), {"endpoint.content_type": "ignored"}),
        (Behaviour(banner="Werkzeug/3.0.1 Python/3.11.7"), {"endpoint.errors": "leak"}),
    ],
    ids=lambda value: ",".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_each_thing_done_wrong_is_one_fact(behaviour: Behaviour, wrong: dict[str, str], tmp_path: Path) -> None:
    with serving(behaviour) as url:
        assert facts(look(tmp_path, url)) == {**DECENT, **wrong}


def test_plain_json_needs_no_contract(tmp_path: Path) -> None:
    with serving(Behaviour(plain=True)) as url:
        seen = look(tmp_path, url, "json")
    assert facts(seen) == {**DECENT, "endpoint.precision": "no-score"}


def test_tensors_without_a_contract_are_unknown(tmp_path: Path) -> None:
    parts = replace(bank.write(tmp_path, n=20), contract=None, endpoint=EndpointParts("http://127.0.0.1:9/", "x"))
    with Target(parts) as target:
        assert observe(target, QUICK, Budget()).status is Status.UNKNOWN


@pytest.mark.parametrize(
    "behaviour", [Behaviour(width=9), Behaviour(token="other"), Behaviour(validate=False, dies=True)]
)
def test_an_endpoint_that_does_not_answer_is_an_attempt_never_a_result(behaviour: Behaviour, tmp_path: Path) -> None:
    with serving(behaviour) as url, pytest.raises(TargetError) as raised:
        look(tmp_path, url)
    assert raised.value.code == "HF-AUD-002"


def test_nobody_there_is_an_attempt(tmp_path: Path) -> None:
    with serving(Behaviour()) as url:
        pass
    with pytest.raises(TargetError) as raised:
        look(tmp_path, url)
    assert raised.value.code == "HF-AUD-002"


@pytest.mark.parametrize("value", ["", "two\nlines"])
def test_a_missing_token_is_asked_for_by_name_only(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with serving(Behaviour()) as url, pytest.raises(TargetError) as raised:
        look(tmp_path, url)
    assert raised.value.code == "HF-AUD-003"
    assert VARIABLE in raised.value.cause


def test_a_redirect_is_not_followed_and_the_token_stays(tmp_path: Path) -> None:
    other = Behaviour()
    with serving(other) as elsewhere, serving(Behaviour(redirect=elsewhere)) as url, pytest.raises(TargetError):
        look(tmp_path, url)
    assert other.seen == []


def test_the_token_is_in_no_fact_and_only_goes_where_it_was_meant(tmp_path: Path) -> None:
    behaviour = Behaviour(trace=True, validate=False)
    with serving(behaviour) as url:
        seen = look(tmp_path, url)
    assert TOKEN not in repr(seen)
    given = [header for _, header in behaviour.seen]
    assert given.count(None) == 1
    assert sum(header not in (None, f"Bearer {TOKEN}") for header in given) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"e": "Traceback (most recent call last):"}', "stack trace"),
        ('{"e": "at com.bank.Model.score(Model.java:42)"}', "stack trace"),
        ('{"e": "cannot open /srv/app/model/score.py"}', "file name"),
        ('{"e": "XGBoost: feature mismatch"}', "library"),
        ('{"e": "ValueError: bad shape"}', "exception"),
    ],
)
def test_what_a_refusal_may_not_tell(body: str, kind: str) -> None:
    assert kind in leaks(Reply(400, {}, body.encode()))
    assert leaks(Reply(200, {}, body.encode())) == ()


@pytest.mark.parametrize("body", ['{"error": "a row has 18 columns"}', "", '{"error": {"code": "HF-1", "fix": "a/b"}}'])
def test_what_a_refusal_may_tell(body: str) -> None:
    assert leaks(Reply(400, {"server": "uvicorn"}, body.encode())) == ()


MANIFEST = """\
version: 1
models:
  - name: assistant
    unit: digital
    region: eu
    owner: o@bank.example
    tier: {tier}
    purpose: Answers questions by rules.
    artifact: rules.json
    lock: requirements.lock
    endpoint: {{url: "{url}", protocol: json, auth: {{bearer_env: TEST_ENDPOINT_TOKEN}}}}
    policy: baseline
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "rules.json").write_text('{"rules": [{"words": ["open"], "reply": "at nine"}]}\n')
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    return tmp_path


def judged(folder: Path, url: str, tier: str = "low") -> tuple[Verdict, set[str], int]:
    (folder / "holdfast.yaml").write_text(MANIFEST.format(url=url, tier=tier))
    with Holdfast.open(Settings(config=folder / "holdfast.yaml", workers=1)) as holdfast:
        made = holdfast.audit(retry=True)
    (judgement,) = made.judgements
    fresh = sum(not result.cached for result in made.audit.models[0].results)
    return judgement.verdict, {reason.rule for reason in judgement.reasons if reason.blocking}, fresh


def test_a_model_with_only_an_endpoint_passes_and_is_not_asked_twice(place: Path) -> None:
    behaviour = Behaviour(plain=True)
    with serving(behaviour) as url:
        verdict, reasons, _ = judged(place, url)
        assert (verdict, reasons & {"required"}) == (Verdict.PASSED, set())
        asked = len(behaviour.seen)
        assert judged(place, url)[2] == 0
        assert len(behaviour.seen) == asked


def test_a_leaky_endpoint_fails_and_a_silent_one_is_unknown(place: Path) -> None:
    with serving(Behaviour(plain=True, token=None)) as url:
        verdict, reasons, _ = judged(place, url)
        assert verdict is Verdict.FAILED
        assert "endpoint-authentication" in reasons
    with serving(Behaviour(plain=True)) as url:
        pass
    assert judged(place, url)[0] is Verdict.UNKNOWN


def test_what_was_seen_of_a_live_endpoint_ages() -> None:
    assert LIVE_RESULTS_AGE.days <= 7

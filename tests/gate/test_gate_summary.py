"""The signed proof of a gate run: what it says, and everything that keeps it from being proof."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.domain import Verdict, digest, digest_bytes
from holdfast.core.errors import UsageError
from holdfast.core.sign import PAYLOAD_TYPE, SigningKey, VerificationSummary, dsse_sign
from holdfast.gate import Attested, Verification, decide, summarize, verify_summary
from holdfast.gate.verification import Status

PASSED, UNKNOWN, FAILED = Verdict.PASSED, Verdict.UNKNOWN, Verdict.FAILED


def verify(run: Any, desk: Any, **more: Any) -> Verification:
    given = {"as_of": desk.now, **more}
    artifacts = given.pop("artifacts", [run.artifact])
    key = given.pop("key", run.key.public)
    return verify_summary(run.summary, key, artifacts, **given)


def said(run: Any) -> dict[str, Any]:
    payload = base64.b64decode(json.loads(run.summary.read_bytes())["payload"])
    return dict(json.loads(payload))


def resign(run: Any, statement: dict[str, Any]) -> None:
    run.summary.write_bytes(dsse_sign(PAYLOAD_TYPE, json.dumps(statement).encode(), run.key).to_json())


def test_a_pass_is_proof_for_the_very_same_bytes(attested: Any, desk: Any) -> None:
    found = verify(attested(), desk, policy_digest=digest("policy"))
    assert (found.status, found.exit_code, found.problems) == (Status.OK, 0, ())
    assert (found.models, found.verdict) == (("credit",), "passed")
    assert found.valid_until == desk.now + timedelta(days=2)
    assert [(item.digest, item.named) for item in found.hashed] == [(digest_bytes(b"artifact"), True)]


def test_the_statement_is_a_verification_summary(attested: Any) -> None:
    statement = said(attested())
    predicate = statement["predicate"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert statement["subject"] == [
        {"name": "model.ubj", "digest": {"sha256": digest_bytes(b"artifact").removeprefix("sha256:")}}
    ]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["policy"]["uri"] == "urn:holdfast:policy:baseline"
    assert [item["uri"] for item in predicate["inputAttestations"]] == ["urn:holdfast:observation:evasion.search"]
    assert predicate["timeVerified"] == "2026-01-05T09:00:00Z"


@pytest.mark.parametrize(
    ("verdict", "blocks", "result", "status", "code"),
    [
        (PASSED, False, "PASSED", Status.OK, 0),
        (UNKNOWN, False, "PASSED", Status.OK, 0),
        (UNKNOWN, True, "FAILED", Status.UNKNOWN, 3),
        (FAILED, True, "FAILED", Status.BROKEN, 1),
    ],
)
def test_the_result_is_what_the_gate_did(
    attested: Any, desk: Any, verdict: Verdict, blocks: bool, result: str, status: Status, code: int
) -> None:
    run = attested(verdict, blocks=blocks)
    found = verify(run, desk)
    assert said(run)["predicate"]["verificationResult"] == result
    assert (found.status, found.exit_code, found.verdict) == (status, code, verdict.value)


def test_a_changed_artifact_is_broken(attested: Any, desk: Any) -> None:
    run = attested()
    run.artifact.write_bytes(b"Artifact")
    found = verify(run, desk)
    assert (found.status, found.exit_code) == (Status.BROKEN, 1)
    assert not found.hashed[0].named


def test_every_artifact_given_must_be_named(attested: Any, desk: Any, tmp_path: Path) -> None:
    run = attested()
    (tmp_path / "other.ubj").write_bytes(b"other")
    assert verify(run, desk, artifacts=[run.artifact, tmp_path / "other.ubj"]).exit_code == 1


def test_an_artifact_is_hashed_every_time(attested: Any, desk: Any) -> None:
    import os

    run = attested()
    before = run.artifact.stat()
    assert verify(run, desk).exit_code == 0
    run.artifact.write_bytes(b"artifaKt")
    os.utime(run.artifact, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify(run, desk).exit_code == 1


def test_without_an_artifact_nothing_is_proven(attested: Any, desk: Any, tmp_path: Path) -> None:
    run = attested()
    assert verify(run, desk, artifacts=[]).exit_code == 3
    assert verify(run, desk, artifacts=[tmp_path / "none"]).exit_code == 3
    assert verify(run, desk, artifacts=[tmp_path]).exit_code == 3


def test_another_key_is_broken(attested: Any, desk: Any) -> None:
    found = verify(attested(), desk, key=SigningKey.generate().public)
    assert (found.status, found.exit_code) == (Status.BROKEN, 1)
    assert found.verdict is None, "nothing of an unverified summary may be shown as said"


def test_another_policy_is_broken(attested: Any, desk: Any) -> None:
    assert verify(attested(), desk, policy_digest=digest("other")).exit_code == 1


@pytest.mark.parametrize(("late", "code"), [(timedelta(days=2, seconds=-1), 0), (timedelta(days=2), 3)])
def test_an_expired_summary_is_unknown(attested: Any, desk: Any, late: timedelta, code: int) -> None:
    assert verify(attested(), desk, as_of=desk.now + late).exit_code == code


def test_a_summary_without_an_end_holds(attested: Any, desk: Any) -> None:
    assert verify(attested(valid_until=None), desk, as_of=desk.now + timedelta(days=999)).exit_code == 0


def test_a_summary_from_the_future_is_unknown(attested: Any, desk: Any) -> None:
    assert verify(attested(), desk, as_of=desk.now - timedelta(hours=1)).exit_code == 3


def test_the_worst_problem_decides(attested: Any, desk: Any) -> None:
    run = attested()
    run.artifact.write_bytes(b"changed")
    found = verify(run, desk, as_of=desk.now + timedelta(days=9))
    assert {problem.status for problem in found.problems} == {Status.UNKNOWN, Status.BROKEN}
    assert found.exit_code == 1


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_goes_unnoticed(attested: Any, desk: Any, place: int, bit: int) -> None:
    run = attested()
    signed = run.summary.read_bytes()
    whole = bytearray(signed)
    whole[place % len(whole)] ^= 1 << bit
    run.summary.write_bytes(bytes(whole))
    if verify(run, desk).exit_code == 0:
        # The key id is a hint that nobody signs, and blanks mean nothing; whatever is signed is as it was.
        before, after = json.loads(signed), json.loads(bytes(whole))
        assert (after["payload"], after["payloadType"]) == (before["payload"], before["payloadType"])
        assert after["signatures"][0]["sig"] == before["signatures"][0]["sig"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"payload": 1}', b"[" * 100_000])
def test_what_is_no_envelope_is_broken(attested: Any, desk: Any, data: bytes) -> None:
    run = attested()
    run.summary.write_bytes(data)
    assert verify(run, desk).exit_code == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"verificationResult": "PASS"}, 1),
        ({"verificationResult": None}, 1),
        ({"holdfast_valid_until": "soon"}, 1),
        ({"holdfast_valid_until": "2026-01-09"}, 1),
        ({"holdfast_valid_until": 99999999999}, 1),
        ({"verifier": {"id": "https://other.example"}}, 1),
        ({"holdfast_models": "x"}, 0),
        ({"holdfast_models": [1, {"model": 2}]}, 0),
        ({"timeVerified": "never"}, 1),
        ({"policy": {}}, 1),
    ],
)
def test_a_signed_statement_that_makes_no_sense_is_no_proof(
    attested: Any, desk: Any, change: dict[str, Any], code: int
) -> None:
    run = attested()
    statement = said(run)
    resign(run, {**statement, "predicate": {**statement["predicate"], **change}})
    assert verify(run, desk, policy_digest=digest("policy")).exit_code == code


def test_a_summary_that_says_no_end_at_all_is_broken(attested: Any, desk: Any) -> None:
    run = attested()
    statement = said(run)
    del statement["predicate"]["holdfast_valid_until"]
    resign(run, statement)
    assert verify(run, desk).exit_code == 1


def test_another_kind_of_statement_is_broken(attested: Any, desk: Any) -> None:
    run = attested()
    resign(run, {**said(run), "predicateType": "https://example.org/other"})
    assert verify(run, desk).exit_code == 1


def test_a_missing_summary_is_a_mistake_of_the_caller(attested: Any, desk: Any, tmp_path: Path) -> None:
    run = replace(attested(), summary=tmp_path / "none.json")
    with pytest.raises(UsageError) as caught:
        verify(run, desk)
    assert (caught.value.code, caught.value.exit_code) == ("HF-GAT-003", 2)


def test_a_run_over_models_with_their_own_policies_names_a_digest_over_all(desk: Any) -> None:
    one = desk.judgement(model="a", policy="one", policy_digest=digest(1))
    two = desk.judgement(model="b", policy="two", policy_digest=digest(2))
    key = SigningKey.generate()

    def policy(*judged: Any) -> Any:
        data = summarize(
            decide(judged), [Attested(item, f"{item.model}.ubj") for item in judged], key, verified_at=desk.now
        )
        return VerificationSummary.verify(data, key.public).policy

    assert policy(one, two) == policy(two, one)
    assert policy(one, two).uri == "urn:holdfast:policies"
    assert policy(one).digest == digest(1)


def test_a_run_without_a_model_says_nothing(desk: Any) -> None:
    with pytest.raises(ValueError, match="needs subjects"):
        summarize(decide([]), [], SigningKey.generate(), verified_at=desk.now)

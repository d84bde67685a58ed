"""Statements and verification summaries, against the shapes in-toto and SLSA publish."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.core.errors import SignatureError
from holdfast.core.sign import (
    PAYLOAD_TYPE,
    Reference,
    SigningKey,
    Statement,
    Subject,
    VerificationSummary,
    dsse_sign,
)

KEY = SigningKey(bytes(32))
SUMMARY = VerificationSummary(
    subjects=(Subject("model.ubj", "ab" * 32), Subject("contract.yaml", "cd" * 32)),
    verifier="https://bank.example/holdfast",
    verifier_version="0.1.0",
    verified_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
    resource_uri="pkg:generic/credit-default",
    policy=Reference("baseline", "sha256:" + "ef" * 32),
    passed=True,
    inputs=(Reference("observation", "sha256:" + "01" * 32),),
    levels=("HOLDFAST_TIER_HIGH",),
    extra={"verdict": "passed", "validUntil": "2026-02-05T09:00:00Z"},
)


def test_the_summary_has_the_fields_slsa_names() -> None:
    said = json.loads(SUMMARY.statement().to_json())
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert said["subject"][0] == {"name": "model.ubj", "digest": {"sha256": "ab" * 32}}
    assert said["predicate"] == {
        "verifier": {"id": "https://bank.example/holdfast", "version": {"holdfast": "0.1.0"}},
        "timeVerified": "2026-01-05T09:00:00Z",
        "resourceUri": "pkg:generic/credit-default",
        "policy": {"uri": "baseline", "digest": {"sha256": "ef" * 32}},
        "inputAttestations": [{"uri": "observation", "digest": {"sha256": "01" * 32}}],
        "verificationResult": "PASSED",
        "verifiedLevels": ["HOLDFAST_TIER_HIGH"],
        "holdfast_verdict": "passed",
        "holdfast_validUntil": "2026-02-05T09:00:00Z",
    }


def test_a_failed_summary_claims_no_level() -> None:
    said = json.loads(replace(SUMMARY, passed=False).statement().to_json())["predicate"]
    assert (said["verificationResult"], said["verifiedLevels"]) == ("FAILED", ["FAILED"])


def test_signed_and_verified_it_is_the_same_summary() -> None:
    envelope = SUMMARY.sign(KEY).to_json()
    assert VerificationSummary.verify(envelope, KEY.public) == SUMMARY
    with pytest.raises(SignatureError) as raised:
        VerificationSummary.verify(envelope, SigningKey.generate().public)
    assert raised.value.code == "HF-SIG-007"


def test_foreign_fields_are_skipped() -> None:
    said = json.loads(SUMMARY.statement().to_json())
    said["predicate"]["acme_colour"] = "red"
    said["predicate"]["dependencyLevels"] = {}
    envelope = dsse_sign(PAYLOAD_TYPE, json.dumps(said).encode(), KEY)
    assert VerificationSummary.verify(envelope, KEY.public) == SUMMARY


def change(said: dict[str, Any], place: str, value: Any) -> None:
    *path, last = place.split(".")
    for step in path:
        said = said[step]
    said[last] = value


@pytest.mark.parametrize(
    ("place", "value", "wanted"),
    [
        ("_type", "https://in-toto.io/Statement/v0.1", "HF-SIG-008"),
        ("subject", [], "HF-SIG-008"),
        ("subject", {}, "HF-SIG-008"),
        ("subject", [{"name": "x", "digest": {"sha1": "00"}}], "HF-SIG-008"),
        ("subject", [{"name": "x", "digest": {"sha256": "AB" * 32}}], "HF-SIG-008"),
        ("subject", [{"name": 3, "digest": {"sha256": "ab" * 32}}], "HF-SIG-008"),
        ("subject", [7], "HF-SIG-008"),
        ("predicate", [], "HF-SIG-008"),
        ("predicateType", "https://slsa.dev/provenance/v1", "HF-SIG-009"),
        ("predicate.verificationResult", "PROBABLY", "HF-SIG-009"),
        ("predicate.timeVerified", "yesterday", "HF-SIG-009"),
        ("predicate.timeVerified", 7, "HF-SIG-009"),
        ("predicate.verifier", "me", "HF-SIG-009"),
        ("predicate.verifier", {"id": 1}, "HF-SIG-009"),
        ("predicate.policy", None, "HF-SIG-009"),
        ("predicate.inputAttestations", 5, "HF-SIG-009"),
        ("predicate.verifiedLevels", None, "HF-SIG-009"),
    ],
)
def test_other_statements_are_refused(place: str, value: Any, wanted: str) -> None:
    said = json.loads(SUMMARY.statement().to_json())
    change(said, place, value)
    envelope = dsse_sign(PAYLOAD_TYPE, json.dumps(said).encode(), KEY)
    with pytest.raises(SignatureError) as raised:
        VerificationSummary.verify(envelope, KEY.public)
    assert raised.value.code == wanted


def test_a_statement_needs_subjects_by_digest() -> None:
    for subjects in ((), (Subject("x", "sha256:" + "ab" * 32),)):
        with pytest.raises(ValueError, match="sha256"):
            Statement(subjects, "t", {})
    assert Subject.of("x", "sha256:" + "ab" * 32) == Subject("x", "ab" * 32)


def test_a_statement_is_the_same_bytes_every_time() -> None:
    one = Statement((Subject("x", "ab" * 32),), "t", {"b": 1, "a": 2})
    two = Statement((Subject("x", "ab" * 32),), "t", {"a": 2, "b": 1})
    assert one.to_json() == two.to_json()


def test_a_file_name_that_is_no_text_can_be_signed_and_verified() -> None:
    odd = replace(SUMMARY, subjects=(Subject("mod\udce8le", "ab" * 32),))
    read = VerificationSummary.verify(odd.sign(KEY).to_json(), KEY.public)
    assert read.subjects == (Subject("mod\ufffd\ufffd\ufffdle", "ab" * 32),)

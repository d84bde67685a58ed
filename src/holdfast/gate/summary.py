"""The signed proof of a gate run, and its verification by anyone who has the public key and the artifacts.

A SLSA verification summary (VSA v1) in a DSSE envelope: which artifacts, by which policy, on which observations,
with which result, until when. PASSED means that the gate let them through; our own fields say with which verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from holdfast import __version__
from holdfast.core.domain import Judgement, Verdict, digest, from_iso, to_iso
from holdfast.core.errors import SignatureError, UsageError
from holdfast.core.sign import PublicKey, Reference, SigningKey, Subject, VerificationSummary, file_digest
from holdfast.core.sign.dsse import MAX_ENVELOPE_BYTES
from holdfast.gate.decide import Decision
from holdfast.gate.verification import Hashed, Problem, Status, Verification

VERIFIER: Final = "urn:holdfast:gate"
SKEW: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attested:
    """What the summary says of one model: its artifact as readers know it, and the keys of what was observed."""

    judgement: Judgement
    artifact: str
    observations: tuple[tuple[str, str], ...] = ()
    """(check, observation key)"""


def summarize(decision: Decision, models: Sequence[Attested], *keys: SigningKey, verified_at: datetime) -> bytes:
    """The envelope for a gate run, as JSON. Raises ValueError without a model: there would be nothing to speak of."""
    summary = VerificationSummary(
        subjects=tuple(Subject.of(item.artifact, item.judgement.version) for item in models),
        verifier=VERIFIER,
        verifier_version=__version__,
        verified_at=verified_at,
        resource_uri=f"urn:holdfast:model:{models[0].judgement.model}" if len(models) == 1 else "urn:holdfast:models",
        policy=_policy([item.judgement for item in models]),
        passed=not decision.blocks,
        inputs=tuple(_inputs(models)),
        levels=("HOLDFAST_GATE_PASSED",),
        extra=_extra(decision, models),
    )
    return summary.sign(*keys).to_json()


def _policy(judgements: Sequence[Judgement]) -> Reference:
    """The one policy of the run; where models have their own, a digest over all of them."""
    named = sorted({(item.policy, item.policy_digest) for item in judgements})
    if len(named) == 1:
        return Reference(f"urn:holdfast:policy:{named[0][0]}", named[0][1])
    return Reference("urn:holdfast:policies", digest([list(pair) for pair in named]))


def _inputs(models: Iterable[Attested]) -> Iterable[Reference]:
    seen = {(check, key) for item in models for check, key in item.observations}
    return (Reference(f"urn:holdfast:observation:{check}", key) for check, key in sorted(seen))


def _extra(decision: Decision, models: Sequence[Attested]) -> dict[str, Any]:
    return {
        "verdict": decision.verdict.value,
        "valid_until": None if decision.valid_until is None else to_iso(decision.valid_until),
        "models": [
            {
                "model": item.judgement.model,
                "version": item.judgement.version,
                "verdict": item.judgement.verdict.value,
                "policy": item.judgement.policy,
                "policy_digest": item.judgement.policy_digest,
                "intel": item.judgement.intel,
                "judgement": item.judgement.key,
                "as_of": to_iso(item.judgement.as_of),
            }
            for item in models
        ],
    }


def verify_summary(
    path: Path,
    key: PublicKey,
    artifacts: Sequence[Path],
    *,
    as_of: datetime,
    policy_digest: str | None = None,
) -> Verification:
    """Whether a summary proves, at `as_of`, that these very artifacts passed the gate. Always hashes them.

    Broken: signature, result, policy or an artifact is wrong. Unknown: expired, undecided, or nothing to compare.
    Raises UsageError (HF-GAT-003) when the summary cannot be read at all.
    """
    data = _read(path)
    try:
        summary = VerificationSummary.verify(data, key)
    except SignatureError as fault:
        return Verification((Problem(Status.BROKEN, f"{fault.message}: {fault.cause}"),))
    hashed, problems = _hash(artifacts, {subject.sha256 for subject in summary.subjects})
    problems += _judge_said(summary, as_of, policy_digest)
    return _verification(summary, hashed, problems)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_ENVELOPE_BYTES + 1)
    except OSError as fault:
        raise UsageError(
            f"cannot read the summary {path}",
            cause=fault.strerror or str(fault),
            fix="give the file that `holdfast gate --attest FILE` wrote",
            code="HF-GAT-003",
        ) from fault


def _hash(artifacts: Sequence[Path], named: set[str]) -> tuple[list[Hashed], list[Problem]]:
    hashed: list[Hashed] = []
    problems: list[Problem] = []
    for path in artifacts:
        try:
            found, _ = file_digest(path)
        except SignatureError as fault:
            problems.append(Problem(Status.UNKNOWN, f"{fault.message}: {fault.cause}"))
            continue
        hashed.append(Hashed(path, found, found.removeprefix("sha256:") in named))
        if not hashed[-1].named:
            problems.append(Problem(Status.BROKEN, f"{path} ({found}) is not what was verified"))
    if not artifacts:
        problems.append(Problem(Status.UNKNOWN, "no artifact was given to compare with"))
    return hashed, problems


def _judge_said(summary: VerificationSummary, as_of: datetime, policy_digest: str | None) -> list[Problem]:
    problems: list[Problem] = []
    if summary.verifier != VERIFIER:
        problems.append(Problem(Status.BROKEN, f"the summary is by {summary.verifier}, not by a Holdfast gate"))
    if not summary.passed:
        undecided = summary.extra.get("verdict") == Verdict.UNKNOWN.value
        what = "could not decide" if undecided else "did not let these artifacts pass"
        problems.append(Problem(Status.UNKNOWN if undecided else Status.BROKEN, f"the gate {what}"))
    if policy_digest is not None and summary.policy.digest != policy_digest:
        what = f"judged by policy {summary.policy.digest}, wanted is {policy_digest}"
        problems.append(Problem(Status.BROKEN, what))
    if summary.verified_at > as_of + SKEW:
        problems.append(
            Problem(Status.UNKNOWN, f"it was made at {to_iso(summary.verified_at)}, which is still to come")
        )
    problems += _expiry(summary, as_of)
    return problems


def _expiry(summary: VerificationSummary, as_of: datetime) -> list[Problem]:
    if "valid_until" not in summary.extra:
        return [Problem(Status.BROKEN, "it does not say until when it holds")]
    try:
        until = _until(summary)
    except ValueError as fault:
        return [Problem(Status.BROKEN, f"it does not say until when it holds: {fault}")]
    if until is not None and as_of >= until:
        return [Problem(Status.UNKNOWN, f"it held until {to_iso(until)}; run the gate again")]
    return []


def _until(summary: VerificationSummary) -> datetime | None:
    said = summary.extra["valid_until"]
    if said is None:
        return None
    if not isinstance(said, str):
        raise ValueError("not a time")
    return from_iso(said)


def _verification(summary: VerificationSummary, hashed: list[Hashed], problems: list[Problem]) -> Verification:
    listed = summary.extra.get("models")
    models = [item.get("model") for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    verdict = summary.extra.get("verdict")
    try:
        until = _until(summary)
    except (KeyError, ValueError):
        until = None
    return Verification(
        problems=tuple(problems),
        hashed=tuple(hashed),
        models=tuple(str(name) for name in models),
        verdict=verdict if isinstance(verdict, str) else None,
        policy=summary.policy.uri,
        policy_digest=summary.policy.digest,
        verified_at=summary.verified_at,
        valid_until=until,
    )

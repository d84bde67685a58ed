"""The nouns: frozen, typed, without I/O and without numpy."""

from holdfast.core.domain.advisory import Advisory, Technique, VersionRange
from holdfast.core.domain.claim import Cause, Ceiling, Claim, Effect, derive, state_digest
from holdfast.core.domain.clock import Clock, FrozenClock, from_iso, system_clock, to_iso
from holdfast.core.domain.ids import JSONValue, canonical_json, digest, digest_bytes, new_id
from holdfast.core.domain.model import Harm, Model, ModelVersion, People, Task
from holdfast.core.domain.observation import Attempt, Fact, Measurement, Observation, Recorded, Status
from holdfast.core.domain.severity import Severity, Tier
from holdfast.core.domain.verdict import Finding, Judgement, Reason, Verdict, fingerprint

__all__ = [
    "Advisory",
    "Attempt",
    "Cause",
    "Ceiling",
    "Claim",
    "Clock",
    "Effect",
    "Fact",
    "Finding",
    "FrozenClock",
    "Harm",
    "JSONValue",
    "Judgement",
    "Measurement",
    "Model",
    "ModelVersion",
    "Observation",
    "People",
    "Reason",
    "Recorded",
    "Severity",
    "Status",
    "Task",
    "Technique",
    "Tier",
    "Verdict",
    "VersionRange",
    "canonical_json",
    "derive",
    "digest",
    "digest_bytes",
    "fingerprint",
    "from_iso",
    "new_id",
    "state_digest",
    "system_clock",
    "to_iso",
]

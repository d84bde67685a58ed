"""in-toto Statement v1 (github.com/in-toto/attestation): a predicate about artifacts named by their digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from holdfast.core.domain import JSONValue, canonical_json
from holdfast.core.errors import SignatureError
from holdfast.core.sign.strict import parse_object

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
MAX_STATEMENT_BYTES: Final = 12_000_000
MAX_SUBJECTS: Final = 100_000
_HEX: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact: `sha256` is 64 hex digits, without a prefix."""

    name: str
    sha256: str

    @classmethod
    def of(cls, name: str, digest: str) -> Self:
        """A subject from a digest of the house, `sha256:<hex>`."""
        return cls(name, digest.removeprefix("sha256:"))


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said (`predicate`, of `predicate_type`) about which artifacts."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def __post_init__(self) -> None:
        bad = next((subject.name for subject in self.subjects if not _HEX.fullmatch(subject.sha256)), None)
        if not self.subjects or bad is not None:
            raise ValueError(f"a statement needs subjects with a sha256 digest; {bad or 'none'} given")

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Read a statement from a verified payload. Raises SignatureError when it is none."""
        try:
            return cls._of(parse_object(payload, MAX_STATEMENT_BYTES))
        except ValueError as fault:
            raise SignatureError(
                "the signed payload is not an in-toto statement",
                cause=str(fault),
                fix="check that this is the right file; it must be an in-toto Statement v1",
                code="HF-SIG-008",
            ) from fault

    @classmethod
    def _of(cls, value: dict[str, Any]) -> Self:
        if value.get("_type") != STATEMENT_TYPE:
            raise ValueError(f"its '_type' is not {STATEMENT_TYPE}")
        subjects, kind, predicate = value.get("subject"), value.get("predicateType"), value.get("predicate")
        if not isinstance(subjects, list) or len(subjects) > MAX_SUBJECTS:
            raise ValueError(f"'subject' must be a list of at most {MAX_SUBJECTS:,}")
        if not isinstance(kind, str) or not isinstance(predicate, dict):
            raise ValueError("'predicateType' must be text and 'predicate' an object")
        return cls(tuple(_subject(item) for item in subjects), kind, predicate)

    def to_json(self) -> bytes:
        """The statement as canonical JSON: the same statement is always the same bytes.

        A name that is no text (a file name in another encoding) keeps U+FFFD in place of what cannot be written.
        """
        value = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": item.name, "digest": {"sha256": item.sha256}} for item in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }
        return canonical_json(cast("JSONValue", value)).decode("utf-8", "replace").encode()


def _subject(item: Any) -> Subject:
    digest = item.get("digest") if isinstance(item, dict) else None
    sha256 = digest.get("sha256") if isinstance(digest, dict) else None
    name = item.get("name", "") if isinstance(item, dict) else None
    if not isinstance(sha256, str) or not isinstance(name, str):
        raise ValueError("a subject must have a name and a sha256 digest")
    return Subject(name, sha256)

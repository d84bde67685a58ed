"""What was found in one file."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.core.domain import Fact, JSONValue
from holdfast.scan.allowlist import Allowlist
from holdfast.scan.claims import Claim
from holdfast.scan.rules import Hit, ScanVerdict


@dataclass(frozen=True, slots=True)
class Coverage:
    """Bytes of the file: followed, skipped because their number is declared, and not accounted for."""

    parsed: int
    skipped_by_shape: int
    unread: int


@dataclass(frozen=True, slots=True)
class FileReport:
    """One row of a scan. `hash_ms` is apart from `inspect_ms`; `sha256` is None where hashing was left out."""

    path: str
    sha256: str | None
    format: str
    verdict: ScanVerdict
    inspect_ms: float
    hash_ms: float
    bytes: int
    coverage: Coverage
    facts: tuple[Fact, ...]
    hits: tuple[Hit, ...]
    claims: tuple[Claim, ...] = ()
    """What it says of other files' bytes; those files' rows tell what came of it."""
    names: Allowlist | None = field(default=None, repr=False)
    """The list it was judged by; None: the one inside."""

    def to_row(self) -> dict[str, JSONValue]:
        """The row as `holdfast scan --format json` writes it."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "format": self.format,
            "verdict": str(self.verdict),
            "inspect_ms": round(self.inspect_ms, 3),
            "hash_ms": round(self.hash_ms, 3),
            "bytes": self.bytes,
            "coverage": {
                "parsed": self.coverage.parsed,
                "skipped_by_shape": self.coverage.skipped_by_shape,
                "unread": self.coverage.unread,
            },
            "facts": [_fact(fact) for fact in self.facts],
        }


def _fact(fact: Fact) -> dict[str, JSONValue]:
    row: dict[str, JSONValue] = {
        "kind": fact.kind,
        "value": fact.value,
        "offset": fact.offset,
        "member": fact.member,
    }
    return row if fact.detail is None else {**row, "detail": fact.detail}

"""One decision over all models of a gate run, and the exit code that a pipeline acts on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.core.domain import Judgement, Verdict
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN
from holdfast.core.report import AcceptedFinding


@dataclass(frozen=True, slots=True)
class Decision:
    """The worst verdict, whether anything blocks, and until when the answer holds.

    `accepted` are the findings that were let pass, with the two people who answer for each; the verdict stays.
    """

    judgements: tuple[Judgement, ...]
    verdict: Verdict
    blocks: bool
    valid_until: datetime | None
    accepted: tuple[AcceptedFinding, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a model failed and is not let pass, 3 where an unknown one blocks, else 0."""
        known = {item.fingerprint for item in self.accepted}
        if any(item.verdict is Verdict.FAILED and not excused(item, known) for item in self.judgements):
            return EXIT_FINDINGS
        return EXIT_UNKNOWN if self.blocks else EXIT_PASSED


def decide(judgements: Sequence[Judgement], accepted: Iterable[AcceptedFinding] = ()) -> Decision:
    """Worst wins. A gate without a model to judge has shown nothing: unknown, and it blocks.

    A failed verdict does not block where every finding behind it is accepted. The answer then holds no longer than
    the acceptance does.
    """
    named = {found.fingerprint: item.model for item in judgements for found in item.findings}
    counted = tuple(item for item in accepted if named.get(item.fingerprint) == item.model)
    known = {item.fingerprint for item in counted}
    ends = [item.valid_until for item in judgements if item.valid_until is not None]
    ends += [item.until for item in counted]
    return Decision(
        tuple(judgements),
        Verdict.worst(item.verdict for item in judgements),
        not judgements or any(item.blocks and not _excused_only(item, known) for item in judgements),
        min(ends, default=None),
        counted,
    )


def excused(judgement: Judgement, accepted: set[str]) -> bool:
    """Whether everything that failed is accepted: each failing rule has findings, and all findings are accepted."""
    failing = {reason.rule for reason in judgement.reasons if reason.verdict is Verdict.FAILED}
    found = {finding.rule for finding in judgement.findings}
    covered = bool(judgement.findings) and failing <= found
    return covered and all(finding.fingerprint in accepted for finding in judgement.findings)


def _excused_only(judgement: Judgement, accepted: set[str]) -> bool:
    """Whether nothing but accepted findings blocks: what is unknown is accepted by nobody."""
    undecided = any(reason.verdict is Verdict.UNKNOWN and reason.blocking for reason in judgement.reasons)
    return judgement.verdict is Verdict.FAILED and not undecided and excused(judgement, accepted)

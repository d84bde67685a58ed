"""One decision over all models of a gate run, and the exit code that a pipeline acts on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.core.domain import Judgement, Verdict
from holdfast.core.errors import EXIT_FINDINGS, EXIT_PASSED, EXIT_UNKNOWN


@dataclass(frozen=True, slots=True)
class Decision:
    """The worst verdict, whether anything blocks, and until when the answer holds."""

    judgements: tuple[Judgement, ...]
    verdict: Verdict
    blocks: bool
    valid_until: datetime | None

    @property
    def exit_code(self) -> int:
        """1 where a model failed, 3 where an unknown one blocks, else 0."""
        if self.verdict is Verdict.FAILED:
            return EXIT_FINDINGS
        return EXIT_UNKNOWN if self.blocks else EXIT_PASSED


def decide(judgements: Sequence[Judgement]) -> Decision:
    """Worst wins. A gate without a model to judge has shown nothing: unknown, and it blocks."""
    ends = [item.valid_until for item in judgements if item.valid_until is not None]
    return Decision(
        tuple(judgements),
        Verdict.worst(item.verdict for item in judgements),
        not judgements or any(item.blocks for item in judgements),
        min(ends, default=None),
    )

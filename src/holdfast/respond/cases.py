"""A playbook's own examples, run when it is read: it is shown to fire, shown to stay quiet, and no step is idle."""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.core.documents import Document
from holdfast.core.domain.alert import Alert, Campaign
from holdfast.core.errors import ConfigError
from holdfast.respond.decision import Situation, decide
from holdfast.respond.playbook import Playbook
from holdfast.respond.schema import Given, PlaybookCase

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def check_cases(playbook: Playbook, document: Document) -> None:
    """Raises ConfigError: a case that fails is HF-RSP-005, a case that is missing HF-RSP-006."""
    for number, case in enumerate(playbook.file.cases):
        found = _fires(playbook, case)
        if found != case.expect:
            raise ConfigError(
                f"a case of playbook '{playbook.id}' fails in {document.where('cases', number)}",
                cause=f"it expects {_words(case.expect)} and gets {_words(found)}",
                fix="correct the trigger, the steps or the case; one of them says what you did not mean",
                code="HF-RSP-005",
            )
    lacking = _lacking(playbook)
    if lacking is not None:
        raise ConfigError(
            f"playbook '{playbook.id}' has no case {lacking}, in {document.where('cases')}",
            cause="a playbook is only trusted when it is shown to fire and shown not to",
            fix="add to cases: {given: {technique: …, severity: …, tier: …}, expect: […]}",
            code="HF-RSP-006",
        )


def _fires(playbook: Playbook, case: PlaybookCase) -> tuple[str, ...]:
    planned = decide((playbook,), _situation(case.given))
    return planned[0].steps if planned else ()


def _lacking(playbook: Playbook) -> str | None:
    expected = [case.expect for case in playbook.file.cases]
    shown = {word for words in expected for word in words}
    idle = next((step.word for step in playbook.steps if step.word not in shown), None)
    if idle is not None:
        return f"in which its step '{idle}' is taken"
    return None if () in expected else "in which it stays quiet (`expect: []`)"


def _situation(given: Given) -> Situation:
    return Situation(_alert(given), given.tier, _MOMENT, predicted=given.finding == "predicted")


def _alert(given: Given) -> Alert:
    campaign = Campaign(
        id="cmp_case",
        model=given.model,
        technique=given.technique,
        entity="client:case",
        detectors=(given.detector,),
        clients=("case",),
        columns=(),
        events=(),
        signals=1,
        strength=1.0,
        started_at=_MOMENT,
        last_at=_MOMENT,
    )
    return Alert(campaign, None, given.severity, "a playbook's own example", _MOMENT)


def _words(steps: tuple[str, ...]) -> str:
    return ", ".join(steps) or "nothing"
